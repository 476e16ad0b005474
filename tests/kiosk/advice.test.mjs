import assert from "node:assert/strict";
import { test } from "node:test";
import { ADVICE, Advice } from "../../kiosk/src/lib/advice.js";
import { hintOf } from "../../kiosk/src/lib/codes.js";

/** Play frames at 5 a second; return the changes of the advice as [name, ms]. */
function play(frames, options) {
  const advice = new Advice(options);
  const changes = [[null, 0]];
  frames.forEach((errors, index) => {
    const name = advice.push(errors, index * 200);
    if (name !== changes.at(-1)[0]) changes.push([name, index * 200]);
  });
  return changes.slice(1);
}

test("six seconds of refused liveness show advice, one item after another", () => {
  const changes = play(Array(120).fill([32]));
  assert.deepEqual(changes.slice(0, 5), [
    [ADVICE[0], 6000],
    [ADVICE[1], 9000],
    [ADVICE[2], 12_000],
    [ADVICE[3], 15_000],
    [ADVICE[0], 18_000],
  ]);
});

test("other failures in between do not restart the time", () => {
  const frames = Array.from({ length: 60 }, (_, index) => (index % 3 ? [32] : [14]));
  assert.ok(play(frames).some(([name, at]) => name === ADVICE[0] && at < 6500));
});

test("a passed frame restarts the time", () => {
  const frames = [...Array(25).fill([32]), [37], ...Array(25).fill([32])];
  assert.deepEqual(play(frames), []);
});

test("a long time without a refusal restarts the time", () => {
  const frames = [...Array(10).fill([32]), ...Array(40).fill([14]), ...Array(20).fill([32])];
  assert.deepEqual(play(frames), []);
});

test("a page can turn advice off, or show it sooner", () => {
  assert.deepEqual(play(Array(100).fill([32]), { after: 0 }), []);
  assert.equal(play(Array(100).fill([32]), { after: 1000 })[0][1], 1000);
});

test("only a frame without a code is good", () => {
  assert.equal(hintOf([]).name, "hold");
  for (const code of [2, 18, 25, 31, 32, 37, 50, 71, 99]) {
    assert.equal(hintOf([code]).name, "checking", String(code));
  }
});
