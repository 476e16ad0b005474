/** What the test reads: what happened, and how to mount the check again. */
import type { Verdict } from "open-lunapass";

type Recorded = { hints: string[]; verdict?: Verdict; error?: string; mountAgain?: () => void };

declare global {
  interface Window {
    recorded: Recorded;
  }
}

export const recorded: Recorded = (window.recorded = { hints: [] });
export const startToken = "of the relying party";
export const url = `ws://${location.host}/ws`;
export const app = document.getElementById("app")!;
