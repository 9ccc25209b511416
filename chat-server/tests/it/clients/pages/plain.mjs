// A plain client of the native dialect: somebody in the room who uses no page.
import WebSocket from "ws";

import { PATIENCE_MS } from "./stage.mjs";

/** Comes in as a guest of this name. */
export async function guest(address, name) {
  const socket = new WebSocket(`ws://${address}/v1/ws`, "chat.v1.json");
  const frames = [];
  let look = () => {};
  socket.on("message", (data) => {
    frames.push(...data.toString().split("\n").map((line) => JSON.parse(line)));
    look();
  });
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  /** Waits for the first frame that is meant. */
  const hear = (isMeant) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`${name} waits for ${isMeant}, with ${JSON.stringify(frames)}`)),
        PATIENCE_MS,
      );
      look = () => {
        const place = frames.findIndex(isMeant);
        if (place < 0) return;
        clearTimeout(late);
        look = () => {};
        resolve(frames.splice(place, 1)[0]);
      };
      look();
    });
  let id = 0;
  const call = async (op, d) => {
    const re = ++id;
    socket.send(JSON.stringify({ id: re, op, d }));
    const { ok, err } = await hear((frame) => frame.re === re);
    if (err) throw new Error(`${op} was refused: ${JSON.stringify(err)}`);
    return ok;
  };
  await call("hello", { guest: { name } });
  return {
    call,
    /** Waits until somebody has said this. */
    reads: (who, text) =>
      hear(({ ev, by, d }) => ev === "posted" && by.name === who && d.content.body === text),
    close: () => socket.close(),
  };
}
