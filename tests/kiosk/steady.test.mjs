import assert from "node:assert/strict";
import { test } from "node:test";
import { HINTS, HOLD, hintOf } from "../../kiosk/src/lib/codes.js";
import { SteadyHint } from "../../kiosk/src/lib/steady.js";

/** Play codes at 5 frames a second, check every 10 ms; return the changes as [name, at]. */
function play(codes) {
  const steady = new SteadyHint();
  const changes = [];
  for (let now = 0; now < codes.length * 200; now += 10) {
    if (now % 200 === 0) steady.push(hintOf(codes[now / 200]), now);
    const shown = steady.shown(now).name;
    if (shown !== changes.at(-1)?.[0]) changes.push([shown, now]);
  }
  return changes;
}

test("the first hint is shown at once", () => {
  assert.deepEqual(play([[12]]), [["closer", 0]]);
});

test("each hint stays at least 700 ms, whatever codes follow", () => {
  const noise = Array.from({ length: 200 }, (_, i) => [[12], [3], [51], [], [64]][(i * i) % 5]);
  const changes = play(noise);
  assert.ok(changes.length > 5, "the hints must change for the test to mean something");
  changes.slice(1).forEach(([, at], i) => assert.ok(at - changes[i][1] >= 700));
});

test("a single deviating frame among the last ones changes nothing", () => {
  const codes = Array.from({ length: 20 }, (_, i) => (i === 8 ? [3] : [12]));
  assert.deepEqual(play(codes), [["closer", 0]]);
});

test("a lasting change is shown within the window", () => {
  const [, [name, at]] = play([...Array(10).fill([12]), ...Array(10).fill([5])]);
  assert.equal(name, "moreLight");
  assert.ok(at - 2000 <= 1000);
});

test("a prompt needs no majority, only the minimum time", () => {
  const changes = play([...Array(5).fill([63]), ...Array(5).fill([64])]);
  assert.deepEqual(changes, [
    ["straight", 0],
    ["turnRight", 1000],
  ]);
});

test("another code of the same hint is shown, because a page may have its own text for it", () => {
  const steady = new SteadyHint();
  steady.push(hintOf([31]), 0);
  assert.equal(steady.shown(0).code, 31);
  steady.push(hintOf([32]), 1000);
  assert.equal(steady.shown(1000).code, 32);
});

test("a waiting change says how long it waits", () => {
  const steady = new SteadyHint();
  steady.push(hintOf([12]), 0);
  steady.shown(0);
  assert.equal(steady.due(100), null);
  steady.push(hintOf([64]), 200);
  assert.equal(steady.shown(200).name, "closer");
  assert.equal(steady.due(200), 500);
  assert.equal(steady.shown(700).name, "turnRight");
});

test("of several codes the one with the highest priority is shown", () => {
  assert.equal(hintOf([3, 19, 12]).name, "closer");
  assert.equal(hintOf([51, 8]).name, "aim");
  assert.equal(hintOf([20]).name, "turnLeft");
});

test("codes that a person cannot act on show the hint `checking`", () => {
  for (const code of [1, 2, 18, 25, 27, 29, 31, 32, 34, 37, 50, 9999]) {
    const hint = { ...HOLD, name: "checking", code };
    assert.deepEqual(hintOf([code]), hint, "a page may have its own words for it");
  }
  assert.equal(hintOf([]), HOLD);
});

test("every code that a person can act on has a hint in the list", () => {
  const asked = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 26];
  for (const code of [...asked, 28, 30, 33, 38, 51, 61, 62, 63, 64, 65, 66, 67, 68, 72]) {
    const { name } = hintOf([code]);
    assert.ok(HINTS.includes(name) && name !== "hold", String(code));
  }
});
