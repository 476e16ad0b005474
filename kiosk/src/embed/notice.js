/** What people see while a connection is made and restored. */

/**
 * @typedef {import("../lib/lunapass.js").Options["onConnection"]} OnConnection
 * @typedef {import("../page/texts.js").Texts} Texts
 */

/**
 * Return a listener that shows the state of the connection: "still connecting" until it has been up
 * once, "connection lost" after that.
 *
 * @param {Pick<Texts, "connecting" | "connectingAgain" | "reconnecting">} texts
 * @param {import("../lib/renderer.js").LPMessageRenderer} renderer
 * @param {OnConnection} [next] the page's own listener
 * @returns {NonNullable<OnConnection>}
 */
export function connectionNotice(texts, renderer, next) {
  let wasUp = false;
  return (state, attempt) => {
    wasUp ||= state === "up";
    const again = wasUp ? texts.reconnecting : texts.connectingAgain;
    renderer.notice(state === "up" ? texts.connecting : again.replace("{count}", `${attempt}`));
    next?.(state, attempt);
  };
}
