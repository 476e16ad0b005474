import assert from "node:assert/strict";
import { test } from "node:test";
import { hintOf } from "../../kiosk/src/lib/codes.js";
import { ovalIn, placeOf, regionOf } from "../../kiosk/src/lib/framing.js";

const GEOMETRY = {
  frameWidth: 320,
  frameHeight: 240,
  faceWidth: 200,
  faceHeight: 200,
  frameMargin: 10,
  faceShare: 0.85,
};
const CAMERAS = [
  [640, 480],
  [1280, 720],
  [720, 1280],
  [1920, 1080],
];
/** Boxes for the image on a phone, a kiosk, a wide screen and a phone on its side. */
const BOXES = [
  [360, 420],
  [1080, 1270],
  [1920, 740],
  [844, 160],
];
const LIVENESS_ROOM = 1.5; // the service refuses less (code 33)

const size = ([width, height]) => ({ width, height });
const shapes = CAMERAS.flatMap((camera) => BOXES.map((box) => [size(camera), size(box)]));

/** The box of a face that fills the share `fill` of the oval, moved by widths of the oval. */
function faceIn(region, oval, { fill = 1, across = 0, down = 0 } = {}) {
  const [width, height] = [(fill * oval.width) / 1.1, (fill * oval.height) / 1.1];
  const x = region.width / 2 + across * oval.width - width / 2;
  const y = region.height / 2 + down * oval.height - height / 2;
  return { faceRect: { x, y, width, height }, frameRect: region };
}

test("the service accepts a face that fills the oval, on every screen", () => {
  for (const [camera, box] of shapes) {
    const region = regionOf(camera, box, 1, GEOMETRY);
    const { faceRect } = faceIn(region, ovalIn(region, GEOMETRY));
    const name = JSON.stringify([camera, box, region, faceRect]);
    assert.ok(region.width <= camera.width && region.height <= camera.height, name);
    assert.ok(faceRect.width >= GEOMETRY.faceWidth && faceRect.height >= GEOMETRY.faceHeight, name);
    assert.ok(faceRect.width <= GEOMETRY.faceShare * Math.min(region.width, region.height), name);
    const room = Math.min(region.width / faceRect.width, region.height / faceRect.height);
    assert.ok(room > LIVENESS_ROOM, name);
    assert.ok(Math.min(faceRect.x, faceRect.y) >= GEOMETRY.frameMargin, name);
  }
});

test("only the part that fills the box is sent if it has enough pixels", () => {
  const region = regionOf(size([1920, 1080]), size([1080, 1350]), 1, GEOMETRY);
  assert.deepEqual([Math.round(region.width), region.height], [864, 1080]);
});

test("a wide screen shows more than the part that fills it if the camera has few pixels", () => {
  const region = regionOf(size([640, 480]), size([1920, 740]), 1, GEOMETRY);
  assert.deepEqual(region, size([640, 480]));
});

test("zoom leaves the face enough pixels", () => {
  const [camera, box] = [size([1920, 1080]), size([1080, 1350])];
  const [half, most] = [2, 100].map((zoom) => regionOf(camera, box, zoom, GEOMETRY));
  assert.ok(half.width < 864 && most.height <= half.height);
  const { faceRect } = faceIn(most, ovalIn(most, GEOMETRY));
  assert.ok(faceRect.width >= GEOMETRY.faceWidth);
});

test("without geometry the whole image is sent, or its centre with zoom", () => {
  assert.deepEqual(regionOf(size([1280, 720]), size([360, 420]), 2, null), size([640, 360]));
  assert.deepEqual(regionOf(size([1280, 720]), size([0, 0]), 1, GEOMETRY), size([1280, 720]));
});

const PLACES = [
  [-0.5, -0.3, "left"],
  [0, -0.4, "down"],
  [0.5, -0.3, "right"],
  [-0.4, 0, "left"],
  [0, 0, null],
  [0.4, 0, "right"],
  [-0.3, 0.5, "up"],
  [0, 0.4, "up"],
  [0.5, 0.3, "right"],
];

test("a face at nine places: the hint says where to move, and only the centre is good", () => {
  const region = size([576, 720]);
  const oval = ovalIn(region, GEOMETRY);
  const share = oval.height / region.height;
  for (const [across, down, expected] of PLACES) {
    assert.equal(placeOf(faceIn(region, oval, { across, down }), share), expected);
  }
  assert.equal(placeOf(faceIn(region, oval, { fill: 0.6 }), share), "closer");
  assert.equal(placeOf(faceIn(region, oval, { fill: 1.3 }), share), "back");
});

test("a frame of fewer pixels gives the same hints", () => {
  const region = size([576, 720]);
  const oval = ovalIn(region, GEOMETRY);
  const { faceRect, frameRect } = faceIn(region, oval, { across: 0.4 });
  const half = (box) => Object.fromEntries(Object.entries(box).map(([key, v]) => [key, v / 2]));
  const share = oval.height / region.height;
  assert.equal(placeOf({ faceRect: half(faceRect), frameRect: half(frameRect) }, share), "right");
});

test("a face outside the oval is never shown as good", () => {
  assert.equal(hintOf([], "left").name, "left");
  assert.equal(hintOf([32], "closer").name, "closer");
  assert.equal(hintOf([], null).name, "hold");
});

test("the service's own hint, and an action that moves the face, come first", () => {
  assert.equal(hintOf([12, 15], "back").name, "left");
  assert.equal(hintOf([64], "left").name, "turnRight");
  assert.equal(hintOf([8], null).name, "aim");
});
