// Two people on the page of the `groups` dialect, a guest on it, and one without a page.
import assert from "node:assert/strict";

import { guest } from "./plain.mjs";
import { play } from "./stage.mjs";

async function account(person, id, name, button, password = "correct horse") {
  await person.write("Name", name);
  await person.write("User id", id);
  await person.write("Password", password);
  await person.press(button);
}

async function enter(person, group, name) {
  await person.press(`Connect to ${group}`);
  await person.notes(`you are in ${group} as ${name}`);
}

await play("groups", async ({ open, address }) => {
  const [ann, bob, eve] = [await open("groups"), await open("groups"), await open("groups")];
  for (const person of [ann, bob, eve]) await person.connected();
  await account(ann, "a1", "Ann", "Log in");
  await ann.told("No such user: sign up first.");
  await account(ann, "a1", "Ann", "Sign up");
  await ann.told("Welcome, Ann.");
  await account(bob, "a1", "Bob", "Sign up");
  await bob.told("Somebody has this id already.");
  await account(bob, "b1", "Bob", "Sign up");
  await bob.told("Welcome, Bob.");
  await account(bob, "b1", "Bob", "Log in", "a wrong password");
  await bob.told("That isn't the password.");

  await ann.write("Group name", "Gardeners");
  await ann.press("Create");
  await enter(ann, "Gardeners", "Ann");
  await bob.press("Refresh");
  await enter(bob, "Gardeners", "Bob");
  await ann.notes("Bob has come to Gardeners");
  await ann.say("When do you plant tomatoes? 🍅");
  await bob.reads("Ann", "When do you plant tomatoes? 🍅");
  await bob.say("In <b>May</b>");
  await ann.reads("Bob", "In <b>May</b>");

  // A guest is whoever he says, as long as nobody else is.
  await eve.press("Refresh");
  await eve.press("Connect to Gardeners");
  await eve.told("Say who you are first.");
  await eve.write("Name", "Bob");
  await eve.press("Connect to Gardeners");
  await eve.told("Somebody of this name is in the group.");
  await eve.write("Name", "Eve");
  await enter(eve, "Gardeners", "Eve");
  await ann.notes("Eve has come to Gardeners");
  await eve.say("Under glass, in March");
  await ann.reads("Eve", "Under glass, in March");
  await bob.reads("Eve", "Under glass, in March");

  const dan = await guest(address, "dan");
  await dan.call("join", { room: "Gardeners" });
  await ann.notes("dan has come to Gardeners");
  await dan.call("post", { room: "Gardeners", body: "Never: I buy them" });
  for (const person of [ann, bob, eve]) await person.reads("dan", "Never: I buy them");
  await ann.say("Shame on you");
  await dan.reads("Ann", "Shame on you");
  dan.close();

  // A member is a member after he comes back, and hears the group without asking for it again.
  await bob.page.reload();
  await bob.connected();
  await account(bob, "b1", "", "Log in");
  await bob.told("Welcome back, Bob.");
  await bob.sees("you are a member");
  await ann.say("Did you find your seeds?");
  await bob.reads("Ann", "Did you find your seeds?");
  await enter(bob, "Gardeners", "Bob");
  await bob.say("They were in the shed");
  await ann.reads("Bob", "They were in the shed");
  assert.ok(!(await bob.lines()).join().includes("Never"));
});
