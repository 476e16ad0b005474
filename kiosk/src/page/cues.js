/** Sound and vibration for prompts that shut the eyes: a person with shut eyes sees no next prompt. */

const SHUT_HINT = "closeEyes";
/** Late cues would belong to an earlier prompt. */
const MAX_DELAY_MS = 500;
const TONE_S = 0.16;
const VOLUME = 0.25;

/** Falling for "shut", rising for "look again". */
const CUES = Object.freeze({
  shut: { tones: [660, 440], vibration: [250] },
  open: { tones: [660, 880], vibration: [100, 80, 100] },
});

export class Cues {
  #isOn;
  /** @type {AudioContext | null} */
  #context = null;
  #isShut = false;

  /** @param {boolean} isOn */
  constructor(isOn) {
    this.#isOn = isOn;
  }

  /** Get ready for a check; call it in a click, because browsers allow sound only then. */
  async start() {
    this.#isShut = false;
    if (!this.#isOn || this.#context !== null) return;
    try {
      this.#context = new AudioContext();
      await this.#context.resume();
      await this.#context.suspend(); // it uses the processor even in silence
    } catch (error) {
      console.info("the browser plays no sound:", error);
    }
  }

  /** @param {string} hint that is shown now */
  show(hint) {
    const isShut = hint === SHUT_HINT;
    if (isShut === this.#isShut) return;
    this.#isShut = isShut;
    if (this.#isOn) this.#give(CUES[isShut ? "shut" : "open"]);
  }

  /** @param {{tones: readonly number[], vibration: number[]}} cue */
  #give({ tones, vibration }) {
    const isMotionReduced = matchMedia("(prefers-reduced-motion: reduce)").matches;
    if (!isMotionReduced && "vibrate" in navigator) navigator.vibrate(vibration);
    if (this.#context !== null) this.#play(this.#context, tones);
  }

  /**
   * @param {AudioContext} context
   * @param {readonly number[]} tones frequencies in Hz
   */
  async #play(context, tones) {
    const asked = performance.now();
    await context.resume(); // never settles where the browser forbids sound
    if (performance.now() - asked > MAX_DELAY_MS) return;
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    oscillator.connect(gain).connect(context.destination);
    const begin = context.currentTime;
    const end = begin + tones.length * TONE_S;
    tones.forEach((tone, index) => {
      oscillator.frequency.setValueAtTime(tone, begin + index * TONE_S);
    });
    gain.gain.setValueAtTime(0, begin); // a sudden edge would click
    gain.gain.linearRampToValueAtTime(VOLUME, begin + 0.02);
    gain.gain.setValueAtTime(VOLUME, end - 0.04);
    gain.gain.linearRampToValueAtTime(0, end);
    oscillator.start(begin);
    oscillator.stop(end);
    oscillator.onended = () => context.suspend();
  }
}
