/** Kiosk mode: the page on a screen that is always on and that many people touch. */

/** What a browser offers that a kiosk must not: menus, dragged images, selected text. */
const UNWANTED = ["contextmenu", "dragstart", "selectstart"];

/** @param {readonly string[]} controls which of `language` and `zoom` people may use */
export function enterKioskMode(controls) {
  document.body.dataset.kiosk = controls.join(" ");
  for (const name of UNWANTED) document.addEventListener(name, (event) => event.preventDefault());
  document.addEventListener("click", fillScreen);
  document.addEventListener("visibilitychange", stayAwake);
  stayAwake();
}

/** Enter full screen. Browsers allow that only after a touch, and leave it at a key or a gesture. */
async function fillScreen() {
  if (document.fullscreenElement !== null || !document.fullscreenEnabled) return;
  try {
    await document.documentElement.requestFullscreen({ navigationUI: "hide" });
  } catch (error) {
    console.info("the browser refused full screen:", error);
  }
}

/** Keep the screen on. The browser releases this lock when the page is hidden. */
async function stayAwake() {
  if (document.visibilityState === "hidden" || !("wakeLock" in navigator)) return;
  try {
    await navigator.wakeLock.request("screen");
  } catch (error) {
    console.info("the browser does not keep the screen on:", error);
  }
}
