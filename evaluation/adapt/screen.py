"""A picture on a screen: its colours, sub-pixels, moire and reflections."""

import numpy as np

from evaluation.adapt.light import Chance, Light, between, cloud, repeated, slope, stripe_tile


def shown(picture: Light, chance: Chance) -> Light:
    """Show a picture on a random display, with random brightness, angle and surroundings."""
    shape = picture.shape[:2]
    light = _colours(picture, chance)
    if chance.random() < 0.7:
        light = light * _subpixels(shape, chance)
    if chance.random() < 0.6:
        light = light * _moire(shape, chance)
    light = light * (1 + between(chance, 0, 0.2) * slope(shape, chance))  # viewing angle
    return np.asarray(light + _reflections(shape, chance), np.float32)


def _colours(picture: Light, chance: Chance) -> Light:
    """Apply the display's tone curve, white, gamut, brightness and the glow of its black."""
    toned = np.power(np.clip(picture, 1e-4, 1), np.float32(between(chance, 0.8, 1.35)))
    grey = toned.mean(axis=2, keepdims=True)
    coloured = np.maximum(0, grey + np.float32(between(chance, 0.8, 1.35)) * (toned - grey))
    white = [between(chance, 0.98, 1.25), between(chance, 0.95, 1.05), between(chance, 0.82, 1.05)]
    glow = between(chance, 0.002, 0.05)
    light = (glow + (1 - glow) * coloured) * np.array(white, np.float32)
    return np.asarray(light * between(chance, 0.6, 1.5), np.float32)


def _subpixels(shape: tuple[int, int], chance: Chance) -> Light:
    """Return the grid of red, green and blue stripes, as far as the camera resolves it."""
    period, angle = between(chance, 1.7, 4.5), between(chance, -6, 6)
    gap = between(chance, 0, 0.5)
    phases = (2 / 3, 1 / 3, 0.0)  # the stripes of a pixel are red, green, blue from the left
    grid = [repeated(stripe_tile(phase, gap), shape, period, angle) for phase in phases]
    resolved = np.float32(between(chance, 0.02, 0.35))
    return np.asarray(1 - resolved + resolved * np.dstack(grid), np.float32)


def _moire(shape: tuple[int, int], chance: Chance) -> Light:
    """Return coloured waves: the grids of screen and sensor, aliased."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    columns = np.arange(shape[1], dtype=np.float32)[None]
    angle, period = between(chance, 0, np.pi), between(chance, 5, 40)
    turn = (np.cos(angle) * columns + np.sin(angle) * rows) * np.float32(2 * np.pi / period)
    turn = turn + cloud(shape, 4, chance)[..., 0]  # screen and sensor are not quite parallel
    height = between(chance, 0.01, 0.10)
    phase = between(chance, 0, 2.5)
    waves = [np.sin(turn + np.float32(number * phase)) for number in range(3)]
    return np.asarray(1 + height * np.dstack(waves), np.float32)


def _reflections(shape: tuple[int, int], chance: Chance) -> Light:
    """Return the room's light on the glass: a veil, and often a bright patch."""
    tint = chance.uniform(0.9, 1.1, 3).astype(np.float32)
    veil = between(chance, 0, 0.05) * (1 + 0.5 * cloud(shape, 5, chance))
    if chance.random() < 0.35:
        veil = veil + between(chance, 0.03, 0.3) * np.maximum(0, cloud(shape, 3, chance) - 0.6)
    return np.asarray(np.maximum(0, veil) * tint, np.float32)
