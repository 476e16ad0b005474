"""Decides from the colours of face and background whether a face answers a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.screen_light.sequence import Array, LightSequence

LAGS = np.arange(0, 0.61, 0.1)
"""Assumed delays between page and frame, in seconds; one step is half of a frame interval."""
OUTLIER_MADS = 4.0
"""Values further from the median are cut to this many median deviations: a hand, a passer-by."""
MAX_CHANCE = 0.01
EXPONENTS = (-0.6, 0.15)
"""Of 60 live sessions at twice the screen's light all were within (portraits 0, 4, 8 ... of 80,
seeds that the table does not use), of 60 videos on a bright glossy screen one."""


@dataclass(frozen=True)
class Colours:
    """Mean linear colours of regions of the frames.

    Attributes:
        face: the middle of the face, (frames, 3).
        background: both sides of the head, (frames, 3).
        levels: the head's pixels in classes of equal size, the darkest first,
            (frames, classes, 3).
    """

    face: Array
    background: Array
    levels: Array


@dataclass(frozen=True)
class Answer:
    """How a face answers a sequence.

    Attributes:
        correlation: mean correlation of both colour differences, at the best delay.
        chance: share of random sequences with at least that correlation; it is the probability that
            a recording made without knowledge of the sequence gets so far.
        gain: change of the logarithm of the face's colour, relative to the background's, per change
            of the screen from none to white.
        exponent: how the gain changes with the brightness of the head's parts. Light that falls on
            a head changes bright and dark parts by the same factor (0); a reflection in glass adds
            the same to both (-1).
    """

    correlation: float
    chance: float
    gain: float
    exponent: float

    @property
    def correlated(self) -> bool:
        """Whether the face follows the sequence."""
        return self.chance <= MAX_CHANCE and self.gain > 0

    @property
    def accepted(self) -> bool:
        """Whether the face follows the sequence as a surface does and not as glass."""
        return self.correlated and EXPONENTS[0] < self.exponent < EXPONENTS[1]


def answer(
    times: Array, colours: Colours, shown: LightSequence, others: list[LightSequence]
) -> Answer:
    """Compare the face's colours with the shown sequence.

    Args:
        times: when the service received the frames, in seconds since it sent the sequence.
        colours: measured in the frames.
        shown: the sequence of this session.
        others: random sequences of the same kind; they give the distribution without an answer.
    """
    basis = _trend(times)
    background = _hues(colours.background)
    face = _residual(_cut(_hues(colours.face) - background), basis)
    correlations, lights = _at_all_lags(face, times, shown, basis)
    best = int(correlations.argmax())
    reached = sum(
        _at_all_lags(face, times, other, basis)[0].max() >= correlations[best] for other in others
    )
    light = lights[best]
    gains = [
        _gain(_residual(_cut(_hues(colours.levels[:, level]) - background), basis), light)
        for level in range(1, colours.levels.shape[1])  # the darkest class is mostly noise
    ]
    brightness = colours.levels[:, 1:].mean(axis=(0, 2))
    return Answer(
        correlation=float(correlations[best]),
        chance=(1 + reached) / (1 + len(others)),
        gain=_gain(face, light),
        exponent=float(np.polyfit(np.log(brightness), np.log(np.maximum(gains, 1e-3)), 1)[0]),
    )


def _hues(colours: Array) -> Array:
    """Logarithms of red and blue over green: white balance adds a constant to them."""
    logs: Array = np.log(np.maximum(colours, 1e-4))
    return logs[..., [0, 2]] - logs[..., [1]]


def _trend(times: Array) -> Array:
    """Orthonormal constant, slope and bend, which slow drifts of light and camera follow."""
    return np.asarray(np.linalg.qr(np.vander(times / times[-1], 3))[0])


def _residual(values: Array, basis: Array) -> Array:
    return np.asarray(values - basis @ (basis.T @ values))


def _cut(values: Array) -> Array:
    middle = np.median(values, axis=0)
    reach = OUTLIER_MADS * np.median(np.abs(values - middle), axis=0)
    return np.clip(values, middle - reach, middle + reach)


def _at_all_lags(
    face: Array, times: Array, sequence: LightSequence, basis: Array
) -> tuple[Array, Array]:
    """Return the correlation at each delay, and the light's colour differences then."""
    light = sequence.at((times - LAGS[:, None]).ravel()).reshape(len(LAGS), len(times), 3)
    expected = _residual(light[..., [0, 2]] - light[..., [1]], basis)
    norms = np.linalg.norm(face, axis=0) * np.linalg.norm(expected, axis=1)
    correlations = (face * expected).sum(axis=1) / np.maximum(norms, 1e-12)
    return correlations.mean(axis=1), expected


def _gain(hues: Array, light: Array) -> float:
    return float((hues * light).sum() / (light**2).sum())
