/** Detects faces in the browser, so that frames without a face are not sent. Loaded on demand. */

import Human from "@vladmandic/human";

const here = new URL(".", import.meta.url).href;

/** Only the face detector, on the CPU: many kiosks have no usable GPU. */
const SETTINGS = {
  backend: /** @type {const} */ ("wasm"),
  wasmPath: here,
  modelBasePath: here,
  cacheModels: false,
  debug: false,
  async: false,
  warmup: /** @type {const} */ ("none"),
  filter: { enabled: false },
  gesture: { enabled: false },
  face: {
    enabled: true,
    detector: { modelPath: "blazeface.json", maxDetected: 1, minConfidence: 0.3, rotation: false },
    mesh: { enabled: false },
    iris: { enabled: false },
    attention: { enabled: false },
    description: { enabled: false },
    emotion: { enabled: false },
    antispoof: { enabled: false },
    liveness: { enabled: false },
  },
  body: { enabled: false },
  hand: { enabled: false },
  object: { enabled: false },
  segmentation: { enabled: false },
};

/** @type {Promise<import("../lib/check.js").Detector> | null} */
let loaded = null;

/** Load the model once per page: its memory is only released with the page. */
export function load() {
  loaded ??= make().catch((error) => {
    loaded = null;
    throw error;
  });
  return loaded;
}

/** @returns {Promise<import("../lib/check.js").Detector>} */
async function make() {
  const human = new Human(SETTINGS);
  await human.load();
  return {
    async sees(video) {
      const { face } = await human.detect(video);
      return face.length > 0;
    },
  };
}
