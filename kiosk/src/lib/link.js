/** The connection to the service: CONNECT, heartbeats, and resuming after it breaks. */

import { LunaPassError, isTemporary, lostFor } from "./errors.js";
import { Backoff, Unanswered } from "./flow.js";
import { forget } from "./memory.js";
import { checkOrigin } from "./origin.js";
import { Pace, maxTransferMs } from "./pace.js";
import { Close, NOT_REFUSED, SUBPROTOCOL, decode, encode, fatal, refusalOf } from "./protocol.js";
import { askForToken } from "./start.js";
import { pause, within } from "./wait.js";

const ATTEMPT_MS = 8000;
const SHORTEST_ATTEMPT_MS = 500;
const ANSWER_MS = 15_000;
const WATCH_MS = 500;
const SILENT_BEATS = 2.5;

/**
 * @typedef {object} LinkEvents
 * @property {(message: import("./protocol.js").Message) => void} message STATUS, DROPPED or RESULT
 * @property {(state: "up" | "down", attempt: number) => void} state the connection was established,
 *   or the attempt begins to establish it again (1, 2, 3 ...)
 * @property {(ms: number) => void} announced RESULT is being received and may take so long
 * @property {(error: LunaPassError) => void} failed the connection failed permanently
 *
 * @typedef {{id: string, token: string}} Identity a session and its resume token
 */

export class Link {
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #watch;
  #backoff = new Backoff();
  /** @type {(error: LunaPassError) => void} */
  #giveUp = () => {};
  /** @type {Promise<never>} rejects at `close`, to end all waiting */
  #givenUp;
  #closed = false;
  #decided = false;
  #receivedAt = 0;
  #sentAt = 0;
  #frameAt = -Infinity;
  #answeredAt = 0;
  #heartbeatMs = 0;
  #refusal = NOT_REFUSED;
  /** Bytes of a RESULT that is being received; 0 for none. */
  #resultBytes = 0;

  /**
   * @param {object} options
   * @param {string} options.url address such as `wss://host/ws`
   * @param {Record<string, unknown>} options.client description of the client
   * @param {Identity | null} options.identity session to resume
   * @param {string | (() => string | Promise<string>)} [options.startToken] begins a session
   * @param {{version: string, at: number}} [options.consent] header of a new session
   * @param {number} options.heartbeat requested seconds between heartbeats
   * @param {number} options.patience maximum ms to connect or to resume
   * @param {LinkEvents} options.events
   */
  constructor({ url, client, identity, startToken, consent, heartbeat, patience, events }) {
    this.url = url;
    this.client = client;
    this.identity = identity;
    this.startToken = startToken;
    this.consent = consent;
    this.heartbeat = heartbeat;
    this.patience = patience;
    this.events = events;
    /** @type {Record<string, number>} */
    this.limits = {};
    /** @type {import("./framing.js").Geometry | null} */
    this.geometry = null;
    this.unanswered = new Unanswered();
    this.pace = new Pace();
    this.#givenUp = new Promise((_, reject) => {
      this.#giveUp = reject;
    });
    this.#givenUp.catch(() => {});
  }

  /**
   * Connect; retry until `patience` is over.
   *
   * @param {number} [first] number of the first attempt: 1 to restore a connection
   * @throws {LunaPassError}
   */
  async open(first = 0) {
    const deadline = performance.now() + this.patience;
    /** @type {LunaPassError | null} the cause to report; a short last attempt only times out */
    let failure = null;
    for (let attempt = first; ; attempt += 1) {
      if (attempt > 0) this.events.state("down", attempt);
      const left = deadline - performance.now();
      if (failure !== null && left < SHORTEST_ATTEMPT_MS) throw failure;
      try {
        await this.#attempt(Math.min(ATTEMPT_MS, Math.max(1, left)));
        break;
      } catch (caught) {
        const error = /** @type {LunaPassError} */ (caught);
        if (error.code === "session.unknown") {
          this.#forgetSession(); // the service has dropped it: start a new one
        } else {
          const isLast = !isTemporary(error) || performance.now() >= deadline;
          if (isLast) throw isTemporary(error) ? (failure ?? error) : error;
          if (failure?.code !== "network.unreachable") failure = error;
          if (attempt === 0) await checkOrigin(this.url);
        }
      }
      const rest = Math.max(0, deadline - performance.now());
      await Promise.race([pause(Math.min(this.#backoff.pause(), rest)), this.#givenUp]);
    }
    this.#backoff.reset();
    this.events.state("up", 0);
  }

  /** Whether there is a connection. */
  get up() {
    return this.#socket !== null;
  }

  /** Whether a frame may be sent now. It would delay a RESULT that is being received. */
  get ready() {
    const max = this.pace.slow ? 1 : this.unanswered.max;
    const isDue = performance.now() - this.#frameAt >= this.pace.interval;
    return this.up && isDue && this.#resultBytes === 0 && this.unanswered.size < max;
  }

  /** @param {Blob} image */
  send(image) {
    if (this.#socket === null) return;
    this.#socket.send(image);
    this.#sentAt = this.#frameAt = performance.now();
    this.unanswered.sent({ bytes: image.size, at: this.#frameAt, share: this.pace.picture.share });
  }

  /** End the session and the connection. */
  close() {
    if (this.#socket !== null && !this.#decided) this.#socket.send(encode("DISCONNECT"));
    this.#closed = true;
    this.#giveUp(new LunaPassError("aborted", "the connection was closed"));
    this.#drop();
  }

  #forgetSession() {
    if (this.identity !== null) forget(this.identity.id);
    this.identity = null;
  }

  /**
   * Try once to connect, up to CONNECTED.
   *
   * @param {number} ms
   */
  async #attempt(ms) {
    const end = performance.now() + ms;
    const { startToken } = this;
    const start =
      this.identity === null && typeof startToken === "function"
        ? await this.#inTime(askForToken(startToken), ms, "start token")
        : startToken;
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new WebSocket(this.#address(), SUBPROTOCOL);
    } catch (error) {
      throw new LunaPassError("state", `connectWS needs the URL of a WebSocket: ${error}`);
    }
    socket.binaryType = "arraybuffer";
    this.#refusal = NOT_REFUSED;
    try {
      const left = Math.max(1, end - performance.now());
      const granted = await this.#inTime(this.#handshake(socket, start), left, "connection");
      if (this.#closed) await this.#givenUp;
      this.#start(socket, granted.headers);
    } catch (error) {
      const isOpen = socket.readyState === WebSocket.OPEN;
      if (this.#closed && isOpen) socket.send(encode("DISCONNECT"));
      discard(socket);
      throw error;
    }
  }

  /**
   * Await a promise with a timeout, at most until `close`.
   *
   * @template T
   * @param {Promise<T>} promise
   * @param {number} ms
   * @param {string} what name of the awaited thing
   * @returns {Promise<T>}
   */
  #inTime(promise, ms, what) {
    return within(Promise.race([this.#givenUp, promise]), ms, what);
  }

  /**
   * @param {WebSocket} socket
   * @param {unknown} start token that begins a session
   * @returns {Promise<import("./protocol.js").Message>}
   */
  #handshake(socket, start) {
    return new Promise((resolve, reject) => {
      socket.onopen = () => socket.send(encode("CONNECT", this.#connectHeaders(start)));
      socket.onmessage = ({ data }) => {
        try {
          const message = decode(data);
          if (message.command === "CONNECTED") resolve(message);
          else if (message.command === "ERROR") this.#refusal = refusalOf(message);
        } catch (error) {
          reject(error);
        }
      };
      socket.onclose = ({ code }) => {
        const unknown = code === Close.SESSION_UNKNOWN ? "session.unknown" : "network.unreachable";
        reject(fatal(code, this.#refusal) ?? new LunaPassError(unknown, `closed with ${code}`));
      };
    });
  }

  /** Return the URL; it names a session to resume, so that a load balancer finds its cell. */
  #address() {
    if (this.identity === null) return this.url;
    const separator = this.url.includes("?") ? "&" : "?";
    return `${this.url}${separator}session=${encodeURIComponent(this.identity.id)}`;
  }

  /** @param {unknown} start token that begins a session; one that is resumed needs none */
  #connectHeaders(start) {
    const asked = { "heartbeat-interval": this.heartbeat, client: this.client };
    // JSON leaves out what is undefined.
    if (this.identity === null) return { ...asked, "start-token": start, consent: this.consent };
    const { id, token } = this.identity;
    return { ...asked, "session-id": id, "resume-token": token };
  }

  /**
   * @param {WebSocket} socket
   * @param {Record<string, any>} granted headers of CONNECTED
   */
  #start(socket, granted) {
    this.#socket = socket;
    this.identity = { id: granted["session-id"], token: granted["resume-token"] };
    this.limits = granted.limits ?? {};
    this.geometry = granted.geometry ?? null;
    this.#heartbeatMs = 1000 * (Number(granted["heartbeat-interval"]) || this.heartbeat);
    this.unanswered.restart(Number(granted.seq) || 0, this.limits.unansweredFrames ?? 1);
    this.pace.restart();
    this.#resultBytes = 0;
    this.#receivedAt = this.#sentAt = performance.now();
    this.#announce(granted);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#lost(code);
    this.#watch = setInterval(() => this.#checkSilence(), WATCH_MS);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#receivedAt = performance.now();
    let message;
    try {
      message = decode(data);
    } catch (error) {
      this.close();
      this.events.failed(/** @type {LunaPassError} */ (error));
      return;
    }
    if (message.command === "ERROR") this.#refusal = refusalOf(message);
    this.#count(message);
    this.#announce(message.headers);
    if (message.command === "RESULT") this.#decided = true;
    if (message.command !== "HEARTBEAT") this.events.message(message);
  }

  /** @param {import("./protocol.js").Message} message */
  #count({ command, headers, body }) {
    const frame = headers.seq === undefined ? null : this.unanswered.answered(headers.seq);
    if (frame === null || command !== "STATUS") return;
    // A frame that was queued behind another one is only transferred once that is answered.
    this.pace.answered(frame, this.#receivedAt - Math.max(frame.at, this.#answeredAt));
    this.#answeredAt = this.#receivedAt;
    this.pace.judged(body?.errors ?? []);
  }

  /**
   * Handle the announcement of RESULT: a browser shows no part of a message before its end.
   *
   * @param {Record<string, any>} headers
   */
  #announce(headers) {
    this.#resultBytes = Number(headers["result-bytes"]) || this.#resultBytes;
    if (headers["result-bytes"] !== undefined) this.events.announced(maxTransferMs(this.#resultBytes));
  }

  /** Send heartbeats; drop a silent connection. */
  #checkSilence() {
    const now = performance.now();
    if (now - this.#sentAt >= this.#heartbeatMs) {
      this.#socket?.send(encode("HEARTBEAT"));
      this.#sentAt = now;
    }
    if (now - this.#receivedAt > this.#patience()) this.#lost(0);
  }

  /**
   * Return how long the connection may be silent, including the time that data in transit needs on
   * a slow line, in either direction.
   */
  #patience() {
    const due = this.unanswered.size > 0 || this.#resultBytes > 0 ? ANSWER_MS : Infinity;
    const transfer = this.pace.allowance(this.unanswered.bytes) + maxTransferMs(this.#resultBytes);
    return Math.min(due, SILENT_BEATS * this.#heartbeatMs) + transfer;
  }

  /**
   * Resume a lost connection, unless the session is over.
   *
   * @param {number} code close code, 0 for silence
   */
  #lost(code) {
    this.#drop();
    if (this.#closed || this.#decided) return;
    if (this.unanswered.size > 0) this.pace.broke();
    const error = fatal(code, this.#refusal);
    if (error !== null) {
      this.events.failed(error);
      return;
    }
    this.open(1).catch((reason) => {
      if (!this.#closed) this.events.failed(lostFor(reason));
    });
  }

  #drop() {
    clearInterval(this.#watch);
    if (this.#socket !== null) discard(this.#socket);
    this.#socket = null;
  }
}

/** @param {WebSocket} socket */
function discard(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}
