import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { outcomeOf, partAround, problemOf } from "../../kiosk/src/page/outcome.js";
import { SYMBOLS } from "../../kiosk/src/page/symbols.js";

const folder = new URL("../../kiosk/src/page/texts/", import.meta.url);
const read = async (name) => JSON.parse(await readFile(new URL(name, folder), "utf8"));
const english = await read("en.json");
const named = (table) => Object.keys(table).filter((reason) => reason !== "other");

test("each problem has its own icon, sentence and advice", async () => {
  const reasons = named(english.problems);
  assert.equal(new Set(reasons.map((reason) => SYMBOLS[reason])).size, reasons.length);
  for (const reason of named(english.failures)) assert.ok(SYMBOLS[reason], reason);
  for (const file of await readdir(folder)) {
    const { problems } = await read(file);
    const titles = Object.values(problems).map(({ title }) => title);
    assert.equal(new Set(titles).size, titles.length, file);
  }
});

test("another attempt is offered if it can help", () => {
  const retry = (code, detail) => problemOf({ code, detail }, english).retry;
  assert.ok(retry("camera.denied") && retry("network.lost") && retry("server.full", "session.full"));
  assert.ok(!retry("page.insecure") && !retry("server.refused") && !retry("session.replaced"));
  assert.ok(!retry("server.full", "session.too-many-refusals"));
});

test("the server's reason takes precedence over the library's code", () => {
  const { reason, title } = problemOf(
    { code: "server.full", detail: "session.too-many-refusals" },
    english,
  );
  assert.equal(reason, "session.too-many-refusals");
  assert.equal(title, english.problems["session.too-many-refusals"].title);
});

test("after too many refusals the text says when to come back, rounded up to a minute", () => {
  const retryAt = new Date(2026, 10, 28, 9, 59, 30).getTime();
  const refusals = { code: "server.full", detail: "session.too-many-refusals", retryAt };
  assert.equal(problemOf(refusals, english).help, "You can try again at 10:00.");
  const unknown = problemOf({ ...refusals, retryAt: undefined }, english);
  assert.equal(unknown.help, english.problems["session.too-many-refusals"].help);
});

test("an unknown code has a general text", () => {
  for (const error of [undefined, new Error("bug"), { code: "toString" }]) {
    assert.equal(problemOf(error, english).title, english.problems.other.title);
  }
  assert.equal(outcomeOf({ isOk: false, jwt: null, errors: [34] }, english).reason, "other");
});

test("a person whose liveness was refused gets all advice", () => {
  const outcome = (...errors) => outcomeOf({ isOk: false, jwt: null, errors }, english);
  const all = [/take off glasses/i, /wall or window/, /lens/, /better light/, /ask the staff/];
  for (const errors of [[32, 73], [32], [73]]) {
    for (const advice of all) assert.match(outcome(...errors).help, advice);
  }
  assert.equal(outcome(32, 40).reason, "40", "another reason for the end comes first");
});

test("the last image has the face in its centre, and stays inside the frame", () => {
  const frame = { width: 1280, height: 720 };
  const middle = partAround({ x: 800, y: 200, width: 200, height: 260 }, frame);
  assert.ok(Math.abs((middle.x + middle.width / 2) * 1280 - 900) < 1e-9);
  assert.ok(Math.abs((middle.y + middle.height / 2) * 720 - 330) < 1e-9);
  assert.ok(Math.abs(middle.width * 1280 - middle.height * 720) < 1e-9);
  const corner = partAround({ x: -20, y: -10, width: 400, height: 500 }, frame);
  assert.deepEqual([corner.x, corner.y, corner.height], [0, 0, 1]);
});
