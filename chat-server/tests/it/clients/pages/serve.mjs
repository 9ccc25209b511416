// Serves the pages of `examples/web` on loopback, with the socket.io clients beside them. As a
// program it takes a port: node serve.mjs 3001
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const pages = new URL("../../../../../examples/web/", import.meta.url);
const packages = new URL("../node_modules/", import.meta.url);
const clients = {
  "socket.io-4.8.js": new URL("socket.io-client/dist/socket.io.js", packages),
  "socket.io-4.5.js": new URL("socket.io-client-4-5/dist/socket.io.js", packages),
};
const kinds = { html: "text/html", css: "text/css", js: "text/javascript" };

/** Listens, and gives the origin of the pages. */
export async function serve(port = 0) {
  const server = createServer((request, response) => {
    const name = new URL(request.url, "http://pages").pathname.slice(1);
    // Plain names only: nothing outside the folder has one.
    const file = /^[\w-]+\.(html|css)$/.test(name) ? new URL(name, pages) : clients[name];
    if (request.method !== "GET" || !file || !existsSync(file)) return response.writeHead(404).end();
    const kind = kinds[name.split(".").at(-1)];
    response.writeHead(200, { "content-type": `${kind}; charset=utf-8` });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { origin } = await serve(Number(process.argv[2] ?? 3001));
  const names = readdirSync(pages).filter((name) => name.endsWith(".html"));
  for (const name of names) console.log(`${origin}/${name}?server=http://127.0.0.1:8080`);
}
