// People on the page of the `socketio` dialect: both faces, two versions of the client, and every way
// of transport. With a secret for an argument they have tokens; without one they are guests.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import { guest } from "./plain.mjs";
import { play } from "./stage.mjs";

const [secret] = process.argv.slice(2);
const BOTH = "polling, then websocket";

/** A token as an older backend of this kind makes it. */
function token(id, username) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const said = `${part({ alg: "HS256", typ: "JWT" })}.${part({ id, username, iat: now, exp: now + 600 })}`;
  return `${said}.${createHmac("sha256", secret).update(said).digest("base64url")}`;
}

/** Connects, and waits until the connection has the transport that it is to have in the end. */
async function connect(person, transport, face) {
  await person.choose("Transport", transport);
  await person.choose("Events", face);
  await person.press("Connect");
  const name = transport === BOTH ? "websocket" : transport;
  await person.page.locator("#status").filter({ hasText: `connected (${name})` }).waitFor();
}

/** The first face: rooms are made by joining them, and everybody sees who comes, types and goes. */
async function join(person, name, room) {
  await person.write("Your name", name);
  await person.write("Room", room);
  await person.press("Join");
  await person.notes(`you are in ${room}`);
}

async function guests({ open, address }) {
  const ann = await open("socketio", { client: "socket.io-4.8.js" });
  const bob = await open("socketio", { client: "socket.io-4.5.js" });
  const cyd = await open("socketio", { client: "socket.io-4.5.js" });
  await connect(ann, BOTH, "joinRoom, message");
  await connect(bob, "polling", "joinRoom, message");
  await connect(cyd, "websocket", "joinRoom, message");
  await join(ann, "ann", "den");
  await join(bob, "bob", "den");
  await ann.notes("bob has joined");
  await join(cyd, "cyd", "den");
  await ann.notes("cyd has joined");
  await bob.notes("cyd has joined");

  await bob.page.getByLabel("Message", { exact: true }).pressSequentially("Is an");
  await ann.sees("bob is typing");
  await bob.say("yone here? 👋");
  await ann.reads("bob", "Is anyone here? 👋");
  await cyd.reads("bob", "Is anyone here? 👋");
  await ann.say("Yes, <i>two</i> of us");
  await bob.reads("ann", "Yes, <i>two</i> of us");
  await cyd.reads("ann", "Yes, <i>two</i> of us");

  const dan = await guest(address, "dan");
  await dan.call("join", { room: "den" });
  await dan.call("post", { room: "den", body: "Three" });
  for (const person of [ann, bob, cyd]) await person.reads("dan", "Three");
  await cyd.say("Hello dan");
  await dan.reads("cyd", "Hello dan");
  dan.close();

  await bob.press("Leave");
  await ann.notes("bob has left");
  await cyd.press("Disconnect");
  await ann.notes("cyd has left");
  await ann.say("And then there was one");
  assert.ok(!(await bob.lines()).join().includes("And then there was one"));
  await secondFace(open, ann);
}

/** The second face: a room is made, and joined by the id that its maker got. */
async function secondFace(open, ann) {
  const eve = await open("socketio", { client: "socket.io-4.5.js" });
  const fay = await open("socketio", { client: "socket.io-4.8.js" });
  await connect(eve, BOTH, "join_room, send_message");
  await connect(fay, "websocket", "join_room, send_message");
  await eve.write("Room name", "Room1");
  await eve.press("Create");
  await eve.told("the room's id is ");
  const id = await eve.page.locator("#room").inputValue();
  assert.match(id, /^[0-9a-z]{8}$/);
  await fay.write("Room id", "00000000");
  await fay.press("Join");
  await fay.told("Room not found");
  for (const person of [eve, fay]) {
    await person.write("Room id", id);
    await person.press("Join");
    await person.notes(`you are in Room1 · ${id}`);
  }
  await eve.say("By number, please");
  await fay.page.locator(".log li:not(.event)").filter({ hasText: "By number, please" }).waitFor();
  await fay.say("As you like");
  await eve.page.locator(".log li:not(.own)").filter({ hasText: "As you like" }).waitFor();

  // Who came in by the other face is in the same room.
  await ann.press("Leave");
  await join(ann, "ann", id);
  await ann.say("I know this room, too");
  await eve.reads("ann", "I know this room, too");
  await fay.reads("ann", "I know this room, too");
  await fay.say("Then come in");
  await ann.page.locator(".log li:not(.own)").filter({ hasText: "Then come in" }).waitFor();
  await fay.press("Leave");
}

async function signedIn({ open }) {
  const [ann, bob] = [await open("socketio"), await open("socketio", { client: "socket.io-4.5.js" })];
  await ann.press("Connect");
  await ann.told("Authentication error");
  await ann.write("Token, if the server wants one", token("1", "ann").slice(0, -1));
  await ann.press("Connect");
  await ann.told("Authentication error");
  await ann.write("Token, if the server wants one", token("1", "ann"));
  await connect(ann, BOTH, "joinRoom, message");
  await bob.write("Token, if the server wants one", token("2", "bob"));
  await connect(bob, BOTH, "joinRoom, message");
  await join(ann, "ann", "office");
  // What a token says is believed, whatever else somebody calls himself.
  await join(bob, "the boss", "office");
  await ann.notes("bob has joined");
  await bob.say("I'm the boss");
  await ann.reads("bob", "I'm the boss");
  await ann.say("You are bob");
  await bob.reads("ann", "You are bob");
}

if (secret) await play("socketio-tokens", signedIn);
else await play("socketio", guests);
