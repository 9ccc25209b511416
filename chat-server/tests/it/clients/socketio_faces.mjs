// Front ends of both faces of the `socketio` dialect, with two versions of the client and every
// transport, and somebody of the `rooms` dialect among them. The arguments are the address of a server
// for guests, and of one that wants tokens, with its secret; it ends with 0 if everything was as expected.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { io as io48 } from "socket.io-client";
import { io as io45 } from "socket.io-client-4-5";
import WebSocket from "ws";

const [open, closed, secret] = process.argv.slice(2);
const PATIENCE_MS = 20_000;

/** What a promise gives, unless it takes too long. */
function soon(what, start) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${what} never came`)), PATIENCE_MS);
    start((value) => {
      clearTimeout(late);
      resolve(value);
    });
  });
}

/** Somebody: what he hears is kept until it is asked for. */
class Person {
  constructor(io, url, transports, auth) {
    this.socket = io(url, { forceNew: true, transports, auth, reconnectionDelay: 10, reconnectionDelayMax: 20 });
    this.transports = transports;
    this.heard = [];
    this.waiting = [];
    this.socket.onAny((...event) => {
      const next = this.waiting.shift();
      if (next) next(event);
      else this.heard.push(event);
    });
  }

  static async connect(...how) {
    const person = new Person(...how);
    await person.once("connect");
    const { engine } = person.socket.io;
    if (engine.transport.name !== person.transports.at(-1)) {
      await soon("the upgrade", (done) => engine.once("upgrade", done));
    }
    assert.equal(engine.transport.name, person.transports.at(-1));
    return person;
  }

  once(event) {
    return soon(event, (done) => this.socket.once(event, done));
  }

  emit(...event) {
    this.socket.emit(...event);
  }

  ask(...event) {
    return soon(`the acknowledgement of ${event[0]}`, (done) => this.socket.emit(...event, done));
  }

  async done(...event) {
    assert.deepEqual(await this.ask(...event), { success: true }, event[0]);
  }

  async refused(...event) {
    const { success, error } = await this.ask(...event);
    assert.equal(success, false, event[0]);
    assert.equal(typeof error, "string");
    return error;
  }

  next(name) {
    return this.heard.length ? this.heard.shift() : soon(name, (done) => this.waiting.push(done));
  }

  /** The next event, which has to be this one. */
  async hears(name, expected) {
    const event = await this.next(name);
    assert.equal(event.length, 2);
    const { timestamp, ...payload } = event[1];
    if (name === "message" || name === "receive_message") {
      assert.equal(new Date(timestamp).toISOString(), timestamp);
    }
    assert.deepEqual([event[0], payload], [name, expected]);
  }

  leave() {
    assert.deepEqual(this.heard, [], "nothing was said that nobody waited for");
    this.socket.disconnect();
  }
}

/** Somebody who came with the `rooms` dialect. */
async function older(room, name) {
  const socket = new WebSocket(`ws://${open}/`);
  const heard = [];
  const waiting = [];
  socket.on("message", (data) => {
    const next = waiting.shift();
    if (next) next(data.toString());
    else heard.push(data.toString());
  });
  await soon("the socket", (done) => socket.once("open", done));
  const hear = () => (heard.length ? heard.shift() : soon("a line", (done) => waiting.push(done)));
  const send = (type, payload) => socket.send(JSON.stringify({ type, payload }));
  send("join", { name, roomId: room, pass: "" });
  assert.equal(JSON.parse(await hear()).code, 0);
  return { hear, say: (msg) => send("chat", { roomId: room, msg }), close: () => socket.close() };
}

async function firstFace(io, other, transports, roomId) {
  const url = `http://${open}`;
  const ann = await Person.connect(io, url, transports);
  const bob = await Person.connect(other, url, ["websocket"]);
  await ann.done("joinRoom", { roomId, username: "ann" });
  await bob.done("joinRoom", { roomId, username: "bob" });
  await ann.hears("userJoined", { roomId, username: "bob" });
  const old = await older(roomId, "old");
  await ann.hears("userJoined", { roomId, username: "old" });
  await bob.hears("userJoined", { roomId, username: "old" });

  ann.emit("typing", { roomId, username: "ann" });
  await bob.hears("typing", { roomId, username: "ann" });
  await bob.hears("userTyping", { roomId, username: "ann" });
  ann.emit("message", { roomId, message: "hello 👋", sender: "ann" });
  await bob.hears("message", { roomId, sender: "ann", message: "hello 👋" });
  assert.equal(await old.hear(), 'message: {"msg":"hello 👋","user":"ann"}');
  old.say("welcome");
  await ann.hears("message", { roomId, sender: "old", message: "welcome" });
  await bob.hears("message", { roomId, sender: "old", message: "welcome" });
  const any = { text: "hi", list: [1, null, { deep: true }] };
  await bob.done("message", { roomId, message: any, sender: "bob" });
  await ann.hears("message", { roomId, sender: "bob", message: any });
  assert.equal(await old.hear(), `message: ${JSON.stringify({ msg: JSON.stringify(any), user: "bob" })}`);

  await ann.refused("message", { roomId, message: Buffer.from("bytes"), sender: "ann" });
  await ann.refused("message");
  await ann.refused("message", { roomId: "nowhere at all", message: "hi" });
  ann.emit("message");
  ann.emit("joinRoom", null);
  await ann.done("message", { roomId, message: "still here" });
  await bob.hears("message", { roomId, sender: "ann", message: "still here" });
  assert.equal(await old.hear(), 'message: {"msg":"still here","user":"ann"}');

  await bob.done("leaveRoom", { roomId, username: "bob" });
  await ann.hears("userLeft", { roomId, username: "bob" });
  await bob.refused("message", { roomId, message: "unheard", sender: "bob" });
  old.close();
  await ann.hears("userLeft", { roomId, username: "old" });
  await reconnect(ann, bob, roomId);
}

/** Who loses the connection is out of the room, and comes back by himself. */
async function reconnect(ann, bob, roomId) {
  await bob.done("joinRoom", { roomId, username: "bob" });
  await ann.hears("userJoined", { roomId, username: "bob" });
  const before = ann.socket.id;
  const back = ann.once("connect");
  ann.socket.io.engine.close();
  await bob.hears("userLeft", { roomId, username: "ann" });
  await back;
  assert.notEqual(ann.socket.id, before);
  await ann.done("joinRoom", { roomId, username: "ann" });
  await bob.hears("userJoined", { roomId, username: "ann" });

  const again = ann.once("connect");
  ann.socket.disconnect().connect();
  await again;
  await bob.hears("userLeft", { roomId, username: "ann" });
  bob.leave();
  ann.leave();
}

async function secondFace(io, other, transports) {
  const url = `http://${open}`;
  const ann = await Person.connect(io, url, transports);
  const bob = await Person.connect(other, url, ["websocket"]);
  const { roomId, ...made } = await ann.ask("create_room", "Room1");
  assert.deepEqual(made, { success: true });
  assert.match(roomId, /^[0-9a-z]{8}$/);
  assert.deepEqual(await bob.ask("join_room", roomId), { success: true, roomName: "Room1" });
  ann.emit("send_message", { roomId, message: "hi" });
  await bob.hears("receive_message", { sender: "guest", message: "hi" });
  await bob.done("send_message", { roomId, message: "unheard" });
  assert.deepEqual(await ann.ask("join_room", roomId), { success: true, roomName: "Room1" });
  const any = ["any", { json: 1.5 }, null];
  bob.emit("send_message", { roomId, message: any });
  await ann.hears("receive_message", { sender: "guest", message: any });
  const error = await ann.refused("join_room", "nosuch00");
  assert.equal(error, "Room not found");
  await ann.refused("create_room");
  ann.emit("create_room");
  ann.emit("leave_room", roomId);
  await ann.refused("leave_room", roomId);
  await bob.done("send_message", { roomId, message: "to nobody" });
  ann.leave();
  bob.leave();
}

/** A token as the older server of this dialect made it. */
function token(claims, key = secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const said = `${part({ alg: "HS256", typ: "JWT" })}.${part(claims)}`;
  return `${said}.${createHmac("sha256", key).update(said).digest("base64url")}`;
}

async function tokens(io, transports, roomId) {
  const url = `http://${closed}`;
  const now = Math.floor(Date.now() / 1000);
  const claims = { id: roomId, username: "sam", iat: now, exp: now + 600 };
  const bad = [undefined, {}, { token: null }, { token: "a.b.c" }, { token: token(claims, "another") }];
  for (const auth of [...bad, { token: token({ ...claims, exp: now - 1 }) }]) {
    const eve = new Person(io, url, transports, auth);
    const { message } = await eve.once("connect_error");
    assert.equal(message, "Authentication error");
    assert.equal(eve.socket.connected, false);
    eve.leave();
  }
  const sam = new Person(io, url, transports, {});
  await sam.once("connect_error");
  sam.socket.auth = { token: token(claims) };
  const connected = sam.once("connect");
  sam.socket.connect();
  await connected;
  const tim = await Person.connect(io, url, transports, { token: token({ ...claims, id: `${roomId}2`, username: "tim" }) });
  await tim.done("joinRoom", { roomId, username: "somebody else" });
  await sam.done("joinRoom", { roomId, username: "tim" });
  const [, { username }] = await tim.next("userJoined");
  assert.match(username, /^sam/);
  await sam.done("message", { roomId, message: "hi", sender: "tim" });
  await tim.hears("message", { roomId, sender: username, message: "hi" });
  sam.leave();
  tim.leave();
}

for (const [version, io, other] of [["4.8", io48, io45], ["4.5", io45, io48]]) {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const room = `${version} ${transports}`.replace(/[^a-z0-9]/g, "-");
    await firstFace(io, other, transports, room);
    await secondFace(io, other, transports);
    await tokens(io, transports, room);
  }
}
