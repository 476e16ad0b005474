/**
 * Detects whether the browser lets a page read its canvas.
 *
 * Privacy settings and extensions silently return white or noise instead of what was drawn; every
 * frame of a session would be useless. So a known pattern is encoded like a frame and checked.
 */

/** Pixels of a block, as of a JPEG with subsampled colour, which preserves blocks of one colour. */
const BLOCK = 16;
const BLOCKS = 4;
const SIDE = BLOCK * BLOCKS;
/** Mean difference, of 255: encoding causes up to 5, faint noise 1; white and noise over 80. */
export const MAX_DIFFERENCE = 24;

/**
 * Draw the pattern: bits 0 to 2 of a block's number turn its red, green and blue on.
 *
 * @param {HTMLCanvasElement} canvas
 * @returns {boolean} false if the browser provides no canvas
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

/** @param {Blob} picture */
export async function showsPattern(picture) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(picture);
  } catch {
    return false; // not an image
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
 * Return the mean absolute difference between pixels and the pattern.
 *
 * @param {Uint8ClampedArray} pixels RGBA
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
 * @param {number} pixel index, row by row
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
