// Two people on the page of the `rooms` dialect, and a third one without a page.
import { guest } from "./plain.mjs";
import { play } from "./stage.mjs";

await play("rooms", async ({ open, address }) => {
  const [ann, bob] = [await open("rooms"), await open("rooms")];
  await ann.connected();
  await bob.connected();

  await ann.write("Your name", "ann");
  await ann.write("Room name", "galaxy");
  await ann.press("Create");
  await ann.told("Room created successfully, Room id: ");
  await ann.press("Join galaxy");
  await ann.told("Successfully joined the Room: ");
  const [, id] = (await ann.page.locator("#here").innerText()).split(" · ");

  await bob.press("Refresh");
  await bob.press("Join galaxy");
  await bob.told("Say who you are first.");
  await bob.write("Your name", "bob");
  await bob.press("Join galaxy");
  await bob.sees(`${id}: ann, bob`);

  await ann.say("Hello, who is there? 👋");
  await bob.reads("ann", "Hello, who is there? 👋");
  await bob.say("Me, and <b>not</b> in bold");
  await ann.reads("bob", "Me, and <b>not</b> in bold");

  const cyd = await guest(address, "cyd");
  await cyd.call("join", { room: id });
  await cyd.call("post", { room: id, body: "I came by another door" });
  await ann.reads("cyd", "I came by another door");
  await bob.reads("cyd", "I came by another door");
  await ann.say("Welcome, cyd");
  await cyd.reads("ann", "Welcome, cyd");
  await bob.reads("ann", "Welcome, cyd");

  await ann.write("Room name", "vault");
  await ann.choose("Who may come", "who has the password");
  await ann.press("Create");
  await ann.told("Private rooms need a password");
  await ann.write("Its password", "sesame");
  await ann.press("Create");
  await ann.told("Room created successfully");
  await bob.press("Refresh");
  await bob.write("Password of the room", "sesam");
  await bob.press("Join vault");
  await bob.told("Invalid Pass Key!");
  await bob.write("Password of the room", "sesame");
  await bob.press("Join vault");
  await bob.sees("vault · ");

  // Who has left hears nothing more of the room, and everybody read everything once.
  await ann.say("Has bob gone?");
  await cyd.reads("ann", "Has bob gone?");
  await bob.press("Leave");
  await bob.told("User 'bob' left the Room '");
  await ann.press("Refresh");
  await ann.sees(`${id}: ann, cyd`);
  const heard = (await bob.lines()).join("\n");
  if (heard.includes("Has bob gone?")) throw new Error(heard);
  cyd.close();
});
