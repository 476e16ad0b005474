/** The classic script: defines the global `LPMessageRenderer`. */

import { LPMessageRenderer } from "../lib/renderer.js";

Object.assign(globalThis, { LPMessageRenderer });
