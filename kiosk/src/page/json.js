/** JSON files beside the page. */

const TIMEOUT_MS = 5000;

/**
 * @param {string} path relative to the page
 * @returns {Promise<any>}
 * @throws {Error} the file cannot be loaded within five seconds, or is not JSON
 */
export async function loadJson(path) {
  // location.href: document.baseURI may contain a password, which fetch refuses
  const answer = await fetch(new URL(path, location.href), {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}
