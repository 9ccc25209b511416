// Front ends of Socket.IO with the client of two versions, by every transport. The arguments are the
// addresses of an echo and of the chat; it ends with 0 if everything was as expected.
import assert from "node:assert/strict";
import { io as io48 } from "socket.io-client";
import { io as io45 } from "socket.io-client-4-5";

const [echo, chat] = process.argv.slice(2);
const PATIENCE_MS = 20_000;

/** What comes with an event, or too late. */
function once(emitter, event) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no ${event}`)), PATIENCE_MS);
    emitter.once(event, (...args) => {
      clearTimeout(late);
      resolve(args);
    });
  });
}

/** The acknowledgement of an event. */
function asked(socket, ...args) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer to ${args[0]}`)), PATIENCE_MS);
    socket.emit(...args, (...answer) => {
      clearTimeout(late);
      resolve(answer);
    });
  });
}

const quick = { forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 20 };

/** A socket that is connected, by the transport that it is to have in the end. */
async function connect(io, url, transports, more = {}) {
  const socket = io(url, { ...quick, transports, ...more });
  const [auth] = await Promise.all([more.greets === false ? [] : once(socket, "auth"), once(socket, "connect")]);
  await settle(socket, transports);
  return { socket, auth };
}

async function settle(socket, transports) {
  const last = transports.at(-1);
  if (socket.io.engine.transport.name !== last) await once(socket.io.engine, "upgrade");
  assert.equal(socket.io.engine.transport.name, last);
}

async function echoes(io, transports) {
  const url = `http://${echo}`;
  const { socket, auth } = await connect(io, url, transports, { auth: { token: "123" } });
  assert.deepEqual(auth, [{ token: "123" }]);

  socket.emit("message", 1, "2", { 3: [true] }, null, "\u{1f44b}");
  assert.deepEqual(await once(socket, "message-back"), [1, "2", { 3: [true] }, null, "\u{1f44b}"]);
  socket.emit("message", Buffer.from([1, 2, 3]), { in: [Buffer.from("text")] });
  const [bytes, nested] = await once(socket, "message-back");
  assert.deepEqual(Buffer.from(bytes), Buffer.from([1, 2, 3]));
  assert.deepEqual(Buffer.from(nested.in[0]), Buffer.from("text"));

  assert.deepEqual(await asked(socket, "message-with-ack", { a: 1 }, []), [{ a: 1 }, []]);
  const [sent] = await asked(socket, "message-with-ack", Buffer.alloc(100_000, 7));
  assert.deepEqual(Buffer.from(sent), Buffer.alloc(100_000, 7));

  socket.once("question", (words, answer) => answer(`${words}: well`, Buffer.from([9])));
  socket.emit("ask-me", "how are you");
  const [words, nine] = await once(socket, "acknowledged");
  assert.equal(words, "how are you: well");
  assert.deepEqual(Buffer.from(nine), Buffer.from([9]));

  // Many at once keep their order.
  const heard = new Promise((resolve) => {
    const all = [];
    const listen = (number) => {
      all.push(number);
      if (all.length === 100) {
        socket.off("message-back", listen);
        resolve(all);
      }
    };
    socket.on("message-back", listen);
  });
  for (let number = 0; number < 100; number++) socket.emit("message", number);
  assert.deepEqual(await heard, [...Array(100).keys()]);

  // A connection that breaks is made again.
  const before = socket.id;
  const back = Promise.all([once(socket, "connect"), once(socket, "auth")]);
  socket.io.engine.close();
  await back;
  assert.notEqual(socket.id, before);
  assert.deepEqual(await asked(socket, "message-with-ack", "again"), ["again"]);

  // Who was put out stays out until he comes back.
  socket.emit("put-me-out");
  assert.deepEqual((await once(socket, "disconnect"))[0], "io server disconnect");
  socket.connect();
  await once(socket, "connect");
  socket.disconnect();
}

async function namespaces(io, transports) {
  const url = `http://${echo}`;
  const { socket } = await connect(io, url, transports);
  const custom = socket.io.socket("/custom", { auth: { me: 1 } });
  const greeted = once(custom, "auth");
  custom.connect();
  // It has the auth of the manager's first socket or its own, by version.
  await greeted;
  assert.deepEqual(await asked(custom, "message-with-ack", "c"), ["c"]);
  const nowhere = socket.io.socket("/nowhere");
  const refused = once(nowhere, "connect_error");
  nowhere.connect();
  assert.equal((await refused)[0].message, "Invalid namespace");
  custom.disconnect();
  assert.deepEqual(await once(socket, "left"), ["/custom"]);
  assert.deepEqual(await asked(socket, "message-with-ack", "m"), ["m"]);
  socket.disconnect();
}

async function chats(io, transports, room) {
  const url = `http://${chat}`;
  const { socket: ann } = await connect(io, url, transports, { greets: false });
  const { socket: bob } = await connect(io, url, ["websocket"], { greets: false });
  const joining = (username) => ["joinRoom", { roomId: room, username }];
  assert.deepEqual(await asked(ann, ...joining("ann")), [{ success: true }]);
  const came = once(ann, "userJoined");
  assert.deepEqual(await asked(bob, ...joining("bob")), [{ success: true }]);
  assert.deepEqual(await came, [{ roomId: room, username: "bob" }]);
  for (const [from, to, sender] of [[ann, bob, "ann"], [bob, ann, "bob"]]) {
    const line = once(to, "message");
    from.emit("message", { roomId: room, message: { any: ["json"] }, sender });
    const [{ timestamp, ...said }] = await line;
    assert.deepEqual(said, { roomId: room, sender, message: { any: ["json"] } });
    assert.match(timestamp, /^\d{4}-.*Z$/);
  }
  const left = once(bob, "userLeft");
  ann.disconnect();
  assert.deepEqual(await left, [{ roomId: room, username: "ann" }]);
  bob.disconnect();
}

for (const [version, io] of [["4.8", io48], ["4.5", io45]]) {
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    await echoes(io, transports);
    await namespaces(io, transports);
    await chats(io, transports, `${version} ${transports}`.replace(/[^a-z0-9]/g, "-"));
  }
}
