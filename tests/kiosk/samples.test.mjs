import assert from "node:assert/strict";
import { test } from "node:test";
import { niceTop, pathOf, short } from "../../kiosk/src/status/chart.js";
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

test("a rate is what a counter grew in each second", () => {
  const samples = samplesOf(reading(10, 100), reading(12, 110), reading(13, 110));
  assert.deepEqual(samples.rates((s) => s.frames.received), [5, 0]);
});

test("a gateway that began anew starts the charts anew", () => {
  const samples = samplesOf(reading(10, 100), reading(1, 3), reading(2, 5));
  assert.deepEqual(samples.rates((s) => s.frames.received), [2]);
});

test("what grew is told greatest first, and nothing that did not", () => {
  const samples = samplesOf(reading(1, 0, { 8: 5, 12: 1 }), reading(2, 0, { 3: 2, 8: 5, 12: 9 }));
  assert.deepEqual(samples.grown((s) => s.failedChecks), [["12", 8], ["3", 2]]);
});

test("a value that is not there yet is a gap, not 0 ms", () => {
  assert.deepEqual(samplesOf(reading(1, 0)).values((s) => s.latencyMs.p50), [null]);
  assert.equal(pathOf([null, 0, 10, null, 5], 10), "M75.0,89.0L150.0,1.0M300.0,45.0");
});

test("memory is bounded", () => {
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

test("numbers are short", () => {
  assert.deepEqual([0, 3, 0.123, 12.34, 123.4].map(short), ["0", "3", "0.12", "12.3", "123"]);
});
