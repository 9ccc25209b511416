// A front end of the `rooms` dialect, as one would be written with the `ws` package. Its argument is
// the server's address; it ends with 0 if every word was the expected one.
import assert from "node:assert/strict";
import WebSocket from "ws";

const [address] = process.argv.slice(2);

// Whatever never comes is missed after a while.
setTimeout(() => {
  console.error("something that was waited for never came");
  process.exit(1);
}, 30_000).unref();

/** A socket whose frames are awaited one by one. */
async function connect(path = "/") {
  const socket = new WebSocket(`ws://${address}${path}`);
  const heard = [];
  const waiting = [];
  socket.on("message", (data, isBinary) => {
    assert.equal(isBinary, false);
    const next = waiting.shift();
    if (next) next(data.toString());
    else heard.push(data.toString());
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const hear = () =>
    heard.length ? Promise.resolve(heard.shift()) : new Promise((resolve) => waiting.push(resolve));
  const send = (type, payload) => socket.send(JSON.stringify({ type, payload }));
  return {
    send,
    hear,
    async ask(type, payload) {
      send(type, payload);
      return hear();
    },
    async close() {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.close();
      await closed;
      assert.deepEqual(heard, [], "nothing was said that nobody asked for");
    },
  };
}

const said = (code, message) => JSON.stringify({ code, message });
const userIn = (roomId) => ({ query: "userInRoom", roomId });

const alok = await connect();
const bina = await connect("/anywhere");

const created = await alok.ask("create", { name: "galaxy", visibility: "public", pass: "" });
const id = JSON.parse(created).message.split("Room id: ")[1];
assert.match(id, /^[A-Z0-9]{5,}$/);
assert.equal(created, said(0, `Room created successfully, Room id: ${id}`));
assert.equal(
  await alok.ask("create", { name: "vault", visibility: "private", pass: "" }),
  said(1, "Private rooms need a password"),
);
const vault = JSON.parse(await alok.ask("create", { name: "vault", visibility: "private", pass: "1234" }))
  .message.split("Room id: ")[1];

assert.equal(await bina.ask("query", userIn(id)), said(1, "User does not exist in the room"));
assert.equal(await bina.ask("query", userIn("ZZZZZZZ")), said(1, "Room does not exist"));
assert.equal(await bina.ask("chat", { roomId: id, msg: "?" }), said(1, "You are not in the Room"));
assert.equal(await bina.ask("leave", { roomId: id }), said(1, `You are not in the Room: ${id}`));

const join = (name, roomId, pass = "") => ({ name, roomId, pass });
assert.equal(await alok.ask("join", join("alok", id)), said(0, `Successfully joined the Room: ${id}`));
assert.equal(await alok.ask("join", join("alok", id)), said(1, `You are already in the Room: ${id}`));
assert.equal(await alok.ask("join", join("alok", "ZZZZZZZ")), said(1, "Room does not exist"));
assert.equal(await bina.ask("join", join("bina", vault, "4321")), said(1, "Invalid Pass Key!"));
// A number matches its digits.
assert.equal(await bina.ask("join", join("B", vault, 1234)), said(0, `Successfully joined the Room: ${vault}`));
assert.equal(await bina.ask("join", join("bina", id, "x")), said(0, `Successfully joined the Room: ${id}`));
assert.equal(await bina.ask("query", userIn(id)), said(0, "User exists in the room"));

const list = await alok.ask("query", { query: "rooms" });
const people = JSON.parse(list)[0].people;
assert.deepEqual(people.map(({ name }) => name).sort(), ["alok", "bina"]);
assert.equal(
  list,
  JSON.stringify([
    { id, name: "galaxy", people, visibility: "public" },
    { id: vault, name: "vault", people: [{ name: "B" }], visibility: "private" },
  ]),
);

alok.send("chat", { roomId: id, msg: "Hello 👋 \"you\"" });
assert.equal(await bina.hear(), `message: {"msg":"Hello 👋 \\"you\\"","user":"alok"}`);
bina.send("chat", { roomId: id, msg: "Hi" });
assert.equal(await alok.hear(), 'message: {"msg":"Hi","user":"bina"}');

bina.send("dance", {});
bina.send("query", { query: "weather" });
assert.equal(await bina.ask("leave", { roomId: id }), said(0, `User 'bina' left the Room '${id}`));
alok.send("chat", { roomId: id, msg: "alone" });
assert.equal(await alok.ask("query", userIn(id)), said(0, "User exists in the room"));
assert.equal(await alok.ask("leave", { roomId: "ZZZZZZZ" }), said(1, "Room does not exist"));

await bina.close();
await alok.close();
