// Two people on the page of the `rest` dialect, and a third one without a page.
import assert from "node:assert/strict";

import { guest } from "./plain.mjs";
import { play } from "./stage.mjs";

async function account(person, name, button) {
  await person.write("User name (to sign up)", name);
  await person.write("Email", `${name}@mail.com`);
  await person.write("Password", "correct horse");
  await person.press(button);
}

async function enter(person, room) {
  await person.press(`Open ${room}`);
  await person.connected();
}

await play("rest", async ({ open, address }) => {
  const [ann, bob] = [await open("rest"), await open("rest")];
  await account(ann, "ann", "Log in");
  await ann.told("invalid login credentials");
  await account(ann, "ann", "Sign up");
  await ann.sees("ann (ann@mail.com)");
  await account(bob, "bob", "Sign up");
  await bob.sees("bob (bob@mail.com)");
  await account(bob, "bob", "Sign up");
  await bob.told("email already exists");
  await account(bob, "bob", "Log in");
  await bob.sees("bob (bob@mail.com)");

  await ann.write("Room name", "Book club");
  await ann.press("Create");
  await ann.told("Book club is there, with the number ");
  await enter(ann, "Book club");
  await ann.say("Who has read the second chapter? 📖");
  await ann.reads("ann", "Who has read the second chapter? 📖");
  const room = Number((await ann.page.locator("#here").innerText()).split(" · ")[1]);
  assert.ok(Number.isInteger(room));

  // Who comes later reads what was said, and goes on from there.
  await bob.press("Refresh");
  await enter(bob, "Book club");
  await bob.reads("ann", "Who has read the second chapter? 📖");
  await bob.say("Me. <b>Twice</b>");
  await ann.reads("bob", "Me. <b>Twice</b>");
  await bob.reads("bob", "Me. <b>Twice</b>");

  const cyd = await guest(address, "cyd");
  await cyd.call("join", { room });
  await cyd.call("post", { room, body: "I have only seen the film" });
  await ann.reads("cyd", "I have only seen the film");
  await bob.reads("cyd", "I have only seen the film");
  await ann.say("That counts as well");
  await cyd.reads("ann", "That counts as well");
  cyd.close();

  await bob.press("Leave");
  await bob.notes("you have left");
  await ann.say("Bob?");
  await ann.reads("ann", "Bob?");
  await enter(bob, "Book club");
  await bob.reads("ann", "Bob?");
  const lines = await ann.lines();
  assert.deepEqual((await bob.lines()).slice(-lines.length), lines);

  // A room is made once: who makes it again gets it as it is.
  await bob.write("Room name", "Book club");
  await bob.press("Create");
  await bob.told(`Book club is there, with the number ${room}`);
});
