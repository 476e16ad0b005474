import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, Unanswered } from "../../kiosk/src/lib/flow.js";

test("open frames are counted with their bytes until they are answered", () => {
  const open = new Unanswered(2);
  open.sent({ bytes: 100, at: 5, share: 1 });
  open.sent({ bytes: 30, at: 6, share: 0.4 });
  assert.deepEqual([open.size, open.bytes], [2, 130]);
  assert.deepEqual(open.answered(1), { bytes: 100, at: 5, share: 1 });
  assert.equal(open.answered(1), null);
  assert.deepEqual([open.size, open.bytes], [1, 30]);
});

test("an answer to a frame of an earlier connection is ignored", () => {
  const open = new Unanswered(1);
  open.sent({ bytes: 1, at: 0, share: 1 });
  open.restart(7, 1);
  assert.equal(open.size, 0, "what was open before is not waited for");
  open.sent({ bytes: 1, at: 0, share: 1 });
  open.answered(1);
  assert.equal(open.size, 1);
  open.answered(8);
  assert.equal(open.size, 0, "the server's count continues from the number it sent");
});

test("a server that allows no frames still gets one at a time", () => {
  const open = new Unanswered();
  open.restart(0, 0);
  assert.equal(open.max, 1);
});

test("pauses double up to the maximum, randomly reduced by at most half", () => {
  for (const random of [() => 0, () => 1]) {
    const backoff = new Backoff({ first: 100, max: 1000, random });
    const pauses = Array.from({ length: 6 }, () => backoff.pause());
    const whole = [100, 200, 400, 800, 1000, 1000];
    assert.deepEqual(
      pauses,
      whole.map((ms) => (random() === 0 ? ms / 2 : ms)),
    );
    backoff.reset();
    assert.ok(backoff.pause() <= 100);
  }
});
