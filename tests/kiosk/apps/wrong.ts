/** Calls that the compiler must refuse; it complains of each that it accepts. */
import { LunaPass } from "open-lunapass";
import { FaceLiveness } from "open-lunapass/react";

// @ts-expect-error: there is no such mode
new LunaPass(document.body, { mode: "mirror" });
// @ts-expect-error: an address is a string
FaceLiveness({ url: 1 });
