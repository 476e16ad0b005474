/** Opens cameras; errors become LunaPassError. */

import { LunaPassError } from "./errors.js";
import { within } from "./wait.js";

const START_MS = 10_000;

/** Codes by the name of getUserMedia's error. */
const CODES = new Map([
  ["NotAllowedError", "camera.denied"],
  ["SecurityError", "camera.denied"],
  ["NotFoundError", "camera.none"],
  ["OverconstrainedError", "camera.none"],
  ["NotReadableError", "camera.busy"],
  ["AbortError", "camera.busy"],
]);

function devices() {
  if (!globalThis.isSecureContext || navigator.mediaDevices?.getUserMedia === undefined) {
    throw new LunaPassError("page.insecure", "a camera needs an https page, or localhost");
  }
  return navigator.mediaDevices;
}

/**
 * @param {MediaTrackConstraints} video
 * @param {number} patience ms for the person to allow the camera
 * @returns {Promise<MediaStream>}
 * @throws {LunaPassError}
 */
export async function openCamera(video, patience) {
  const asked = devices().getUserMedia({ video, audio: false });
  try {
    return await within(asked, patience, "camera");
  } catch (error) {
    asked.then(stop, () => {}); // if the person allows it too late, turn the camera off again
    throw typed(error);
  }
}

/**
 * Show a stream in a video element and wait for its first image.
 *
 * @param {HTMLVideoElement} video
 * @param {MediaStream} stream
 * @throws {LunaPassError}
 */
export async function show(video, stream) {
  video.srcObject = stream;
  const started = new Promise((done) => {
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) done(undefined);
    else video.addEventListener("loadeddata", done, { once: true });
  });
  try {
    await within(Promise.all([video.play(), started]), START_MS, "picture");
  } catch (error) {
    throw typed(error);
  }
}

/** @param {MediaStream} stream */
export function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/**
 * List the cameras; their labels are empty until a camera was opened once.
 *
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function listCameras() {
  const all = await devices().enumerateDevices();
  return all.filter((device) => device.kind === "videoinput");
}

/** @param {unknown} error */
function typed(error) {
  if (error instanceof LunaPassError) return error;
  const { name, message } = /** @type {Error} */ (error);
  return new LunaPassError(CODES.get(name) ?? "camera.busy", `${name}: ${message}`, name);
}
