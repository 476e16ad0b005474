/**
 * The wire protocol `lpproto.v1` (docs/protocol.md), without I/O.
 *
 * @typedef {{command: string, headers: Record<string, any>, body: any}} Message
 */

import { LunaPassError } from "./errors.js";

export const SUBPROTOCOL = "lpproto.v1";

/** Close codes that the client distinguishes. */
export const Close = Object.freeze({
  POLICY: 1008,
  TOO_BIG: 1009,
  OVERLOADED: 1013,
  BAD_MESSAGE: 4000,
  SESSION_UNKNOWN: 4003,
  REPLACED: 4004,
});

/**
 * @param {string} command
 * @param {Record<string, unknown>} [headers]
 * @returns {string}
 */
export function encode(command, headers = {}) {
  return JSON.stringify({ command, headers, body: null });
}

/**
 * Decode a message of the server.
 *
 * @param {unknown} data
 * @returns {Message}
 * @throws {LunaPassError} it is not a message of this protocol
 */
export function decode(data) {
  let value;
  try {
    value = JSON.parse(/** @type {string} */ (data));
  } catch {
    throw new LunaPassError("server.refused", "the server's message is not JSON");
  }
  if (typeof value?.command !== "string") {
    throw new LunaPassError("server.refused", "the server's message has no command");
  }
  return { command: value.command, headers: value.headers ?? {}, body: value.body ?? null };
}

/**
 * @typedef {object} Refusal what an ERROR says
 * @property {string} code "" before any ERROR
 * @property {number} [retryAt] when another attempt may succeed, in ms as of Date.now()
 */

/** @type {Readonly<Refusal>} */
export const NOT_REFUSED = Object.freeze({ code: "" });

/**
 * @param {Message} error
 * @returns {Refusal}
 */
export function refusalOf({ headers, body }) {
  const seconds = Number(headers["retry-after"]);
  const code = String(body?.code ?? "");
  return seconds > 0 ? { code, retryAt: Date.now() + 1000 * seconds } : { code };
}

/**
 * Return the error that the end of a connection means for the check.
 *
 * @param {number} close close code
 * @param {Refusal} refusal that of the ERROR before it
 * @returns {LunaPassError | null} null if resuming may help
 */
export function fatal(close, { code, retryAt }) {
  switch (close) {
    case Close.OVERLOADED:
      return new LunaPassError("server.full", "the service accepts no more sessions now", code, retryAt);
    case Close.REPLACED:
      return new LunaPassError("session.replaced", "the session was resumed elsewhere", code);
    case Close.POLICY:
    case Close.TOO_BIG:
    case Close.BAD_MESSAGE:
      return new LunaPassError("server.refused", `the service refused: ${code || close}`, code);
    default:
      return null;
  }
}
