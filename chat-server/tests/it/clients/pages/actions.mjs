// People on the page of the `actions` dialect, in both ways to talk, and one without a page.
import assert from "node:assert/strict";

import { guest } from "./plain.mjs";
import { play } from "./stage.mjs";

const [ACTION, TYPE] = ["action: join, send-message", "type: join-room, chat"];

async function logIn(person, name, frames, password = "correct horse") {
  await person.write("User name", name);
  await person.write("Password", password);
  await person.choose("Frames", frames);
  await person.press("Log in");
}

async function enter(person, room) {
  await person.press(`Join ${room}`);
  await person.connected();
}

await play("actions", async ({ open, address }) => {
  const [ann, bob, cyd] = [await open("actions"), await open("actions"), await open("actions")];
  await logIn(ann, "ann", ACTION);
  await ann.sees("ann");
  await ann.write("Room name", "TechTalk");
  await ann.press("Create");
  await ann.told(/^room_\d+ is made$/);
  const id = (await ann.page.locator("#notice").innerText()).split(" ")[0];
  await ann.write("Room name", "TechTalk");
  await ann.press("Create");
  await ann.told("RoomName already exists");
  await enter(ann, "TechTalk");
  await ann.notes("Welcome to TechTalk!");
  await ann.say("Has anybody tried it? 🛠");
  await ann.reads("ann", "Has anybody tried it? 🛠");

  await logIn(bob, "ann", ACTION, "a wrong password");
  await bob.told("Invalid username or password");
  await logIn(bob, "bob", ACTION);
  await enter(bob, "TechTalk");
  await ann.notes("bob has joined");
  await bob.reads("ann", "Has anybody tried it? 🛠");
  await bob.say("I did, <b>once</b>");
  await ann.reads("bob", "I did, <b>once</b>");
  await bob.reads("bob", "I did, <b>once</b>");

  await logIn(cyd, "cyd", TYPE);
  await enter(cyd, "TechTalk");
  await cyd.notes("cyd has joined the room");
  await ann.notes("cyd has joined");
  await cyd.reads("bob", "I did, <b>once</b>");
  await cyd.say("I speak the other way");
  for (const person of [ann, bob, cyd]) await person.reads("cyd", "I speak the other way");
  await ann.say("We hear you");
  await cyd.reads("ann", "We hear you");

  const dan = await guest(address, "dan");
  await dan.call("join", { room: id });
  await ann.notes("dan has joined");
  await cyd.notes("dan has joined the room");
  await dan.call("post", { room: id, body: "And I without any page" });
  for (const person of [ann, bob, cyd]) await person.reads("dan", "And I without any page");
  await bob.say("Hello dan");
  await dan.reads("bob", "Hello dan");
  dan.close();

  await bob.press("Leave");
  await ann.notes("bob has left");
  await cyd.press("Leave");
  await ann.notes("cyd has left");
  await ann.say("Good night");
  await ann.reads("ann", "Good night");
  assert.ok(!(await bob.lines()).some((line) => line.includes("Good night")));
});
