/** What the measurements mean for the camera, its place and the light. No browser functions. */

/** Width of an adult's face box in metres; people differ by about a tenth. */
const FACE_METRES = 0.15;
/** A larger angle comes from the camera, not from how the person looks at the screen; degrees. */
const MAX_PITCH = 5;
const MAX_ROLL = 5;
const MAX_YAW = 10;
/** Distance of face and frame centre over the frame's size. */
const MAX_OFF_CENTRE = 0.15;
/** Share of the frames above which a code is systematic. */
const MIN_SHARE = 0.5;

const NO_FACE = 8;

/** Advice on the light and the picture by the code that most frames have. */
const BY_CODE = new Map([
  [3, "The picture is blurred: wipe the lens, focus the camera, or add light."],
  [4, "The picture is too bright: remove the lamp or window that shines at the camera or the face."],
  [5, "The picture is too dark: add light from the direction of the camera."],
  [6, "The light comes from one side: add a lamp on the other side, or turn the kiosk."],
  [7, "Light glares on the face: use a larger or softer lamp, not beside the camera."],
  [9, "There are several faces: keep the background free of people and pictures."],
  [10, "The frame has too few pixels across: use a camera with more pixels."],
  [11, "The frame has too few pixels down: use a camera with more pixels."],
]);

/**
 * @typedef {import("../lib/framing.js").Geometry} Geometry
 * @typedef {import("./measurements.js").Measurements} Measurements
 *
 * @typedef {object} Finding
 * @property {boolean} isGood
 * @property {string} text
 */

/**
 * Return what is right and what should be changed.
 *
 * @param {Measurements} measurements
 * @param {Geometry | null} geometry null if the service rotates frames
 * @returns {Finding[]}
 */
export function findingsOf(measurements, geometry) {
  if (measurements.share(NO_FACE) > MIN_SHARE) return [noFace()];
  const measured = measurements.medians();
  const codes = [...BY_CODE].filter(([code]) => measurements.share(code) > MIN_SHARE);
  return [
    ...sizeFindings(measured, geometry),
    ...placeFindings(measured),
    ...poseFindings(measured),
    ...codes.map(([, text]) => bad(text)),
  ];
}

function noFace() {
  return bad(
    "No face is found. Stand at the marked place and look at the camera. If the camera is mounted on" +
      " its side, set rotate to 90, 180 or 270 in [CHECKS].",
  );
}

/**
 * @param {import("./measurements.js").Measured} measured
 * @param {Geometry | null} geometry
 */
function sizeFindings({ faceWidth, faceHeight, frameWidth = 0, frameHeight = 0 }, geometry) {
  if (faceWidth === undefined || faceHeight === undefined || geometry === null) return [];
  const shown = `Face ${round(faceWidth)} x ${round(faceHeight)} px at the marked place`;
  const min = `minimum ${geometry.faceWidth} x ${geometry.faceHeight}`;
  if (faceWidth < geometry.faceWidth || faceHeight < geometry.faceHeight) {
    return [bad(`${shown}, ${min}: move the mark closer, or use a camera with more pixels.`)];
  }
  const max = geometry.faceShare * Math.min(frameWidth, frameHeight);
  if (faceWidth > max) return [bad(`${shown}, maximum width ${round(max)}: move the mark back.`)];
  return [good(`${shown}, ${min}.`)];
}

/** @param {import("./measurements.js").Measured} measured */
function placeFindings({ across, down }) {
  if (across === undefined || down === undefined) return [];
  const where = [
    // The picture on the page is mirrored.
    ...(Math.abs(across) > MAX_OFF_CENTRE ? [`${percent(across)} to the ${across > 0 ? "left" : "right"}`] : []),
    ...(Math.abs(down) > MAX_OFF_CENTRE ? [`${percent(down)} ${down > 0 ? "down" : "up"}`] : []),
  ];
  if (where.length === 0) return [good("The face is in the middle of the picture.")];
  return [bad(`The face is not in the middle of the picture, but ${where.join(" and ")}: turn the camera.`)];
}

/** @param {import("./measurements.js").Measured} measured */
function poseFindings({ pitch, yaw, roll }) {
  if (pitch === undefined || yaw === undefined || roll === undefined) {
    return [bad('The service reports no angles and no light: set env = "development" in [LUNA_PASS] meanwhile.')];
  }
  const found = [];
  if (Math.abs(pitch) > MAX_PITCH) found.push(bad(pitchAdvice(Math.round(pitch))));
  if (Math.abs(roll) > MAX_ROLL) found.push(bad(`The camera is tilted by some ${round(Math.abs(roll))} degrees.`));
  if (Math.abs(yaw) > MAX_YAW) found.push(yawFinding(yaw));
  return found.length > 0 ? found : [good("The camera looks at the face from the front.")];
}

/**
 * The person looks straight ahead, so the measured pitch is the camera's. It includes the configured
 * offset, so the advice is a difference from that.
 *
 * @param {number} pitch degrees; negative where the camera looks down at the person
 */
function pitchAdvice(pitch) {
  const size = Math.abs(pitch);
  const [place, change] = pitch < 0 ? ["high", `add ${size} to`] : ["low", `subtract ${size} from`];
  return (
    `The camera is too ${place} by some ${size} degrees: move it, or ${change} pitchOffsetDeg` +
    " in [CHECKS] (0 if it is not set)."
  );
}

/** @param {number} yaw degrees; positive where the head is turned to the person's left */
function yawFinding(yaw) {
  const side = yaw > 0 ? "left" : "right";
  return bad(
    `The head is turned to its own ${side} by some ${round(Math.abs(yaw))} degrees. If it is straight,` +
      " turn the camera; if it is turned to the other side, the camera's driver mirrors the image:" +
      " switch that off.",
  );
}

/**
 * @param {number} faceWidth pixels
 * @param {number} cameraWidth pixels of the camera's whole image
 * @param {number} fieldDegrees horizontal field of view of the camera
 * @returns {number} metres
 */
export function distanceOf(faceWidth, cameraWidth, fieldDegrees) {
  const focal = cameraWidth / 2 / Math.tan((fieldDegrees * Math.PI) / 360);
  return (FACE_METRES * focal) / faceWidth;
}

/** @param {string} text */
const good = (text) => ({ isGood: true, text });
/** @param {string} text */
const bad = (text) => ({ isGood: false, text });
/** @param {number} value */
const round = (value) => Math.round(value);
/** @param {number} share */
const percent = (share) => `${Math.round(100 * Math.abs(share))} %`;
