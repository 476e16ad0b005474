/** The kiosk page: start, check, outcome, and back to the start. */

import { connectionNotice } from "../embed/notice.js";
import { LunaPassError } from "../lib/errors.js";
import { icon } from "../lib/icons.js";
import { LunaPass } from "../lib/lunapass.js";
import { LPMessageRenderer } from "../lib/renderer.js";
import { loadBranding } from "./branding.js";
import { Consent } from "./consent.js";
import { Cues } from "./cues.js";
import { enterKioskMode } from "./kiosk.js";
import { applyLook } from "./look.js";
import { outcomeOf, problemOf } from "./outcome.js";
import { counted } from "./plural.js";
import { readSettings, serviceAddress } from "./settings.js";
import { symbol } from "./symbols.js";
import { apply, firstLanguage, load, store } from "./texts.js";

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @returns {T}
 */
const byId = (id) => /** @type {T} */ (document.getElementById(id));

const branding = await loadBranding();
const settings = readSettings(location.search, branding.parameters);
/** @type {HTMLSelectElement} */
const languages = byId("language");
/** @type {HTMLSelectElement} */
const cameras = byId("camera");
/** @type {HTMLInputElement} */
const zoom = byId("zoom");
const bestshot = /** @type {HTMLImageElement} */ (document.querySelector("#bestshot img"));
const stage = byId("stage");
const cues = new Cues(settings.sound);

let { texts } = await load("en", branding.texts);
let consent = new Consent(branding.consent);
/** @type {LunaPass | null} */
let running = null;
/** @type {ReturnType<typeof setTimeout> | undefined} time until the screen changes by itself */
let leaving;
/** @type {(() => import("./outcome.js").Outcome) | null} the outcome in the current language */
let outcome = null;

/**
 * @param {"start" | "consent" | "check" | "end" | "idle"} name
 * @param {string} focus id of the element that gets the focus
 */
function showScreen(name, focus) {
  clearTimeout(leaving);
  if (name !== "end") {
    outcome = null;
    showBestshot(); // the next person must not see it
  }
  document.body.dataset.screen = name;
  byId(focus).focus();
}

/**
 * Show another screen later, unless there is a different one by then.
 *
 * @param {() => void} leave
 * @param {number} seconds 0 for never
 */
function leaveAfter(leave, seconds) {
  clearTimeout(leaving);
  if (seconds > 0) leaving = setTimeout(leave, seconds * 1000);
}

/** In kiosk mode, leave a screen that waits for a person when it was not touched for some time. */
function leaveUntouched() {
  const { screen } = document.body.dataset;
  if (screen === "start") leaveAfter(toIdle, settings.idle);
  if (screen === "consent") leaveAfter(toStart, settings.idle);
}

/** Start the check, or show the text that the person must accept before the camera starts. */
function begin() {
  if (!consent.missing) {
    check();
    return;
  }
  showConsent();
  showScreen("consent", "consent-title");
  leaveUntouched();
}

function showConsent() {
  byId("consent-text").textContent = consent.textIn(document.documentElement.lang);
}

function accept() {
  consent.accept();
  check();
}

/**
 * Show the current text if the service requires another version than the page has.
 *
 * @param {unknown} error
 * @returns {Promise<boolean>} whether there is a text to accept
 */
async function renewConsent(error) {
  if (/** @type {{detail?: unknown}} */ (error).detail !== "consent.required") return false;
  consent = new Consent((await loadBranding()).consent);
  return consent.missing;
}

async function check() {
  cues.start();
  showScreen("check", "check-title");
  const { mode, adviceAfter } = settings;
  const onHint = (/** @type {string} */ hint) => cues.show(hint);
  const renderer = new LPMessageRenderer({ text: texts.hints, mode, adviceAfter, onHint });
  await renderer.init(stage);
  const pass = new LunaPass(stage, {
    mode: settings.mode,
    timeout: settings.timeout,
    connectTimeout: settings.patience,
    detector: settings.detector,
    consent: consent.accepted,
    onConnection: connectionNotice(texts, renderer),
  });
  running = pass;
  pass.zoom = Number(zoom.value);
  try {
    renderer.notice(texts.askingCamera, "camera");
    await attachChosen(pass);
    await offerCameras(pass.camera);
    if (running !== pass) return;
    renderer.notice(texts.connecting);
    await pass.connectWS(serviceAddress(location));
    const verdict = await pass.checkLiveness((status) => renderer.render(status));
    document.dispatchEvent(new CustomEvent("lunapass", { detail: verdict }));
    end(() => outcomeOf(verdict, texts));
  } catch (error) {
    const renewed = running === pass && (await renewConsent(error));
    if (running === pass) {
      if (renewed) begin();
      else end(() => problemOf(error, texts));
    }
    if (!(error instanceof LunaPassError)) console.error(error);
  } finally {
    await leave(pass);
    renderer.destroy();
  }
}

/**
 * Open the chosen camera, or any camera if the chosen one was unplugged.
 *
 * @param {LunaPass} pass
 */
async function attachChosen(pass) {
  try {
    await pass.attachCamera(cameras.value);
  } catch (error) {
    if (!(error instanceof LunaPassError) || error.code !== "camera.none") throw error;
    if (running !== pass) throw error; // cancelled meanwhile: no camera may stay on
    await pass.attachCamera();
  }
}

/** @param {LunaPass} pass */
async function leave(pass) {
  if (running === pass) running = null;
  await pass.detachCamera();
  await pass.disconnectWS();
}

/** @param {() => import("./outcome.js").Outcome} how */
function end(how) {
  outcome = how;
  showOutcome(how());
  showScreen("end", "outcome");
  countDown(settings.restart);
}

/**
 * Return to the start later, and show in how many seconds.
 *
 * @param {number} seconds 0 for never
 */
function countDown(seconds) {
  const { lang } = document.documentElement;
  const shown = seconds > 0 ? counted(texts.leaving, Math.ceil(seconds), lang) : "";
  byId("leaving").textContent = shown;
  leaveAfter(() => (seconds > 1 ? countDown(seconds - 1) : toStart()), Math.min(1, seconds));
}

/** @param {import("./outcome.js").Outcome} outcome */
function showOutcome(outcome) {
  const { kind, reason, title, help, retry, bestshot: portrait } = outcome;
  Object.assign(document.body.dataset, { outcome: kind, reason });
  byId("emblem").replaceChildren(symbol(outcome));
  byId("outcome").textContent = title;
  byId("help").textContent = help;
  byId("again").hidden = !retry;
  byId("next").hidden = retry;
  byId("next").textContent = kind === "done" ? texts.next : texts.back;
  showBestshot(portrait);
}

/** @param {import("./outcome.js").Portrait} [portrait] */
function showBestshot(portrait) {
  byId("bestshot").hidden = portrait === undefined;
  bestshot.alt = texts.bestshot;
  if (portrait === undefined) {
    bestshot.removeAttribute("src");
    return;
  }
  const { url, part } = portrait;
  bestshot.src = url;
  bestshot.style.width = `${100 / part.width}%`;
  bestshot.style.left = `${(-100 * part.x) / part.width}%`;
  bestshot.style.top = `${(-100 * part.y) / part.height}%`;
}

async function toStart() {
  consent.forget();
  showScreen("start", "title");
  leaveUntouched();
  if (settings.kiosk) await switchTo(initialLanguage()); // the next person has not chosen yet
}

async function toIdle() {
  consent.forget();
  showScreen("idle", "wake");
  await switchTo(initialLanguage());
}

function initialLanguage() {
  const offered = [...languages.options].map(({ value }) => value);
  return firstLanguage(settings.language, offered, settings.kiosk);
}

async function cancel() {
  if (running !== null) await leave(running);
  toStart();
}

/** Restart a running check, with another camera or language. */
async function restart() {
  if (running === null) return;
  await leave(running);
  await check();
}

/** @param {string} used id of the camera in use */
async function offerCameras(used) {
  const found = await LunaPass.cameras();
  cameras.replaceChildren(
    ...found.map(({ deviceId, label }, index) => {
      return new Option(label || `${texts.camera} ${index + 1}`, deviceId);
    }),
  );
  cameras.value = used;
}

/**
 * @param {string} language
 * @returns {Promise<boolean>} false if another language was chosen while this one was loaded
 */
async function switchTo(language) {
  languages.value = language;
  const loaded = await load(language, branding.texts);
  if (languages.value !== language) return false;
  texts = loaded.texts;
  apply(loaded);
  if (outcome !== null) showOutcome(outcome());
  showConsent();
  return true;
}

applyLook(branding, settings.theme);
for (const place of document.querySelectorAll("[data-icon]")) {
  place.append(icon(/** @type {HTMLElement} */ (place).dataset.icon ?? ""));
}
byId("begin").addEventListener("click", begin);
byId("again").addEventListener("click", check);
byId("accept").addEventListener("click", accept);
byId("decline").addEventListener("click", toStart);
byId("next").addEventListener("click", toStart);
byId("wake").addEventListener("click", toStart);
byId("cancel").addEventListener("click", cancel);
zoom.addEventListener("input", () => {
  if (running !== null) running.zoom = Number(zoom.value);
});
cameras.addEventListener("change", restart);
languages.addEventListener("change", async () => {
  if (!settings.kiosk) store(languages.value);
  if (await switchTo(languages.value)) await restart();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.dataset.screen === "check") cancel();
});
addEventListener("pagehide", cancel);

if (settings.kiosk) {
  enterKioskMode(settings.controls);
  for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, leaveUntouched);
}

document.body.dataset.screen = "start"; // not before: the standard look would flash
leaveUntouched();
await switchTo(initialLanguage());
/** @type {HTMLButtonElement} */ (byId("begin")).disabled = false;
