// Two people on the page of the native dialect: one of them loses the connection in mid-conversation.
import assert from "node:assert/strict";

import { play } from "./stage.mjs";

async function comeIn(person, name) {
  await person.write("Your name", name);
  await person.press("Come in");
  await person.sees(`connected as ${name}`);
}

await play("native", async ({ open }) => {
  const [ann, bob] = [await open("native"), await open("native")];
  await comeIn(ann, "ann");
  await comeIn(bob, "bob");
  await ann.write("Room name", "Balcony");
  await ann.press("Create");
  await ann.sees("Balcony · ");
  await ann.say("Is anybody up there? 🌱");
  await ann.reads("ann", "Is anybody up there? 🌱");
  await bob.press("Refresh");
  await bob.press("Join Balcony");
  await ann.notes("bob has joined");
  await bob.reads("ann", "Is anybody up there? 🌱");
  await bob.page.getByLabel("Message", { exact: true }).pressSequentially("Up");
  await ann.sees("bob is typing");
  await bob.say(" and <b>about</b>");
  await ann.reads("bob", "Up and <b>about</b>");

  // What is said while somebody is away is there when he is back, once and in its place.
  await ann.page.evaluate("socket.close()");
  await bob.say("Are you still there?");
  await bob.reads("bob", "Are you still there?");
  await ann.reads("bob", "Are you still there?");
  await ann.connected();
  await ann.say("I lost you for a moment");
  await bob.reads("ann", "I lost you for a moment");
  await ann.reads("ann", "I lost you for a moment");
  const said = async (person) => (await person.lines()).filter((line) => line.includes("\n"));
  assert.deepEqual(await said(ann), await said(bob));

  await bob.press("Leave");
  await ann.notes("bob has left");
});
