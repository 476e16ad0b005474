import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace, maxTransferMs } from "../../kiosk/src/lib/pace.js";

const CAMERA_BYTES = 150_000;
const whole = { bytes: CAMERA_BYTES, at: 0, share: 1 };

/**
 * Return the bytes of the images sent one after another over a line.
 *
 * @param {Pace} pace
 * @param {number} bytesPerSecond
 * @param {number} frames
 */
function over(pace, bytesPerSecond, frames) {
  return Array.from({ length: frames }, () => {
    const { share } = pace.picture;
    const bytes = CAMERA_BYTES * share;
    pace.answered({ bytes, at: 0, share }, 150 + (1000 * bytes) / bytesPerSecond);
    return bytes;
  });
}

test("a fast line gets images at full size", () => {
  const pace = new Pace();
  assert.deepEqual(new Set(over(pace, 1_000_000, 20)), new Set([CAMERA_BYTES]));
  assert.equal(pace.slow, false);
});

for (const [kbit, most] of [[64, 25_000], [256, 85_000]]) {
  test(`at ${kbit} kbit/s the second image is already small enough`, () => {
    const pace = new Pace();
    const [, ...later] = over(pace, kbit * 125, 30);
    assert.ok(Math.max(...later) < most, `${later}`);
    assert.equal(new Set(later).size, 1, "it neither shrinks further nor swings");
    assert.equal(pace.slow, true);
  });
}

test("the size recovers step by step with the line", () => {
  const pace = new Pace();
  over(pace, 2000, 3);
  const shares = [...new Set(over(pace, 1_000_000, 30))];
  assert.deepEqual(shares, [...shares].sort((a, b) => a - b));
  assert.ok(shares.length > 3);
  assert.equal(pace.slow, false);
});

test("a connection that breaks during a frame makes the next ones smaller", () => {
  const pace = new Pace();
  const shares = Array.from({ length: 10 }, () => {
    pace.broke();
    return pace.picture.share;
  });
  assert.ok(shares[0] < 1);
  assert.equal(shares.at(-1), 0.07);
});

test("a face with too few pixels raises the size again, for the rest of the session", () => {
  const pace = new Pace();
  over(pace, 2000, 3);
  const { scale } = pace.picture;
  pace.judged([12, 13]);
  const larger = pace.picture.scale;
  assert.ok(larger > scale);
  over(pace, 2000, 5);
  assert.equal(pace.picture.scale, larger);
});

test("a person who is far away does not raise a full size", () => {
  const pace = new Pace();
  pace.judged([12]);
  assert.deepEqual(pace.picture, { quality: 1, scale: 1, share: 1 });
});

test("a frame sent before a step down causes no further one", () => {
  const pace = new Pace();
  pace.answered(whole, 5200);
  const { share } = pace.picture;
  pace.answered(whole, 5200);
  assert.equal(pace.picture.share, share);
});

test("a fast line is given up sooner than a slow one", () => {
  const [fast, slow] = [new Pace(), new Pace()];
  fast.answered(whole, 300);
  slow.answered(whole, 20_000);
  assert.ok(fast.allowance(CAMERA_BYTES) < 3000);
  assert.equal(slow.allowance(CAMERA_BYTES), maxTransferMs(CAMERA_BYTES));
  fast.restart();
  assert.equal(fast.allowance(CAMERA_BYTES), maxTransferMs(CAMERA_BYTES), "it may be another network");
});

test("frames are slower while a person reads advice about liveness", () => {
  const pace = new Pace();
  let ms = 0;
  for (let refused = 0; refused < 15; refused += 1) {
    pace.judged([32]);
    ms += Math.max(200, pace.interval);
  }
  assert.ok(ms > 10_000, `15 refusals, the service's default, in ${ms} ms`);
  pace.judged([]);
  assert.equal(pace.interval, 0);
});

test("a prompt has full speed, whatever other codes a frame has", () => {
  const pace = new Pace();
  for (let refused = 0; refused < 9; refused += 1) pace.judged([32, 62]);
  assert.equal(pace.interval, 0);
  for (let refused = 0; refused < 9; refused += 1) pace.judged([32]);
  assert.ok(pace.interval > 0);
  pace.judged([32, 62]);
  assert.equal(pace.interval, 0);
});
