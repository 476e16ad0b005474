/**
 * Whether the browser lets a page read its canvas.
 *
 * Privacy settings and extensions answer with white or noise in place of what was drawn, without
 * any error: the service would be sent such pictures for ever. So a known pattern is encoded as
 * frames are, and looked at.
 */

/** Pixels of a block: those of a JPEG with halved colour, which keeps a block of one colour. */
const BLOCK = 16;
const BLOCKS = 4;
const SIDE = BLOCK * BLOCKS;
/** Mean difference, of 255: encoding costs up to 5, faint noise 1; white and noise are past 80. */
export const MAX_DIFFERENCE = 24;

/**
 * Draw the pattern: blocks whose red, green and blue are on or off by the bits of their number.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {boolean} false where the browser gives no canvas
 */
export function drawPattern(canvas) {
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) return false;
  for (let number = 0; number < BLOCKS * BLOCKS; number++) {
    context.fillStyle = `rgb(${[0, 1, 2].map((channel) => level(number, channel)).join(" ")})`;
    const [x, y] = [number % BLOCKS, Math.floor(number / BLOCKS)];
    context.fillRect(x * BLOCK, y * BLOCK, BLOCK, BLOCK);
  }
  return true;
}

/**
 * Whether an encoded picture shows the pattern.
 *
 * @param {Blob} picture
 */
export async function showsPattern(picture) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(picture);
  } catch {
    return false; // not even a picture
  }
  if (bitmap.width !== SIDE || bitmap.height !== SIDE) return false;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) return false;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return difference(context.getImageData(0, 0, SIDE, SIDE).data) <= MAX_DIFFERENCE;
}

/**
 * Mean absolute difference between pixels and the pattern.
 *
 * @param {Uint8ClampedArray} pixels red, green, blue and opacity of each
 */
export function difference(pixels) {
  let sum = 0;
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      sum += Math.abs(levelAt(pixel, channel) - (pixels[4 * pixel + channel] ?? 0));
    }
  }
  return sum / (3 * SIDE * SIDE);
}

/**
 * Level of the pattern.
 *
 * @param {number} pixel row by row
 * @param {number} channel 0 red, 1 green, 2 blue
 */
export function levelAt(pixel, channel) {
  const [x, y] = [pixel % SIDE, Math.floor(pixel / SIDE)];
  return level(Math.floor(y / BLOCK) * BLOCKS + Math.floor(x / BLOCK), channel);
}

/**
 * @param {number} block
 * @param {number} channel
 */
function level(block, channel) {
  return (block >> channel) & 1 ? 230 : 25;
}
