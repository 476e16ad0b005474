/** The start token, which the page's own server issues. */

import { LunaPassError } from "./errors.js";

/**
 * @param {() => string | Promise<string>} startToken
 * @throws {LunaPassError} code `network.unreachable` if the page's function fails
 */
export async function askForToken(startToken) {
  try {
    return await startToken();
  } catch (error) {
    if (error instanceof LunaPassError) throw error;
    throw new LunaPassError("network.unreachable", `there is no start token: ${error}`);
  }
}
