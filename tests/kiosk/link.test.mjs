import assert from "node:assert/strict";
import { after, afterEach, before, mock, test } from "node:test";

/** The page's connection, with a simulated service and clock. */

const FRAME = new Blob([new Uint8Array(60_000)]);
let now = 0;
/** @type {FakeSocket[]} */
let sockets = [];
/** @type {typeof import("../../kiosk/src/lib/link.js").Link} */
let Link;

class FakeSocket {
  static OPEN = 1;
  readyState = 1;
  sent = [];
  closed = false;

  constructor() {
    sockets.push(this);
    setTimeout(() => this.onopen?.(), 0);
  }

  send(data) {
    this.sent.push(data);
    if (typeof data === "string" && JSON.parse(data).command === "CONNECT") {
      this.say("CONNECTED", { ...GRANTED, ...FakeSocket.granted });
    }
  }

  say(command, headers = {}, body = null) {
    this.onmessage?.({ data: JSON.stringify({ command, headers, body }) });
  }

  close() {
    this.closed = true;
  }

  static granted = {};
}

const GRANTED = {
  "session-id": "0".repeat(32),
  "resume-token": "1".repeat(32),
  "heartbeat-interval": 10,
  seq: 0,
  limits: { unansweredFrames: 2 },
};

before(async () => {
  mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  Object.defineProperty(globalThis, "performance", { value: { now: () => now } });
  Object.defineProperty(globalThis, "WebSocket", { value: FakeSocket, configurable: true });
  ({ Link } = await import("../../kiosk/src/lib/link.js"));
});

after(() => mock.timers.reset());

afterEach(() => {
  sockets = [];
  FakeSocket.granted = {};
});

/** Let time pass in half seconds, the interval of the connection's checks. */
async function pass(seconds) {
  for (let half = 0; half < 2 * seconds; half += 1) {
    now += 500;
    mock.timers.tick(500);
    await null;
  }
}

async function connected() {
  const announced = [];
  const link = new Link({
    url: "ws://service/ws",
    client: {},
    identity: null,
    heartbeat: 10,
    patience: 30_000,
    events: {
      message() {},
      state() {},
      failed(error) {
        throw error;
      },
      announced: (ms) => announced.push(ms),
    },
  });
  const opened = link.open();
  mock.timers.tick(1);
  await opened;
  return { link, announced, socket: sockets[0] };
}

test("an unresponsive service is given up within a limited time", async () => {
  const { link, socket } = await connected();
  link.send(FRAME);
  socket.say("STATUS", { seq: 1 }, { errors: [] }); // a fast line
  link.send(FRAME);
  await pass(14);
  assert.equal(socket.closed, false);
  await pass(3);
  assert.equal(socket.closed, true);
  link.close();
});

test("a frame being sent has the time it needs on a slow line", async () => {
  const { link, socket } = await connected();
  link.send(FRAME);
  await pass(40); // 60 kB at 16 kbit/s need 30 s
  assert.equal(socket.closed, false);
  await pass(10);
  assert.equal(socket.closed, true);
  link.close();
});

test("an announced RESULT has the time it needs, and no frame delays it", async () => {
  const { link, socket, announced } = await connected();
  link.send(FRAME);
  socket.say("STATUS", { seq: 1 }, { errors: [] });
  assert.equal(link.ready, true);
  socket.say("HEARTBEAT", { "result-bytes": 267_000 });
  assert.equal(link.ready, false);
  assert.deepEqual(announced, [133_500]);
  await pass(140);
  assert.equal(socket.closed, false);
  await pass(10); // a dead line is detected nevertheless
  assert.equal(socket.closed, true);
  link.close();
});

test("CONNECTED of a resumed session announces RESULT, too", async () => {
  FakeSocket.granted = { "result-bytes": 100_000 };
  const { link, announced } = await connected();
  assert.equal(link.ready, false);
  assert.deepEqual(announced, [50_000]);
  link.close();
});

test("answered heartbeats keep the connection", async () => {
  const { link, socket } = await connected();
  for (let beat = 0; beat < 5; beat += 1) {
    await pass(12);
    socket.say("HEARTBEAT");
  }
  assert.equal(socket.closed, false);
  assert.equal(socket.sent.filter((text) => String(text).includes("HEARTBEAT")).length >= 4, true);
  link.close();
});

test("on a slow line one frame is in flight at a time", async () => {
  const { link, socket } = await connected();
  link.send(FRAME);
  assert.equal(link.ready, true, "the service allows two");
  await pass(8);
  socket.say("STATUS", { seq: 1 }, { errors: [] });
  assert.equal(link.ready, true);
  link.send(FRAME);
  assert.equal(link.ready, false);
  link.close();
});

test("after a refusal for liveness frames are sent slowly, until a status changes that", async () => {
  const { link, socket } = await connected();
  let seq = 0;
  const answer = (errors) => {
    link.send(FRAME);
    socket.say("STATUS", { seq: (seq += 1) }, { errors });
  };
  for (let refused = 0; refused < 5; refused += 1) {
    assert.equal(link.ready, true);
    answer([32]);
  }
  assert.equal(link.ready, false);
  await pass(1);
  assert.equal(link.ready, true);
  answer([62]);
  assert.equal(link.ready, true, "the time for an action runs already");
  link.close();
});

test("the wait behind another frame does not count as a slow line", async () => {
  const { link, socket } = await connected();
  link.send(FRAME);
  link.send(FRAME);
  await pass(2);
  socket.say("STATUS", { seq: 1 }, { errors: [] });
  await pass(2);
  socket.say("STATUS", { seq: 2 }, { errors: [] });
  assert.equal(link.pace.slow, false);
  link.close();
});

test("after a break during a frame the images are smaller", async () => {
  const { link, socket } = await connected();
  link.send(FRAME);
  socket.onclose({ code: 1006 });
  assert.ok(link.pace.picture.share < 1);
  link.close();
});

/** A socket to a port where nothing listens. */
class DeadSocket extends FakeSocket {
  constructor() {
    super();
    setTimeout(() => this.onclose?.({ code: 1006 }), 0);
  }

  send() {}
}

test("a service that cannot be reached is reported as such, not as late", async () => {
  Object.defineProperty(globalThis, "WebSocket", { value: DeadSocket, configurable: true });
  const states = [];
  const link = new Link({
    url: "ws://service/ws",
    client: {},
    identity: null,
    heartbeat: 10,
    patience: 5000,
    events: {
      message() {},
      state: (state, attempt) => states.push([state, attempt]),
      failed() {},
      announced() {},
    },
  });
  const opened = link.open().then(
    () => "opened",
    (error) => error.code,
  );
  for (let step = 0; step < 600; step += 1) {
    now += 10;
    mock.timers.tick(10);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await opened, "network.unreachable");
  assert.ok(states.length >= 3, "the page can count the attempts");
  assert.deepEqual(states, states.map((_, index) => ["down", index + 1]));
  Object.defineProperty(globalThis, "WebSocket", { value: FakeSocket, configurable: true });
});

/** Open a connection with a start token from a function of the page. */
function opened(startToken, patience) {
  const options = { url: "ws://service/ws", client: {}, identity: null, heartbeat: 10 };
  const events = { message() {}, state() {}, failed() {}, announced() {} };
  const link = new Link({ ...options, startToken, patience, events });
  return { link, outcome: link.open().then(() => "open", (error) => error.code) };
}

/** Let seconds pass, and run everything that becomes ready. */
async function settle(seconds) {
  for (let step = 0; step < 10 * seconds; step += 1) {
    now += 100;
    mock.timers.tick(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("a server without a start token has the timeout of a connection", async () => {
  const { outcome } = opened(() => new Promise(() => {}), 20_000);
  await settle(21);
  assert.equal(await outcome, "timeout");
  assert.equal(sockets.length, 0);
});

test("close ends the wait for a start token, and a late one opens nothing", async () => {
  let give = () => {};
  const { link, outcome } = opened(() => new Promise((resolve) => (give = resolve)), 20_000);
  await settle(1);
  link.close();
  assert.equal(await outcome, "aborted");
  give("token");
  await settle(1);
  assert.equal(sockets.length, 0);
});

test("a failing function is called again, and its error has the library's type", async () => {
  const tokens = [new TypeError("fetch failed"), "token"];
  const flaky = async () => {
    const token = tokens.shift();
    if (token instanceof Error) throw token;
    return token;
  };
  const { link, outcome } = opened(flaky, 20_000);
  await settle(5);
  assert.equal(await outcome, "open");
  link.close();
  const failing = opened(() => Promise.reject(new TypeError("fetch failed")), 2000);
  await settle(5);
  assert.equal(await failing.outcome, "network.unreachable");
});

test("a new session starts with a start token and consent, a resumed one without", async () => {
  const asked = [];
  const link = new Link({
    url: "ws://service/ws",
    client: {},
    identity: null,
    startToken: async () => {
      asked.push(`token ${asked.length}`);
      return asked.at(-1);
    },
    consent: { version: "2026-11", at: 1_764_000_000 },
    heartbeat: 10,
    patience: 30_000,
    events: { message() {}, state() {}, failed() {}, announced() {} },
  });
  const open = link.open();
  await settle(10);
  await open;
  sockets.at(-1).onclose({ code: 1006 });
  await settle(10);
  const headers = sockets.map(({ sent }) => JSON.parse(sent[0]).headers);
  assert.deepEqual(asked, ["token 0"]);
  assert.equal(headers[0]["start-token"], "token 0");
  assert.deepEqual(headers[0].consent, { version: "2026-11", at: 1_764_000_000 });
  assert.equal(headers[1]["start-token"], undefined);
  assert.equal(headers[1].consent, undefined);
  assert.equal(headers[1]["session-id"], GRANTED["session-id"]);
  link.close();
});
