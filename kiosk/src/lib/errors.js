/**
 * The library's error: each has a code, so that a page can choose its own words.
 *
 * | code                | meaning                                                      |
 * |---------------------|--------------------------------------------------------------|
 * | camera.none         | no camera, or none that fits the constraints                 |
 * | camera.denied       | the person or the browser's settings forbid the camera       |
 * | camera.busy         | the camera is there but cannot be read                       |
 * | camera.lost         | the camera ended in the middle                               |
 * | page.insecure       | browsers give a camera only to https pages and to localhost  |
 * | page.canvas         | the browser gives white or noise for what a page draws       |
 * | network.unreachable | the service does not answer                                  |
 * | network.lost        | the connection broke and could not be resumed                |
 * | server.full         | the service takes no further session now                     |
 * | server.refused      | the service does not accept what the page sends              |
 * | session.replaced    | the session was resumed elsewhere                            |
 * | timeout             | something did not happen in time; `detail` names it          |
 * | state               | a method was called out of turn                              |
 * | aborted             | the page itself ended the check                              |
 */
export class LunaPassError extends Error {
  /**
   * @param {string} code one of the table above
   * @param {string} message for the developer's console
   * @param {string} [detail] what the server said, or what was waited for
   */
  constructor(code, message, detail = "") {
    super(message);
    this.name = "LunaPassError";
    this.code = code;
    this.detail = detail;
  }
}
