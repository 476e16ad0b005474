/** The camera: opened by constraints, its faults as typed errors. */

import { LunaPassError } from "./errors.js";
import { within } from "./wait.js";

const START_MS = 10_000;

/** Faults of getUserMedia by their names in the standard. */
const FAULTS = new Map([
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
 * Open a camera.
 *
 * @param {MediaTrackConstraints} video
 * @param {number} patience ms for the person to answer the browser's question
 * @returns {Promise<MediaStream>}
 * @throws {LunaPassError}
 */
export async function openCamera(video, patience) {
  const asked = devices().getUserMedia({ video, audio: false });
  try {
    return await within(asked, patience, "camera");
  } catch (error) {
    asked.then(stop, () => {}); // an answer that comes too late must not leave the camera on
    throw typed(error);
  }
}

/**
 * Show a stream in a video element, until its first picture is there.
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
 * The cameras there are; their names are known once one was opened.
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
  return new LunaPassError(FAULTS.get(name) ?? "camera.busy", `${name}: ${message}`, name);
}
