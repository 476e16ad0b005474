import assert from "node:assert/strict";
import { test } from "node:test";
import { niceTop, pathOf, short, ticks } from "../../kiosk/src/status/chart.js";
import { Samples } from "../../kiosk/src/status/samples.js";

const reading = (at, received, codes = {}) => ({
  at,
  uptimeSeconds: at,
  frames: { received, judged: 0, dropped: {} },
  failedChecks: codes,
  latencyMs: { p50: null },
});

const samplesOf = (...readings) => {
  const samples = new Samples();
  for (const item of readings) samples.add(item);
  return samples;
};

test("a rate is the growth of a counter per second", () => {
  const samples = samplesOf(reading(10, 100), reading(12, 110), reading(13, 110));
  assert.deepEqual(samples.rates((s) => s.frames.received), [5, 0]);
});

test("a restarted gateway restarts the charts", () => {
  const samples = samplesOf(reading(10, 100), reading(1, 3), reading(2, 5));
  assert.deepEqual(samples.rates((s) => s.frames.received), [2]);
});

test("only growth is listed, the largest first", () => {
  const samples = samplesOf(reading(1, 0, { 8: 5, 12: 1 }), reading(2, 0, { 3: 2, 8: 5, 12: 9 }));
  assert.deepEqual(samples.grown((s) => s.failedChecks), [["12", 8], ["3", 2]]);
});

test("a missing value is a gap, not 0 ms", () => {
  assert.deepEqual(samplesOf(reading(1, 0)).values((s) => s.latencyMs.p50), [null]);
  const points = [null, { x: 1, y: 9 }, { x: 2, y: 0.26 }, null, { x: 4, y: 5 }];
  assert.equal(pathOf(points), "M1.0,9.0L2.0,0.3M4.0,5.0");
});

test("a load is the growth of the last ten seconds", () => {
  const samples = samplesOf(reading(1, 0), reading(90, 50), reading(92, 50), reading(100, 54));
  assert.equal(samples.load((s) => s.frames.received), 0.4);
  assert.equal(samplesOf(reading(1, 7)).load((s) => s.frames.received), null);
});

test("without visitors, rates and loads return to zero", () => {
  const samples = samplesOf(...Array.from({ length: 12 }, (_, i) => reading(10 + i, i < 2 ? 10 * i : 10)));
  assert.equal(samples.rates((s) => s.frames.received).at(-1), 0);
  assert.equal(samples.load((s) => s.frames.received, 5), 0);
});

test("the time axis has the last five full minutes", () => {
  assert.deepEqual(ticks(3725), [3480, 3540, 3600, 3660, 3720]);
});

test("memory is limited", () => {
  const samples = samplesOf(...Array.from({ length: 1000 }, (_, i) => reading(i, i)));
  assert.equal(samples.values((s) => s.at).length, 150);
});

test("a scale ends in a round number that is not below the values", () => {
  for (const value of [0.003, 0.7, 1, 1.01, 9.9, 10, 23, 999, 1001]) {
    const top = niceTop(value);
    assert.ok(top >= value && top <= value * 2.51, `${value} ${top}`);
  }
  assert.equal(niceTop(0), 1);
});

test("numbers are shortened", () => {
  assert.deepEqual([0, 3, 0.123, 12.34, 123.4].map(short), ["0", "3", "0.12", "12.3", "123"]);
});
