/** The classic script: defines the globals `LunaPass` and `LunaPassError`. */

import { LunaPassError } from "../lib/errors.js";
import { LunaPass } from "../lib/lunapass.js";

Object.assign(globalThis, { LunaPass, LunaPassError });
