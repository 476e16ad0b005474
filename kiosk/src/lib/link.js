/** The connection to the service: CONNECT, heartbeats, and resuming after it breaks. */

import { LunaPassError } from "./errors.js";
import { Backoff, Unanswered } from "./flow.js";
import { forget } from "./memory.js";
import { Pace, longest } from "./pace.js";
import { Close, SUBPROTOCOL, decode, encode, fatal } from "./protocol.js";
import { pause, within } from "./wait.js";

const ATTEMPT_MS = 8000;
const SHORTEST_ATTEMPT_MS = 500;
const ANSWER_MS = 15_000;
const WATCH_MS = 500;
const SILENT_BEATS = 2.5;

/**
 * @typedef {object} LinkEvents
 * @property {(message: import("./protocol.js").Message) => void} message STATUS, DROPPED or RESULT
 * @property {(state: "up" | "down") => void} state the connection came up, or went down
 * @property {(ms: number) => void} announced RESULT is on its way and may take so long
 * @property {(error: LunaPassError) => void} failed it is over for good
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
  /** @type {Promise<never>} rejects at `close`, so that nothing is waited for after it */
  #givenUp;
  #closed = false;
  #decided = false;
  #heard = 0;
  #spoken = 0;
  #answered = 0;
  #beat = 0;
  #said = "";
  /** Bytes of a RESULT that is on its way; 0 for none. */
  #due = 0;

  /**
   * @param {object} options
   * @param {string} options.url address such as `wss://host/ws`
   * @param {Record<string, unknown>} options.client what to tell of the client
   * @param {Identity | null} options.identity session to resume
   * @param {string | (() => string | Promise<string>)} [options.startToken] begins a session
   * @param {number} options.heartbeat seconds between heartbeats to ask for
   * @param {number} options.patience ms in which the first connection, or a resumption, must come
   * @param {LinkEvents} options.events
   */
  constructor({ url, client, identity, startToken, heartbeat, patience, events }) {
    this.url = url;
    this.client = client;
    this.identity = identity;
    this.startToken = startToken;
    this.heartbeat = heartbeat;
    this.patience = patience;
    this.events = events;
    /** @type {Record<string, number>} */
    this.limits = {};
    this.unanswered = new Unanswered();
    this.pace = new Pace();
    this.#givenUp = new Promise((_, reject) => {
      this.#giveUp = reject;
    });
    this.#givenUp.catch(() => {});
  }

  /**
   * Connect, with further attempts while patience lasts.
   *
   * @throws {LunaPassError}
   */
  async open() {
    const deadline = performance.now() + this.patience;
    /** @type {LunaPassError | null} why the attempts fail; a last short one would only be late */
    let failure = null;
    for (;;) {
      const left = deadline - performance.now();
      if (failure !== null && left < SHORTEST_ATTEMPT_MS) throw failure;
      try {
        await this.#attempt(Math.min(ATTEMPT_MS, Math.max(1, left)));
        break;
      } catch (caught) {
        const error = /** @type {LunaPassError} */ (caught);
        if (this.#mustEnd(error, deadline)) throw isPassing(error) ? (failure ?? error) : error;
        if (isPassing(error) && failure?.code !== "network.unreachable") failure = error;
      }
      const rest = Math.max(0, deadline - performance.now());
      await Promise.race([pause(Math.min(this.#backoff.pause(), rest)), this.#givenUp]);
    }
    this.#backoff.reset();
    this.events.state("up");
  }

  /** Whether the connection is up. */
  get up() {
    return this.#socket !== null;
  }

  /** Whether one more frame may be sent; none while RESULT comes, which it would hold up. */
  get ready() {
    const most = this.pace.slow ? 1 : this.unanswered.most;
    return this.up && this.#due === 0 && this.unanswered.size < most;
  }

  /**
   * Send one picture.
   *
   * @param {Blob} picture
   */
  send(picture) {
    if (this.#socket === null) return;
    this.#socket.send(picture);
    this.#spoken = performance.now();
    const { share } = this.pace.picture;
    this.unanswered.sent({ bytes: picture.size, at: this.#spoken, share });
  }

  /** End session and connection. */
  close() {
    if (this.#socket !== null && !this.#decided) this.#socket.send(encode("DISCONNECT"));
    this.#closed = true;
    this.#giveUp(new LunaPassError("aborted", "the connection was closed"));
    this.#drop();
  }

  /**
   * @param {LunaPassError} error
   * @param {number} deadline
   */
  #mustEnd(error, deadline) {
    if (error.code === "session.unknown") {
      if (this.identity !== null) forget(this.identity.id);
      this.identity = null; // the service knows it no more: go on with a session of its own
      return false;
    }
    return !isPassing(error) || performance.now() >= deadline;
  }

  /**
   * One connection up to CONNECTED.
   *
   * @param {number} ms
   */
  async #attempt(ms) {
    const { startToken } = this;
    const asks = this.identity === null && typeof startToken === "function";
    const start = asks ? await startToken() : startToken;
    /** @type {WebSocket} */
    let socket;
    try {
      socket = new WebSocket(this.#address(), SUBPROTOCOL);
    } catch (error) {
      throw new LunaPassError("state", `not an address for connectWS: ${error}`);
    }
    socket.binaryType = "arraybuffer";
    this.#said = "";
    try {
      const handshake = Promise.race([this.#givenUp, this.#handshake(socket, start)]);
      const granted = await within(handshake, ms, "connection");
      if (this.#closed) await this.#givenUp;
      this.#begin(socket, granted.headers);
    } catch (error) {
      const begun = socket.readyState === WebSocket.OPEN;
      if (this.#closed && begun) socket.send(encode("DISCONNECT"));
      discard(socket);
      throw error;
    }
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
          else if (message.command === "ERROR") this.#said = String(message.body?.code ?? "");
        } catch (error) {
          reject(error);
        }
      };
      socket.onclose = ({ code }) => {
        const unknown = code === Close.SESSION_UNKNOWN ? "session.unknown" : "network.unreachable";
        reject(fatal(code, this.#said) ?? new LunaPassError(unknown, `closed with ${code}`));
      };
    });
  }

  /** Names the session that is resumed, so that a balancer finds the cell that has it. */
  #address() {
    if (this.identity === null) return this.url;
    const joint = this.url.includes("?") ? "&" : "?";
    return `${this.url}${joint}session=${encodeURIComponent(this.identity.id)}`;
  }

  /** @param {unknown} start token that begins a session; one that is resumed needs none */
  #connectHeaders(start) {
    const asked = { "heartbeat-interval": this.heartbeat, client: this.client };
    if (this.identity === null) return start === undefined ? asked : { ...asked, "start-token": start };
    const { id, token } = this.identity;
    return { ...asked, "session-id": id, "resume-token": token };
  }

  /**
   * @param {WebSocket} socket
   * @param {Record<string, any>} granted headers of CONNECTED
   */
  #begin(socket, granted) {
    this.#socket = socket;
    this.identity = { id: granted["session-id"], token: granted["resume-token"] };
    this.limits = granted.limits ?? {};
    this.#beat = 1000 * (Number(granted["heartbeat-interval"]) || this.heartbeat);
    this.unanswered.restart(Number(granted.seq) || 0, this.limits.unansweredFrames ?? 1);
    this.pace.restart();
    this.#due = 0;
    this.#heard = this.#spoken = performance.now();
    this.#announce(granted);
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code }) => this.#lost(code);
    this.#watch = setInterval(() => this.#look(), WATCH_MS);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#heard = performance.now();
    let message;
    try {
      message = decode(data);
    } catch (error) {
      this.close();
      this.events.failed(/** @type {LunaPassError} */ (error));
      return;
    }
    if (message.command === "ERROR") this.#said = String(message.body?.code ?? "");
    this.#count(message);
    this.#announce(message.headers);
    if (message.command === "RESULT") this.#decided = true;
    if (message.command !== "HEARTBEAT") this.events.message(message);
  }

  /** @param {import("./protocol.js").Message} message */
  #count({ command, headers, body }) {
    const frame = headers.seq === undefined ? null : this.unanswered.answered(headers.seq);
    if (frame === null || command !== "STATUS") return;
    // A frame that was sent behind another one begins to move when that is answered.
    this.pace.answered(frame, this.#heard - Math.max(frame.at, this.#answered));
    this.#answered = this.#heard;
    this.pace.judged(body?.errors ?? []);
  }

  /**
   * Be told that RESULT is on its way: no part of a message is seen before its end.
   *
   * @param {Record<string, any>} headers
   */
  #announce(headers) {
    this.#due = Number(headers["result-bytes"]) || this.#due;
    if (headers["result-bytes"] !== undefined) this.events.announced(longest(this.#due));
  }

  /** Send heartbeats; give a connection up that is silent. */
  #look() {
    const now = performance.now();
    if (now - this.#spoken >= this.#beat) {
      this.#socket?.send(encode("HEARTBEAT"));
      this.#spoken = now;
    }
    if (now - this.#heard > this.#patience()) this.#lost(0);
  }

  /**
   * How long the connection may be silent: what is on its way in either direction has the time that
   * it needs on a slow line.
   */
  #patience() {
    const due = this.unanswered.size > 0 || this.#due > 0 ? ANSWER_MS : Infinity;
    const moving = this.pace.allowance(this.unanswered.bytes) + longest(this.#due);
    return Math.min(due, SILENT_BEATS * this.#beat) + moving;
  }

  /**
   * The connection is gone: resume it, unless all is said.
   *
   * @param {number} code close code, 0 for silence
   */
  #lost(code) {
    this.#drop();
    if (this.#closed || this.#decided) return;
    if (this.unanswered.size > 0) this.pace.broke();
    const error = fatal(code, this.#said);
    if (error !== null) {
      this.events.failed(error);
      return;
    }
    this.events.state("down");
    this.open().catch((reason) => {
      if (!this.#closed) this.events.failed(lostFor(reason));
    });
  }

  #drop() {
    clearInterval(this.#watch);
    if (this.#socket !== null) discard(this.#socket);
    this.#socket = null;
  }
}

/**
 * Whether another attempt may succeed.
 *
 * @param {LunaPassError} error
 */
function isPassing({ code }) {
  return code === "network.unreachable" || code === "timeout";
}

/** @param {WebSocket} socket */
function discard(socket) {
  socket.onopen = socket.onmessage = socket.onclose = null;
  socket.close();
}

/**
 * @param {LunaPassError} error why the last attempt to resume failed
 * @returns {LunaPassError}
 */
function lostFor(error) {
  return isPassing(error)
    ? new LunaPassError("network.lost", "the connection could not be resumed", error.message)
    : error;
}
