import assert from "node:assert/strict";
import { test } from "node:test";
import { progressOf } from "../../kiosk/src/lib/progress.js";
import { NOT_REFUSED, decode, encode, fatal, refusalOf } from "../../kiosk/src/lib/protocol.js";
import { fit } from "../../kiosk/src/lib/shutter.js";

test("a message has the form that docs/protocol.md describes", () => {
  const text = encode("CONNECT", { "heartbeat-interval": 10 });
  assert.deepEqual(JSON.parse(text), {
    command: "CONNECT",
    headers: { "heartbeat-interval": 10 },
    body: null,
  });
});

test("missing parts are empty", () => {
  assert.deepEqual(decode('{"command":"STATUS"}'), { command: "STATUS", headers: {}, body: null });
});

test("protocol violations raise a typed error", () => {
  for (const data of ["", "{", "[]", "null", '"x"', '{"command":1}', new ArrayBuffer(3)]) {
    assert.throws(() => decode(data), { code: "server.refused" });
  }
});

test("an error says when another attempt may succeed", () => {
  const error = (headers) => ({ command: "ERROR", headers, body: { code: "x" } });
  const before = Date.now();
  const { code, retryAt } = refusalOf(error({ "retry-after": 90 }));
  assert.equal(code, "x");
  assert.ok(retryAt >= before + 90_000 && retryAt <= Date.now() + 90_000);
  assert.equal(fatal(1013, { code, retryAt })?.retryAt, retryAt);
  for (const odd of [{}, { "retry-after": "soon" }, { "retry-after": -1 }, { "retry-after": null }]) {
    assert.deepEqual(refusalOf(error(odd)), { code: "x" });
  }
});

test("only errors that a resumption cannot solve are fatal", () => {
  const codes = [1000, 1001, 1006, 1011, 1012, 4001, 4002, 4003, 4005, 0];
  for (const code of codes) assert.equal(fatal(code, NOT_REFUSED), null, String(code));
  assert.equal(fatal(1013, { code: "session.full" })?.code, "server.full");
  assert.equal(fatal(4004, NOT_REFUSED)?.code, "session.replaced");
  for (const code of [1008, 1009, 4000]) assert.equal(fatal(code, { code: "x" })?.code, "server.refused");
});

test("an image keeps its proportions within the server's limits", () => {
  assert.deepEqual(fit(640, 480, {}), [640, 480]);
  assert.deepEqual(fit(3840, 2160, { frameWidth: 1920 }), [1920, 1080]);
  const [width, height] = fit(4000, 3000, { framePixels: 2_304_000 });
  assert.ok(width * height <= 2_304_000);
  assert.ok(Math.abs(width / height - 4 / 3) < 0.01);
});

const status = (activeLiveness, errors = [64]) => ({ isOk: false, errors, details: { activeLiveness } });

test("the current action does not count as done", () => {
  assert.deepEqual(progressOf(status({ action: 1, actions: 3 })), { done: 0, total: 3, left: 0 });
  assert.deepEqual(progressOf(status({ action: 3, actions: 3 })), { done: 2, total: 3, left: 0 });
  assert.deepEqual(progressOf(status({ action: 3, actions: 3 }, [12, 66])), { done: 2, total: 3, left: 0 });
});

test("after the last action there is no prompt", () => {
  assert.deepEqual(progressOf(status({ action: 3, actions: 3 }, [37])), { done: 3, total: 3, left: 0 });
});

test("missing or invalid progress is ignored, and never out of range", () => {
  const none = { done: 0, total: 0, left: 0 };
  for (const active of [undefined, null, {}, { action: 1, actions: "3" }, { action: 1, actions: -1 }]) {
    assert.deepEqual(progressOf(status(active)), none);
  }
  assert.deepEqual(progressOf({ isOk: false, errors: [] }), none);
  assert.deepEqual(progressOf(status({ action: -5, actions: 2 })), { done: 0, total: 2, left: 0 });
  assert.deepEqual(progressOf(status({ action: 99, actions: 1e9 })), { done: 12, total: 12, left: 0 });
});

test("the time left falls in whole seconds, as a share of the action's timeout", () => {
  const left = (seconds, secondsLeft, errors = [64]) => {
    return progressOf(status({ action: 1, actions: 3, seconds, secondsLeft }, errors)).left;
  };
  assert.deepEqual([left(10, 10), left(10, 9.6), left(10, 4.2), left(10, 0)], [1, 1, 0.5, 0]);
  assert.deepEqual([left(10, 99), left(0, 5), left("x", 5), left(10, "x")], [1, 0, 0, 0]);
  const last = status({ action: 3, actions: 3, seconds: 10, secondsLeft: 5 }, [37]);
  assert.equal(progressOf(last).left, 0);
});
