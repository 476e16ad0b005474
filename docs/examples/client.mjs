// Check a person from Node.js without packages: send images, print each answer, then the token.
//
// Usage: node client.mjs ws://localhost:8321/ws IMAGE...    (Node.js 22; 20 with --experimental-websocket)
import { readFile } from "node:fs/promises";

const PAUSE_MS = 200; // about five frames a second
const [url, ...files] = process.argv.slice(2);
const socket = new WebSocket(url, "lpproto.v1");
let outcome = null;

socket.onopen = () => send("CONNECT");
socket.onmessage = ({ data }) => {
  const { command, headers, body } = JSON.parse(data);
  switch (command) {
    case "CONNECTED":
      return sendFrame();
    case "STATUS":
      console.log(`frame ${headers.seq}: ${body.isOk ? "good" : `codes [${body.errors.join(" ")}]`}`);
      return body.isOk ? undefined : sendFrame(); // RESULT follows a good frame
    case "DROPPED":
      return sendFrame();
    case "RESULT":
      outcome = body.isOk ? `accepted ${body.jwt}` : `refused, codes [${body.errors.join(" ")}]`;
      return undefined;
    case "ERROR":
      outcome = `no verdict: ${body.code}: ${body.message}`;
      return undefined;
  }
};
socket.onerror = () => {}; // onclose follows
socket.onclose = ({ code }) => {
  console.log(outcome ?? `no verdict: the connection was closed with ${code}`);
  process.exitCode = outcome?.startsWith("accepted") ? 0 : 1;
};

function send(command) {
  socket.send(JSON.stringify({ command, headers: {} }));
}

async function sendFrame() {
  const file = files.shift();
  if (file === undefined) return send("DISCONNECT"); // RESULT follows: refused, code 40
  const image = await readFile(file);
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  if (socket.readyState === WebSocket.OPEN) socket.send(image);
}
