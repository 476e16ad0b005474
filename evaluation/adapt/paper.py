"""A picture printed on paper: inks, dots, the sheet and how it is held."""

import cv2
import numpy as np

from evaluation.adapt.light import Chance, Light, between, cloud, dot_tile, grain, repeated, slope

INK_ANGLES = (0.0, 75.0, 15.0)
"""Angles of the screens of yellow, magenta and cyan, which absorb blue, green and red."""
_DOTS = dot_tile()


def printed(picture: Light, chance: Chance) -> Light:
    """Print a picture with a random printer, paper, bend and lamp."""
    shape = picture.shape[:2]
    inks = _inks(picture, chance)
    dots = _halftone(inks, chance) if chance.random() < 0.5 else _sprayed(inks, chance)
    paper = np.array([between(chance, 0.80, 1.02), between(chance, 0.86, 1.0), 1], np.float32)
    sheet = dots * paper * between(chance, 0.75, 1.05)
    sheet *= 1 + between(chance, 0, 0.03) * grain(shape, between(chance, 1, 4), chance)
    return _held(sheet, chance)


def _inks(picture: Light, chance: Chance) -> Light:
    """Reduce a picture to what inks reflect: less contrast, other tones, fewer colours."""
    grey = picture.mean(axis=2, keepdims=True)
    faded = grey + np.float32(between(chance, 0.65, 1.2)) * (picture - grey)
    toned = np.power(np.clip(faded, 1e-4, 1), np.float32(between(chance, 0.75, 1.3)))
    black = between(chance, 0.015, 0.10)
    cast = chance.uniform(0.94, 1.06, 3).astype(np.float32)
    return np.asarray((black + (1 - black) * toned) * cast, np.float32)


def _halftone(inks: Light, chance: Chance) -> Light:
    """Replace tones by dots of each ink, as a laser printer or a press does."""
    shape = inks.shape[:2]
    period = between(chance, 1.6, 4.0)
    screens = [repeated(_DOTS, shape, period, angle) for angle in INK_ANGLES]
    dots = np.clip((inks - np.dstack(screens)) * 6 + 0.5, 0, 1)
    share = np.float32(between(chance, 0.05, 0.5))
    return np.asarray((1 - share) * inks + share * dots, np.float32)


def _sprayed(inks: Light, chance: Chance) -> Light:
    """Add the grain of ink drops, strongest in middle tones, and the lines of the print head."""
    height, width, _ = inks.shape
    strength = between(chance, 0.02, 0.14) * np.sqrt(np.clip(inks * (1 - inks), 0, 0.25))
    drops = np.dstack([grain((height, width), between(chance, 1, 2), chance) for _ in range(3)])
    lines = 1 + between(chance, 0, 0.025) * chance.standard_normal((height, 1, 1), np.float32)
    return np.asarray((inks + 2 * strength * drops) * lines, np.float32)


def _held(sheet: Light, chance: Chance) -> Light:
    """Bend the sheet and light it from one side; glossy paper also reflects the lamp."""
    height, width, _ = sheet.shape
    bend = between(chance, -0.06, 0.06)
    columns = np.linspace(-1, 1, width, dtype=np.float32)
    rows = np.linspace(-1, 1, height, dtype=np.float32)
    bowed = rows[:, None] + np.float32(bend) * (1 - columns[None] ** 2)
    narrowed = columns * (1 - abs(bend) * (1 - np.abs(columns)))
    across = np.broadcast_to((narrowed + 1) / 2 * (width - 1), (height, width))
    down = (bowed + 1) / 2 * (height - 1)
    curled = cv2.remap(
        sheet,
        np.ascontiguousarray(across, np.float32),
        np.ascontiguousarray(down, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    lamp = 1 + between(chance, 0, 0.25) * slope((height, width), chance)
    lamp += np.float32(3 * bend) * columns[None, :, None]
    lit = curled * np.maximum(0.2, lamp)
    if chance.random() < 0.35:
        shine = np.maximum(0, cloud((height, width), 4, chance) - 0.8)
        lit = lit + between(chance, 0.02, 0.25) * shine
    return np.asarray(lit, np.float32)
