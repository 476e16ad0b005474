/** English texts of the hints; pages override them by name (`text`) or by code (`errorMessages`). */

/** @type {Readonly<Record<string, string>>} */
export const WORDS = Object.freeze({
  aim: "Look at the camera",
  one: "Only one person, please",
  closer: "Come closer",
  back: "Move back a little",
  left: "Move a little to the left",
  right: "Move a little to the right",
  up: "Move up a little",
  down: "Move down a little",
  turnRight: "Turn your head to the right",
  turnLeft: "Turn your head to the left",
  untiltRight: "Hold your head upright",
  untiltLeft: "Hold your head upright",
  chinUp: "Raise your chin",
  chinDown: "Lower your chin",
  openEyes: "Open your eyes",
  closeEyes: "Close your eyes for a moment",
  straight: "Look straight ahead",
  uncover: "Close your mouth and uncover your face",
  glasses: "Take off your glasses",
  moreLight: "More light, please",
  lessLight: "Less light, please",
  evenLight: "Turn so that the light falls evenly on your face",
  glare: "There is glare on your face",
  still: "Hold still",
  wait: "Hold on, waiting for a new image",
  checking: "Hold still, checking",
  adviceLight: "Move into better light",
  adviceWall: "Step away from the wall or window",
  adviceGlasses: "Take off glasses that reflect light",
  adviceLens: "Wipe the camera's lens",
  hold: "Good. Keep looking at the camera",
  done: "Done",
  camera: "This camera's image is too small",
  step: "Action {number} of {total}",
});

/**
 * Texts that differ when another person holds the camera.
 *
 * @type {Readonly<Record<string, string>>}
 */
export const OPERATOR_WORDS = Object.freeze({
  aim: "Aim the camera at the face",
  closer: "Bring the camera closer",
  back: "Move the camera back",
  left: "Move the camera left",
  right: "Move the camera right",
  up: "Move the camera lower",
  down: "Move the camera higher",
});
