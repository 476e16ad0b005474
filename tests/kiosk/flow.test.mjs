import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, Unanswered } from "../../kiosk/src/lib/flow.js";

test("no more frames are open than the server allows", () => {
  const open = new Unanswered(2);
  open.sent();
  assert.ok(open.room);
  open.sent();
  assert.ok(!open.room);
  open.answered(1);
  assert.ok(open.room);
});

test("an answer to a frame of an earlier connection frees nothing", () => {
  const open = new Unanswered(1);
  open.sent();
  open.restart(7, 1);
  assert.ok(open.room, "what was open before is not waited for");
  open.sent();
  open.answered(1);
  assert.ok(!open.room);
  open.answered(8);
  assert.ok(open.room, "the server's count goes on from the number it told");
});

test("a server that allows nothing still gets one frame at a time", () => {
  const open = new Unanswered();
  open.restart(0, 0);
  assert.ok(open.room);
});

test("pauses double up to the most and never fall below half of it", () => {
  for (const random of [() => 0, () => 1]) {
    const backoff = new Backoff({ first: 100, most: 1000, random });
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
