// Asks a host of world.py by what Node has itself, and by the package ws; a line for each.
import dns from "node:dns/promises";
import http2 from "node:http2";
import https from "node:https";
import { createRequire } from "node:module";

const asked = "https://site.test/node";
const events = (from, name) => new Promise((gives, fails) => from.once(name, gives).once("error", fails));

async function text(stream) {
  let all = "";
  for await (const part of stream) all += part;
  return all.trim();
}

const ways = {
  fetch: async () => (await fetch(asked, { method: "POST", body: "hello" })).text(),
  stream: async () => text((await fetch("https://site.test/events")).body.pipeThrough(new TextDecoderStream())),
  https: async () => {
    const request = https.request(asked, { method: "POST" }).end("hello");
    return text(await events(request, "response"));
  },
  http2: async () => {
    const session = http2.connect("https://site.test");
    const request = session.request({ ":path": "/node", ":method": "POST" });
    request.end("hello");
    const heard = await Promise.race([text(request), events(session, "never")]);
    session.close();
    return heard;
  },
  ws: async () => {
    const WebSocket = createRequire(import.meta.url)("ws");
    const socket = new WebSocket("wss://site.test/ws");
    await events(socket, "open");
    socket.send("hello");
    const heard = String(await events(socket, "message"));
    socket.close();
    return heard;
  },
  lookup: async () => (await dns.lookup("site.test")).address,
  resolve4: async () => (await dns.resolve4("site.test")).join(),
  resolve6: async () => (await dns.resolve6("site.test")).join(),
};

for (const [name, ask] of Object.entries(ways)) {
  if (process.argv.length > 2 && !process.argv.includes(name)) continue;
  try {
    console.log(name, (await ask()).trim().replaceAll("\n", " "));
  } catch (error) {
    console.log(name, error.cause?.code ?? error.code, error.cause?.message ?? error.message);
  }
}
