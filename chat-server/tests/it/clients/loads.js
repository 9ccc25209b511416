// Fails unless the packages of the client tests are there.
const { WebSocket } = require("ws");

if (typeof WebSocket !== "function") process.exit(1);
