// Sends whatever one says to everybody in his room, himself included: node ws.mjs PORT
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const rooms = new Map();
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });

sockets.on("connection", (socket, request) => {
  const name = new URL(request.url, "http://peer").searchParams.get("room");
  if (!rooms.has(name)) rooms.set(name, new Set());
  const room = rooms.get(name);
  room.add(socket);

  socket.on("message", (line, binary) => {
    // A buffer goes to every socket as it is; a string would be encoded once for each.
    for (const member of room) member.send(line, { binary });
  });
  socket.on("close", () => room.delete(socket));
  socket.on("error", () => socket.terminate());
});

// Sockets of node:http have TCP_NODELAY set.
server.listen({ port: Number(process.argv[2] ?? 0), host: "127.0.0.1", backlog: 4096 }, () =>
  console.log(`listening ${server.address().port}`),
);
