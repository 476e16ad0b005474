/** Which part of the camera's image is shown and sent, and where the face belongs in it. No DOM. */

/**
 * @typedef {{width: number, height: number}} Size
 *
 * @typedef {object} Geometry what the service requires of a frame, in its pixels (CONNECTED)
 * @property {number} frameWidth minimum width of a frame
 * @property {number} frameHeight minimum height of a frame
 * @property {number} faceWidth minimum width of the face box
 * @property {number} faceHeight minimum height of the face box
 * @property {number} frameMargin minimum distance of the face box from each border
 * @property {number} faceShare maximum width of the face box over the frame's shorter side
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Rectangle
 */

/** Width of a face box over its height: the mean of 20 portraits is 0.74. */
const FACE_ASPECT = 0.75;
/** The oval is this much larger than the face box, which ends at forehead, chin and cheeks. */
const OVAL_MARGIN = 1.1;
/**
 * Share of the frame that a face in the oval has, in the tighter direction. The liveness networks
 * also see the surroundings: at a share of 0.67 the service refuses a frame for that (code 33).
 */
const FACE_SHARE = 0.58;
/** A face at the far end of the oval still has the service's minimum size, with a little to spare. */
const SPARE = 1.25;
/** Size of the face box over that of a face which fills the oval: smaller is too far away ... */
const MIN_FILL = 0.7;
/** ... and larger is too close. */
const MAX_FILL = 1.12;
/** Maximum distance between the centres of face and oval, in widths and heights of the oval. */
const MAX_OFFSET = 0.15;

/**
 * Return the part of the camera's image to show and to send: what fills the box on the screen, but
 * never so little that a face in the oval has too few pixels. It is centred.
 *
 * @param {Size} camera
 * @param {Size} box where it is shown
 * @param {number} zoom
 * @param {Geometry | null} geometry null if the service reports none: then only the zoom counts
 * @returns {Size}
 */
export function regionOf(camera, box, zoom, geometry) {
  if (geometry === null || box.width < 1 || box.height < 1) {
    return { width: camera.width / zoom, height: camera.height / zoom };
  }
  const scale = Math.min(camera.width / box.width, camera.height / box.height) / zoom;
  const min = minRegion(geometry);
  return {
    width: Math.min(camera.width, Math.max(scale * box.width, min.width)),
    height: Math.min(camera.height, Math.max(scale * box.height, min.height)),
  };
}

/**
 * @param {Geometry} geometry
 * @returns {Size}
 */
function minRegion({ frameWidth, frameHeight, faceWidth, faceHeight }) {
  const face = Math.max(faceWidth, FACE_ASPECT * faceHeight) * (SPARE / FACE_SHARE);
  return {
    width: Math.max(frameWidth, face),
    height: Math.max(frameHeight, face / FACE_ASPECT),
  };
}

/**
 * Return the size of the oval in a region, in the same pixels.
 *
 * @param {Size} region
 * @param {Geometry} geometry
 * @returns {Size}
 */
export function ovalIn(region, geometry) {
  const { faceWidth, faceHeight, frameMargin, faceShare } = geometry;
  const wanted = FACE_SHARE * Math.min(region.width, FACE_ASPECT * region.height);
  const min = Math.max(faceWidth, FACE_ASPECT * faceHeight);
  const room = Math.min(region.width, FACE_ASPECT * region.height) - 2 * frameMargin;
  const max = Math.min(room, faceShare * Math.min(region.width, region.height));
  const width = OVAL_MARGIN * Math.max(1, Math.min(max, Math.max(wanted, min)));
  return { width, height: width / FACE_ASPECT };
}

/**
 * Return what a person must do so that the face is in the oval, which is in the frame's centre.
 *
 * @param {{faceRect: Rectangle, frameRect: Size}} position details of a frame status
 * @param {number} share height of the oval over that of the frame
 * @returns {string | null} name of a hint; null if the face is in the oval
 */
export function placeOf({ faceRect, frameRect }, share) {
  const oval = { height: share * frameRect.height, width: share * frameRect.height * FACE_ASPECT };
  const fill = OVAL_MARGIN * Math.max(faceRect.width / oval.width, faceRect.height / oval.height);
  if (fill < MIN_FILL) return "closer";
  if (fill > MAX_FILL) return "back";
  const across = (faceRect.x + faceRect.width / 2 - frameRect.width / 2) / oval.width;
  const down = (faceRect.y + faceRect.height / 2 - frameRect.height / 2) / oval.height;
  if (Math.max(Math.abs(across), Math.abs(down)) <= MAX_OFFSET) return null;
  if (Math.abs(across) > Math.abs(down)) return across < 0 ? "left" : "right"; // a person's own left
  return down < 0 ? "down" : "up";
}
