/** The set-up page: shows what the service measures at the marked place, and advises. */

import { svg } from "../lib/icons.js";
import { LunaPass } from "../lib/lunapass.js";
import { serviceAddress } from "../page/settings.js";
import { distanceOf, findingsOf } from "./findings.js";
import { Measurements } from "./measurements.js";

/** Sessions of one measurement: each ends with its verdict, which may come at the first frame. */
const MAX_SESSIONS = 10;

/** @type {[name: string, measure: import("./measurements.js").Measure, unit: string][]} */
const ROWS = [
  ["Face, width", "faceWidth", "px"],
  ["Face, height", "faceHeight", "px"],
  ["Frame, width", "frameWidth", "px"],
  ["Frame, height", "frameHeight", "px"],
  ["Pitch (negative: the camera looks down)", "pitch", "°"],
  ["Yaw", "yaw", "°"],
  ["Roll", "roll", "°"],
  ["Sharpness", "blur", ""],
  ["Not too bright", "light", ""],
  ["Not too dark", "darkness", ""],
  ["Even light", "illumination", ""],
  ["No glare", "specularity", ""],
];

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

/** @type {HTMLSelectElement} */
const cameras = byId("camera");
/** @type {HTMLInputElement} */
const field = byId("field");
/** @type {HTMLButtonElement} */
const measure = byId("measure");
const stage = byId("stage");
const box = svg("rect", {});
const overlay = svg("svg", { "aria-hidden": "true" });
overlay.append(box);

let measurements = new Measurements();

async function run() {
  measure.disabled = true;
  byId("fault").textContent = "";
  measurements = new Measurements();
  const pass = new LunaPass(stage);
  try {
    await pass.attachCamera(cameras.value);
    stage.append(overlay);
    await offerCameras(pass.camera);
    for (let session = 0; session < MAX_SESSIONS && !measurements.complete; session += 1) {
      await pass.connectWS(serviceAddress(location));
      await pass.checkLiveness((status) => show(pass, status));
    }
  } catch (error) {
    const { code, message } = /** @type {{code?: string, message: string}} */ (error);
    if (code !== "aborted") byId("fault").textContent = `${code ?? "error"}: ${message}`;
  } finally {
    await pass.detachCamera();
    await pass.disconnectWS();
    overlay.remove();
    measure.disabled = false;
    measure.textContent = "Measure again";
  }
}

/**
 * @param {LunaPass} pass
 * @param {import("../lib/lunapass.js").FrameStatus} status
 */
function show(pass, status) {
  measurements.add(status);
  showBox(status.details?.faceFramePosition);
  showMeasured(stage.querySelector("video")?.videoWidth ?? 0);
  showFindings(findingsOf(measurements, pass.geometry));
  if (measurements.complete) pass.disconnectWS(); // without a verdict
}

/** @param {{faceRect: Record<string, number>, frameRect: {width: number, height: number}}} [position] */
function showBox(position) {
  overlay.toggleAttribute("hidden", position === undefined);
  if (position === undefined) return;
  const { faceRect, frameRect } = position;
  overlay.setAttribute("viewBox", `0 0 ${frameRect.width} ${frameRect.height}`);
  for (const [name, value] of Object.entries(faceRect)) box.setAttribute(name, `${value}`);
}

/** @param {number} cameraWidth pixels */
function showMeasured(cameraWidth) {
  const medians = measurements.medians();
  const rows = ROWS.map(([name, key, unit]) => row(name, numberText(medians[key], unit)));
  const { faceWidth } = medians;
  const metres = faceWidth && distanceOf(faceWidth, cameraWidth, Number(field.value) || 70);
  const distance = row("Distance, for this field of view", metres ? `${metres.toFixed(2)} m` : "\u2013");
  byId("measured").replaceChildren(row("Frames", `${measurements.count}`), distance, ...rows);
}

/**
 * @param {number | undefined} value
 * @param {string} unit
 */
function numberText(value, unit) {
  if (value === undefined) return "\u2013";
  return unit === "" ? value.toFixed(2) : `${Math.round(value)} ${unit}`;
}

/**
 * @param {string} name
 * @param {string} text
 */
function row(name, text) {
  const element = document.createElement("tr");
  const heading = document.createElement("th");
  heading.scope = "row";
  heading.textContent = name;
  element.append(heading);
  element.insertCell().textContent = text;
  return element;
}

/** @param {import("./findings.js").Finding[]} findings */
function showFindings(findings) {
  const items = findings.map(({ isGood, text }) => {
    const item = document.createElement("li");
    item.dataset.good = `${isGood}`;
    item.textContent = text;
    return item;
  });
  const list = byId("findings");
  if (list.textContent !== items.map(({ textContent }) => textContent).join("")) {
    list.replaceChildren(...items); // a screen reader reads every write aloud
  }
}

/** @param {string} used id of the camera in use */
async function offerCameras(used) {
  const found = await LunaPass.cameras();
  cameras.replaceChildren(...found.map(({ deviceId, label }) => new Option(label, deviceId)));
  cameras.value = used;
}

measure.addEventListener("click", run);
