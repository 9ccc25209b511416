// Two front ends of the `actions` dialect: one that says `action`, one that says `type`. The argument
// is the server's address; it ends with 0 if every word was the expected one.
import assert from "node:assert/strict";
import WebSocket from "ws";

const [address] = process.argv.slice(2);

// Whatever never comes is missed after a while.
setTimeout(() => {
  console.error("something that was waited for never came");
  process.exit(1);
}, 30_000).unref();

/** A route of the API, asked as a page of another origin asks. */
async function ask(token, method, path, body) {
  const headers = { "Content-Type": "application/json", Origin: "http://localhost:5173" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(`http://${address}/api${path}`, {
    method,
    headers,
    body: body && JSON.stringify(body),
  });
  assert.equal(response.headers.get("access-control-allow-origin"), "*");
  return [response.status, await response.json()];
}

/** A socket whose frames are awaited one by one. */
async function connect() {
  const socket = new WebSocket(`ws://${address}/chat`);
  const heard = [];
  const waiting = [];
  socket.on("message", (data, isBinary) => {
    assert.equal(isBinary, false);
    const frame = JSON.parse(data.toString());
    const next = waiting.shift();
    if (next) next(frame);
    else heard.push(frame);
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return {
    send: (frame) => socket.send(JSON.stringify(frame)),
    sendBinary: (frame) => socket.send(Buffer.from(JSON.stringify(frame))),
    hear: () =>
      heard.length
        ? Promise.resolve(heard.shift())
        : new Promise((resolve) => waiting.push(resolve)),
    async close() {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      socket.close();
      await closed;
      assert.deepEqual(heard, [], "nothing was said that nobody asked for");
    },
  };
}

const failed = (message) => ({ status: "failed", message });
const error = (message) => ({ action: "error", ...failed(message) });

const [made, { token }] = await ask(null, "POST", "/login", { username: "john", password: "p" });
assert.equal(made, 200);
assert.deepEqual(await ask(null, "POST", "/login", { username: "john", password: "q" }), [
  401,
  failed("Invalid username or password"),
]);
assert.deepEqual(await ask(null, "GET", "/rooms"), [401, failed("Authorization header missing")]);
assert.deepEqual(await ask("x", "GET", "/rooms"), [401, failed("Invalid or expired token")]);
assert.deepEqual(await ask(token, "GET", "/rooms"), [200, []]);

const wish = { roomName: "Tech Talk", creator: "john" };
const [created, { roomId, ...rest }] = await ask(token, "POST", "/create-room", wish);
assert.equal(created, 201);
assert.match(roomId, /^room_\d+$/);
assert.deepEqual(rest, {
  status: "success",
  message: "Room created successfully",
  roomName: "Tech Talk",
});
assert.deepEqual(await ask(token, "POST", "/create-room", wish), [
  200,
  failed("RoomName already exists"),
]);
assert.deepEqual(await ask(token, "GET", "/rooms"), [200, [{ roomId, roomName: "Tech Talk" }]]);
assert.deepEqual(await ask(token, "POST", "/join-room", { roomId, username: "john" }), [
  200,
  { status: "success", message: "Joined room Tech Talk", roomId },
]);

const john = await connect();
const jane = await connect();
const join = (username) => ({ action: "join", username, roomId });
john.send(join("john"));
assert.deepEqual(await john.hear(), {
  action: "joined",
  roomId,
  message: "Welcome to Tech Talk!",
});
// The other front end, which names the room.
jane.send({ type: "join-room", roomName: "Tech Talk", username: "jane" });
assert.deepEqual(await jane.hear(), { type: "system", message: "jane has joined the room" });
assert.deepEqual(await jane.hear(), { status: "success", message: "Joined room successfully" });
assert.deepEqual(await john.hear(), { action: "user-joined", username: "jane" });

john.send({ action: "send-message", roomId, message: "Hello 👋" });
const { timestamp, ...line } = await john.hear();
assert.deepEqual(line, { action: "new-message", roomId, sender: "john", message: "Hello 👋" });
assert.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
assert.ok(Math.abs(Date.now() - new Date(timestamp)) < 60_000, "the time of day");
assert.deepEqual(await jane.hear(), { type: "chat", username: "john", message: "Hello 👋" });

jane.sendBinary({ type: "chat", roomName: "Tech Talk", username: "jane", message: "Hi" });
assert.deepEqual(await jane.hear(), { type: "chat", username: "jane", message: "Hi" });
const answer = await john.hear();
assert.deepEqual([answer.sender, answer.message], ["jane", "Hi"]);

john.send({ action: "dance" });
assert.deepEqual(await john.hear(), error("Invalid message format"));
john.send({ action: "send-message", roomId: "room_0", message: "?" });
assert.deepEqual(await john.hear(), error("Room does not exist"));
jane.send({ type: "chat", roomName: "Nowhere", message: "?" });
assert.deepEqual(await jane.hear(), failed("Room does not exist"));

const [, history] = await ask(token, "GET", `/chat-history/${roomId}`);
assert.equal(history.roomId, roomId);
assert.deepEqual(history.messages, [
  { sender: "john", message: "Hello 👋", timestamp },
  { sender: "jane", message: "Hi", timestamp: answer.timestamp },
]);
assert.deepEqual(await ask(token, "GET", "/chat-history/room_0"), [
  404,
  failed("Room does not exist"),
]);

await jane.close();
assert.deepEqual(await john.hear(), { action: "user-left", username: "jane" });
john.send({ action: "leave", username: "john", roomId });
john.send({ action: "send-message", roomId, message: "?" });
assert.deepEqual(await john.hear(), error("You are not in this room"));
await john.close();
process.exit(0);
