import assert from "node:assert/strict";
import { test } from "node:test";
import { distanceOf, findingsOf } from "../../kiosk/src/setup/findings.js";
import { Measurements } from "../../kiosk/src/setup/measurements.js";

const GEOMETRY = { frameWidth: 480, frameHeight: 480, faceWidth: 200, faceHeight: 200, faceShare: 0.85 };

/** The status of a frame with the face in its centre. */
const statusOf = ({ width = 260, x, y, pitch = 0, yaw = 0, roll = 0, errors = [], pose = true } = {}) => ({
  isOk: false,
  errors,
  details: {
    faceFramePosition: {
      faceRect: { x: x ?? 480 - width / 2, y: y ?? 360 - width / 2, width, height: width },
      frameRect: { x: 0, y: 0, width: 960, height: 720 },
    },
    ...(pose ? { headPose: { pitch, yaw, roll } } : {}),
  },
});

const findings = (...statuses) => {
  const measurements = new Measurements();
  for (const status of statuses) measurements.add(status);
  return findingsOf(measurements, GEOMETRY);
};

const advice = (...statuses) => findings(...statuses).filter(({ isGood }) => !isGood);

test("a camera at the right place needs no change", () => {
  assert.deepEqual(advice(statusOf()), []);
  assert.ok(findings(statusOf()).length >= 3);
});

test("a camera above the person gives the change of the offset, which is in effect already", () => {
  const [found, ...others] = advice(...[-14, -15, -16, -15, 40].map((pitch) => statusOf({ pitch })));
  assert.match(found.text, /camera is too high by some 15 degrees: move it, or add 15 to pitchOffsetDeg/);
  assert.deepEqual(others, []);
});

test("a camera below the person lowers the offset", () => {
  assert.match(advice(statusOf({ pitch: 12.4 }))[0].text, /too low .* subtract 12 from pitchOffsetDeg/);
});

test("a face with too few or too many pixels says how many are allowed", () => {
  assert.match(advice(statusOf({ width: 140 }))[0].text, /Face 140 x 140 px at the marked place, minimum 200 x 200/);
  assert.match(advice(statusOf({ width: 640 }))[0].text, /maximum width 612: move the mark back/);
});

test("the position of the face is that in the mirrored image on the page", () => {
  assert.match(advice(statusOf({ x: 0 }))[0].text, /middle of the picture, but 36 % to the right: turn/);
  assert.match(advice(statusOf({ x: 0, y: 600 }))[0].text, /but 36 % to the right and 51 % down: turn/);
});

test("light, sharpness and angles are named if most frames fail them", () => {
  const dark = advice(statusOf({ errors: [5] }), statusOf({ errors: [5] }), statusOf());
  assert.match(dark[0].text, /too dark/);
  assert.deepEqual(advice(statusOf({ errors: [5] }), statusOf(), statusOf()), []);
  assert.match(advice(statusOf({ roll: -9 }))[0].text, /tilted by some 9 degrees/);
  assert.match(advice(statusOf({ yaw: 20 }))[0].text, /own left by some 20 degrees/);
});

test("a missing face, or missing measurements in production, are reported", () => {
  const noFace = { isOk: false, errors: [8], details: {} };
  assert.match(findings(noFace)[0].text, /No face is found/);
  assert.match(advice(statusOf({ pose: false }))[0].text, /env = "development"/);
});

test("the distance follows from the camera's field of view", () => {
  assert.ok(Math.abs(distanceOf(150, 1000, 90) - 0.5) < 1e-9);
});

test("a measurement is complete after 25 frames and stores no more", () => {
  const measurements = new Measurements();
  for (let frame = 0; frame < 100; frame += 1) measurements.add(statusOf());
  assert.ok(measurements.complete);
  assert.equal(measurements.count, 25);
});
