// Rooms by joinRoom and message, to everybody but the sender: node socketio.mjs PORT
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { perMessageDeflate: false, httpCompression: false, serveClient: false });

io.on("connection", (socket) => {
  socket.on("joinRoom", ({ roomId, username }, ack) => {
    socket.join(roomId);
    socket.to(roomId).emit("userJoined", { roomId, username });
    ack?.({ success: true });
  });
  socket.on("message", ({ roomId, message, sender }, ack) => {
    const timestamp = new Date().toISOString();
    socket.to(roomId).emit("message", { roomId, sender, message, timestamp });
    ack?.({ success: true });
  });
});

// Sockets of node:http have TCP_NODELAY set.
server.listen({ port: Number(process.argv[2] ?? 0), host: "127.0.0.1", backlog: 4096 }, () =>
  console.log(`listening ${server.address().port}`),
);
