/** The library's class: camera in, verdict out. */

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
 * @typedef {object} Options
 * @property {number} [requestInterval] ms between two frames
 * @property {MediaTrackConstraints} [video] the camera's constraints
 * @property {{mimetype?: string, quality?: number}} [image] how frames are encoded
 * @property {"selfie" | "operator"} [mode] selfie shows the picture mirrored
 * @property {{heartbeatInterval?: number}} [headers] ms between heartbeats (below 1000: seconds)
 * @property {string} [session-id] session to resume, or a name of the page's own for it
 * @property {string} [resume-token] token of the session to resume
 * @property {string | (() => string | Promise<string>)} [startToken] token of the relying party that
 *   begins a session, or a function that gets a new one for each attempt
 * @property {boolean} [debug] tell the console what happens
 * @property {number} [timeout] ms in which a verdict must come
 * @property {number} [connectTimeout] ms in which a connection, or its resumption, must come
 * @property {number} [cameraTimeout] ms for the person to allow the camera
 * @property {string} [detector] address of a module that finds faces in the browser
 * @property {(state: "up" | "down") => void} [onConnection] told when the connection changes
 */

const DEFAULTS = {
  requestInterval: 200,
  connectTimeout: 30_000,
  cameraTimeout: 60_000,
  heartbeat: 10_000,
  quality: 0.9,
};
const BEYOND_SESSION_MS = 15_000;
const LONGEST_SESSION_S = 300;

export class LunaPass {
  /** @type {Link | null} */
  #link = null;
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {Check | null} */
  #check = null;
  /** @type {((check: Check) => void) | null} what is said already when a check begins */
  #said = null;
  /** Which camera counts: one that comes after the next call is turned off again. */
  #turn = 0;
  #view;
  #shutter;
  #options;

  /**
   * @param {HTMLElement} root where the camera's picture is shown
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

  /** The cameras there are; their names are known once one was opened. */
  static cameras() {
    return listCameras();
  }

  /** Id of the session, "" before there is one. */
  get sessionId() {
    return this.#link?.identity?.id ?? "";
  }

  /** Id of the camera in use, "" where none is. */
  get camera() {
    return this.#stream?.getVideoTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** How much of the picture is used: 1 all of it, 2 its middle half. */
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
      heartbeat: heartbeatSeconds(this.#options.headers?.heartbeatInterval ?? DEFAULTS.heartbeat),
      patience: this.#options.connectTimeout ?? DEFAULTS.connectTimeout,
      events: {
        message: (message) => this.#receive(message),
        state: (state) => this.#connection(state),
        announced: (ms) => this.#check?.announce(ms),
        failed: (error) => this.#tell((check) => check.fail(error)),
      },
    });
    this.#link = link;
    this.#said = null;
    try {
      await link.open();
    } catch (error) {
      link.close();
      if (this.#link === link) this.#link = null;
      throw error;
    }
  }

  /**
   * Open the camera and show its picture.
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
   * @param {(status: FrameStatus) => void} [onFrameStatus] gets the status of each judged frame
   * @returns {Promise<Verdict>}
   * @throws {LunaPassError}
   */
  async checkLiveness(onFrameStatus = () => {}) {
    const [link, video] = [this.#link, this.#view.video];
    if (link === null) throw new LunaPassError("state", "connectWS comes before checkLiveness");
    if (video === null) throw new LunaPassError("state", "attachCamera comes before checkLiveness");
    if (this.#check !== null) throw new LunaPassError("state", "a check is under way");
    if (this.#stream?.active === false) throw cameraEnded();
    const longest = 1000 * (link.limits.sessionSeconds ?? LONGEST_SESSION_S) + BEYOND_SESSION_MS;
    const check = new Check({
      link,
      video,
      shutter: this.#shutter,
      zoom: () => this.zoom,
      interval: this.#options.requestInterval,
      timeout: this.#options.timeout ?? longest,
      detector: this.#options.detector,
      onFrameStatus,
    });
    this.#check = check;
    if (this.#said !== null) this.#tell(this.#said);
    try {
      return await check.verdict;
    } finally {
      this.#check = null;
    }
  }

  /** Turn the camera off; a check that is under way ends. */
  async detachCamera() {
    this.#detach();
  }

  /** Detach at once; the number of the turn that begins with it. */
  #detach() {
    this.#check?.fail(detached());
    if (this.#stream !== null) stop(this.#stream);
    this.#stream = null;
    this.#view.close();
    return ++this.#turn;
  }

  /** End the session and the connection; a check that is under way ends. */
  async disconnectWS() {
    this.#disconnect();
  }

  #disconnect() {
    forget(this.sessionId);
    this.#check?.fail(new LunaPassError("aborted", "the connection was closed"));
    this.#link?.close();
    this.#link = null;
  }

  /** What the service is told of this client. */
  #describe() {
    const track = this.#stream?.getVideoTracks()[0];
    const { width, height, frameRate, facingMode } = track?.getSettings() ?? {};
    return {
      mirrored: false, // only what is shown is mirrored, never what is sent
      mode: this.#options.mode,
      reference: this.#options["session-id"],
      camera: track && { label: track.label, width, height, frameRate, facingMode },
    };
  }

  /** @param {import("./protocol.js").Message} message */
  #receive({ command, headers, body }) {
    const { jwt: _, ...told } = body ?? {};
    this.#log(command, headers, told);
    if (command === "STATUS") this.#check?.status(body);
    if (command !== "RESULT") return;
    forget(this.sessionId);
    const verdict = { isOk: body.isOk === true, jwt: body.jwt, errors: body.errors ?? [] };
    this.#tell((check) => check.decide(verdict));
  }

  /**
   * Tell the check how it ends, now or as soon as it begins; one check only, not those after it.
   *
   * @param {(check: Check) => void} end
   */
  #tell(end) {
    this.#said = this.#check === null ? end : (check) => check.fail(sessionOver());
    if (this.#check !== null) end(this.#check);
  }

  /** @param {"up" | "down"} state */
  #connection(state) {
    this.#log("connection", state);
    if (state === "up" && this.#link?.identity) remember(this.#link.identity);
    try {
      this.#options.onConnection?.(state);
    } catch (error) {
      reportError(error); // the page's own fault must not end the connection
    }
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
  return new LunaPassError("state", "the session is over: connectWS comes before checkLiveness");
}

function cameraEnded() {
  return new LunaPassError("camera.lost", "the camera ended");
}

/** @param {number} given ms, or seconds where it is below 1000 */
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
