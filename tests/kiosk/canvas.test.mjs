import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_DIFFERENCE, difference, levelAt } from "../../kiosk/src/lib/canvas.js";

const SIDE = 64;

/** Pixels of the pattern, each level changed. */
function pixels(change = (level) => level) {
  const data = new Uint8ClampedArray(4 * SIDE * SIDE);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      data[4 * pixel + channel] = change(levelAt(pixel, channel));
    }
  }
  return data;
}

let state = 1;
/** Numbers from 0 to 1, the same in each run (Park and Miller). */
function random() {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
}

test("the pattern does not differ from itself", () => {
  assert.equal(difference(pixels()), 0);
});

test("encoding and faint noise stay below the limit", () => {
  assert.ok(difference(pixels((level) => level + 2 * random() - 1)) < MAX_DIFFERENCE);
  assert.ok(difference(pixels((level) => level + 20 * random() - 10)) < MAX_DIFFERENCE);
});

test("white, black, grey and noise are far above the limit", () => {
  for (const made of [() => 255, () => 0, () => 128, () => 255 * random()]) {
    assert.ok(difference(pixels(made)) > 3 * MAX_DIFFERENCE);
  }
});

test("another image is above the limit, too", () => {
  assert.ok(difference(pixels((level) => 255 - level)) > 3 * MAX_DIFFERENCE);
});
