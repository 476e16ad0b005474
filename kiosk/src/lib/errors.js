/**
 * The library's error. It has a code, so that a page can show its own text.
 *
 * | code                | meaning                                                      |
 * |---------------------|--------------------------------------------------------------|
 * | camera.none         | no camera, or none that fits the constraints                 |
 * | camera.denied       | the person or the browser's settings forbid the camera       |
 * | camera.busy         | the camera exists but cannot be read                         |
 * | camera.lost         | the camera stopped during the check                          |
 * | page.insecure       | browsers allow a camera only on https pages and on localhost |
 * | page.origin         | the service does not accept pages of this origin             |
 * | page.canvas         | the browser returns white or noise for what a page draws     |
 * | network.unreachable | the service does not answer                                  |
 * | network.lost        | the connection broke and could not be resumed                |
 * | server.full         | the service accepts no more sessions at the moment           |
 * | server.refused      | the service does not accept what the page sends              |
 * | session.replaced    | the session was resumed elsewhere                            |
 * | timeout             | something took too long; `detail` names it                   |
 * | state               | a method was called in the wrong state                       |
 * | aborted             | the page ended the check                                     |
 */
export class LunaPassError extends Error {
  /**
   * @param {string} code one of the table above
   * @param {string} message for the developer's console
   * @param {string} [detail] the server's error code, or what took too long
   * @param {number} [retryAt] when another attempt may succeed, in ms as of Date.now()
   */
  constructor(code, message, detail = "", retryAt = undefined) {
    super(message);
    this.name = "LunaPassError";
    this.code = code;
    this.detail = detail;
    this.retryAt = retryAt;
  }
}

/**
 * Return whether another attempt to connect may succeed.
 *
 * @param {LunaPassError} error
 */
export function isTemporary({ code }) {
  return code === "network.unreachable" || code === "timeout";
}

/**
 * Return the error of a connection that was not resumed.
 *
 * @param {LunaPassError} error why the last attempt to resume failed
 * @returns {LunaPassError}
 */
export function lostFor(error) {
  return isTemporary(error)
    ? new LunaPassError("network.lost", "the connection could not be resumed", error.message)
    : error;
}
