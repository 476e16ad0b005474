/** The library's class: from the camera to the verdict. */

import { listCameras, openCamera, show, stop } from "./camera.js";
import { Check } from "./check.js";
import { LunaPassError } from "./errors.js";
import { Link } from "./link.js";
import { forget, recall, remember } from "./memory.js";
import { Shutter } from "./shutter.js";
import { View } from "./view.js";

/**
 * @typedef {{isOk: boolean, errors: number[], details: Record<string, any>}} FrameStatus
 * @typedef {{isOk: boolean, jwt: string | null, errors: number[]}} Verdict
 *
 * @typedef {{version: string, acceptedAt: number}} ConsentGiven `acceptedAt` in ms, as of Date.now()
 *
 * @typedef {object} Options
 * @property {number} [requestInterval] ms between two frames
 * @property {MediaTrackConstraints} [video] the camera's constraints
 * @property {{mimetype?: string, quality?: number}} [image] how frames are encoded
 * @property {"selfie" | "operator"} [mode] selfie shows the image mirrored
 * @property {{heartbeatInterval?: number}} [headers] ms between heartbeats (below 1000: seconds)
 * @property {string} [session-id] session to resume, or the page's own name for a session
 * @property {string} [resume-token] token of the session to resume
 * @property {string | (() => string | Promise<string>)} [startToken] start token of the relying party,
 *   or a function that gets a new one for each attempt
 * @property {ConsentGiven} [consent] the text that the person has accepted, if the service requires it
 * @property {boolean} [debug] log to the console
 * @property {number} [timeout] maximum ms until the verdict
 * @property {number} [connectTimeout] maximum ms to connect or to resume
 * @property {number} [cameraTimeout] ms for the person to allow the camera
 * @property {string} [detector] URL of a module that detects faces in the browser
 * @property {(state: "up" | "down", attempt: number) => void} [onConnection] called when the
 *   connection is made, and with the number of each attempt to make it again
 */

const DEFAULTS = {
  requestInterval: 200,
  connectTimeout: 30_000,
  cameraTimeout: 60_000,
  heartbeat: 10_000,
  quality: 0.9,
};
const BEYOND_SESSION_MS = 15_000;
const MAX_SESSION_S = 300;

export class LunaPass {
  /** @type {Link | null} */
  #link = null;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Check | null} */
  #check = null;
  /** @type {((check: Check) => void) | null} ends the next check as soon as it starts */
  #pendingEnd = null;
  /** Number of the latest attach or detach; a camera that opens for an earlier one is closed. */
  #turn = 0;
  #view;
  #shutter;
  #options;

  /**
   * @param {HTMLElement} root element that shows the camera
   * @param {Options} [options]
   */
  constructor(root, options = {}) {
    if (!(root instanceof HTMLElement)) {
      throw new LunaPassError("state", "the first argument is the element to draw in");
    }
    const { mimetype = "image/jpeg", quality = DEFAULTS.quality } = options.image ?? {};
    this.#options = { ...DEFAULTS, mode: "selfie", ...options };
    this.#view = new View(root, { mirrored: this.#options.mode !== "operator" });
    this.#shutter = new Shutter(mimetype, quality);
  }

  /** List the cameras; their labels are empty until a camera was opened once. */
  static cameras() {
    return listCameras();
  }

  /** Id of the session; "" if there is none. */
  get sessionId() {
    return this.#link?.identity?.id ?? "";
  }

  /** What the service requires of a frame; null without a connection, or if it rotates frames. */
  get geometry() {
    return this.#link?.geometry ?? null;
  }

  /** Id of the camera in use; "" if there is none. */
  get camera() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** Zoom factor: 1 uses all that the element has room for, 2 its middle half. */
  get zoom() {
    return this.#view.zoom;
  }

  set zoom(times) {
    this.#view.zoom = Math.min(4, Math.max(1, times));
  }

  /**
   * Connect to the service.
   *
   * @param {string} url such as `wss://kiosk.example.org/ws`
   * @throws {LunaPassError}
   */
  async connectWS(url) {
    this.#disconnect();
    const link = new Link({
      url,
      client: this.#describe(),
      identity: recall(this.#options["session-id"], this.#options["resume-token"]),
      startToken: this.#options.startToken,
      consent: consentHeader(this.#options.consent),
      heartbeat: heartbeatSeconds(this.#options.headers?.heartbeatInterval ?? DEFAULTS.heartbeat),
      patience: this.#options.connectTimeout ?? DEFAULTS.connectTimeout,
      events: {
        message: (message) => this.#receive(message),
        state: (state, attempt) => this.#connection(state, attempt),
        announced: (ms) => this.#check?.announce(ms),
        failed: (error) => this.#endCheck((check) => check.fail(error)),
      },
    });
    this.#link = link;
    this.#pendingEnd = null;
    try {
      await link.open();
    } catch (error) {
      link.close();
      if (this.#link === link) this.#link = null;
      throw error;
    }
  }

  /**
   * Open the camera and show it.
   *
   * @param {string} [deviceId] one of the ids of `LunaPass.cameras()`
   * @throws {LunaPassError}
   */
  async attachCamera(deviceId) {
    const turn = this.#detach();
    /** @type {MediaTrackConstraints} */
    const video = { ...(this.#options.video ?? defaultVideo(this.#options.mode)) };
    if (deviceId) {
      delete video.facingMode;
      video.deviceId = { exact: deviceId };
    }
    const stream = await openCamera(video, this.#options.cameraTimeout);
    if (turn !== this.#turn) {
      stop(stream);
      throw detached();
    }
    this.#stream = stream;
    stream.getVideoTracks()[0]?.addEventListener("ended", () => {
      if (turn === this.#turn) this.#check?.fail(cameraEnded());
    });
    try {
      await show(this.#view.open(), stream);
    } catch (error) {
      if (turn === this.#turn) this.#detach();
      else throw detached();
      throw error;
    }
  }

  /**
   * Send frames until the verdict.
   *
   * @param {(status: FrameStatus) => void} [onFrameStatus] called with the status of each frame
   * @returns {Promise<Verdict>}
   * @throws {LunaPassError}
   */
  async checkLiveness(onFrameStatus = () => {}) {
    const [link, video] = [this.#link, this.#view.video];
    if (link === null) throw new LunaPassError("state", "call connectWS before checkLiveness");
    if (video === null) throw new LunaPassError("state", "call attachCamera before checkLiveness");
    if (this.#check !== null) throw new LunaPassError("state", "a check is already running");
    if (this.#stream?.active === false) throw cameraEnded();
    const maxMs = 1000 * (link.limits.sessionSeconds ?? MAX_SESSION_S) + BEYOND_SESSION_MS;
    const check = new Check({
      link,
      video,
      shutter: this.#shutter,
      region: () => this.#view.region,
      interval: this.#options.requestInterval,
      timeout: this.#options.timeout ?? maxMs,
      detector: this.#options.detector,
      onFrameStatus,
    });
    this.#check = check;
    if (this.#pendingEnd !== null) this.#endCheck(this.#pendingEnd);
    try {
      return await check.verdict;
    } finally {
      this.#check = null;
    }
  }

  /** Turn the camera off; this aborts a running check. */
  async detachCamera() {
    this.#detach();
  }

  /** Detach the camera; return the number of the new turn. */
  #detach() {
    this.#check?.fail(detached());
    if (this.#stream !== null) stop(this.#stream);
    this.#stream = null;
    this.#view.close();
    return ++this.#turn;
  }

  /** End the session and the connection; this aborts a running check. */
  async disconnectWS() {
    this.#disconnect();
  }

  #disconnect() {
    forget(this.sessionId);
    this.#check?.fail(new LunaPassError("aborted", "the connection was closed"));
    this.#link?.close();
    this.#link = null;
  }

  /** Describe this client for the service. */
  #describe() {
    const track = this.#stream?.getVideoTracks()[0];
    const { width, height, frameRate, facingMode } = track?.getSettings() ?? {};
    return {
      mirrored: false, // frames are never mirrored, only the display is
      mode: this.#options.mode,
      reference: this.#options["session-id"],
      camera: track && { label: track.label, width, height, frameRate, facingMode },
    };
  }

  /** @param {import("./protocol.js").Message} message */
  #receive({ command, headers, body }) {
    const { jwt: _, ...rest } = body ?? {};
    this.#log(command, headers, rest);
    if (command === "STATUS") this.#check?.status(body);
    if (command !== "RESULT") return;
    forget(this.sessionId);
    const verdict = { isOk: body.isOk === true, jwt: body.jwt, errors: body.errors ?? [] };
    this.#endCheck((check) => check.decide(verdict));
  }

  /**
   * End the running check, or the next one as soon as it starts; later checks of the session fail.
   *
   * @param {(check: Check) => void} end
   */
  #endCheck(end) {
    this.#pendingEnd = this.#check === null ? end : (check) => check.fail(sessionOver());
    if (this.#check !== null) end(this.#check);
  }

  /**
   * @param {"up" | "down"} state
   * @param {number} attempt
   */
  #connection(state, attempt) {
    this.#log("connection", state, attempt);
    if (state === "up" && this.#link !== null) this.#linked(this.#link);
    try {
      this.#options.onConnection?.(state, attempt);
    } catch (error) {
      reportError(error); // an error of the page must not end the connection
    }
  }

  /** @param {Link} link */
  #linked({ identity, geometry }) {
    if (identity !== null) remember(identity);
    this.#view.geometry = geometry;
  }

  /** @param {unknown[]} words */
  #log(...words) {
    if (this.#options.debug) console.debug("LunaPass", ...words);
  }
}

function detached() {
  return new LunaPassError("aborted", "the camera was detached");
}

function sessionOver() {
  return new LunaPassError("state", "the session is over: call connectWS before checkLiveness");
}

function cameraEnded() {
  return new LunaPassError("camera.lost", "the camera ended");
}

/** @param {ConsentGiven} [given] */
function consentHeader(given) {
  return given && { version: given.version, at: given.acceptedAt / 1000 };
}

/** @param {number} given ms, or seconds if it is below 1000 */
function heartbeatSeconds(given) {
  return Math.max(1, given < 1000 ? given : given / 1000);
}

/** @param {string} mode */
function defaultVideo(mode) {
  return {
    width: { ideal: 1280 },
    height: { ideal: 720 },
    facingMode: mode === "operator" ? "environment" : "user",
  };
}
