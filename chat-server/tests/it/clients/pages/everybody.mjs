// One room, and somebody in it by the page of every dialect: what one says all read, under his name.
import { play } from "./stage.mjs";

const ROOM = "Everybody";
const PASSWORD = "correct horse";

/** How somebody gets from the open page of each dialect into the room. */
const ways = {
  async rooms(person, name) {
    await person.write("Your name", name);
    await person.write("Room name", ROOM);
    await person.press("Create");
    await person.press(`Join ${ROOM}`);
  },
  async socketio(person, name, id) {
    await person.write("Your name", name);
    await person.press("Connect");
    await person.connected();
    await person.write("Room", id);
    await person.press("Join");
  },
  async rest(person, name) {
    await person.write("User name (to sign up)", name);
    await person.write("Email", `${name}@mail.com`);
    await person.write("Password", PASSWORD);
    await person.press("Sign up");
    await person.press(`Open ${ROOM}`);
  },
  async actions(person, name) {
    await person.write("User name", name);
    await person.write("Password", PASSWORD);
    await person.press("Log in");
    await person.press(`Join ${ROOM}`);
  },
  async groups(person, name) {
    await person.write("Name", name);
    await person.write("User id", name);
    await person.write("Password", PASSWORD);
    await person.press("Sign up");
    await person.press(`Connect to ${ROOM}`);
  },
  async native(person, name) {
    await person.write("Your name", name);
    await person.press("Come in");
    await person.press(`Join ${ROOM}`);
  },
};

await play("everybody", async ({ open }) => {
  const people = new Map();
  let id;
  for (const [page, enter] of Object.entries(ways)) {
    const person = await open(page);
    const name = `${page}-user`;
    await enter(person, name, id);
    await person.page.locator("#text:enabled").waitFor();
    id ??= (await person.page.locator("#here").innerText()).split(" · ")[1];
    people.set(name, person);
  }
  for (const [name, person] of people) {
    const words = `I am ${name}, and you?`;
    await person.say(words);
    for (const reader of people.values()) await reader.reads(name, words);
  }
});
