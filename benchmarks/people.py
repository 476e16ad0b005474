"""Every check on portraits of many people: who is refused by what, and whether measures hold.

    python -m benchmarks.people PORTRAIT...

The first table counts the portraits that fail each check, all checks on every portrait. The second
one renders each person with a turned head, shut eyes and an open mouth, and shows what is measured.
Both are by group: skin by its measured individual typology angle (ITA, Chardon et al. 1991; light
above 41 degrees, dark below 10), glasses by the service's own measure, sex by the file's name.

Portraits are smaller than a kiosk's images, so faces from 80 pixels pass.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import atan2, degrees
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.degradations import skin_mask
from evaluation.judging import failures
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from loadtest.synthetic.look import Look
from loadtest.synthetic.person import Person
from lunapass.demo import portrait_of
from shared.codes import finding
from shared.config.loading import load
from shared.config.luna_pass import ThresholdsSection
from shared.errors import StartupError
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Image, Profile, Stage

RULES = Rules(ThresholdsSection(faceWidth=80, faceHeight=80))
LIGHT, DARK = 41.0, 10.0
YAW, PITCH = 15.0, 12.0


@dataclass(frozen=True)
class Subject:
    """A portrait, its checks, and its groups."""

    name: str
    codes: tuple[int, ...]
    groups: tuple[str, ...]
    person: Person | None


def main(paths: Sequence[Path]) -> None:
    """Print both tables, and the people that each check refuses."""
    backend = OnnxBackend.from_config(load())
    estimator = Estimator(backend, RULES, exhaustive=True)
    people = [subject(path, backend, estimator) for path in paths]
    groups = sorted({group for one in people for group in one.groups}, key=GROUPS.index)
    members = {name: [one for one in people if name in one.groups] for name in groups}
    _print_checks(people, members)
    print()
    _print_rendered(estimator, members)


GROUPS = ("all", "female", "male", "light skin", "medium skin", "dark skin", "glasses")


def subject(path: Path, backend: OnnxBackend, estimator: Estimator) -> Subject:
    """Judge a portrait."""
    image = np.asarray(cv2.imread(str(path)), np.uint8)
    estimate = estimator.estimate(image, Profile.PASSIVE)
    codes = tuple(code for _, found in failures(estimate, RULES) for code in found)
    groups = ["all", path.stem.partition("-")[0]]
    person = None
    try:
        portrait = portrait_of(image, backend)
    except StartupError:
        pass  # no face, or one without a mesh; the table counts it under its code
    else:
        groups.append(skin_of(image, portrait.mesh))
        person = Person(portrait)
    if estimate.glasses not in (None, "no_glasses"):
        groups.append("glasses")
    return Subject(path.stem, codes, tuple(one for one in groups if one in GROUPS), person)


def skin_of(image: Image, mesh: NDArray[np.float32]) -> str:
    """Name the group of a face's skin by its ITA."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    pixels = lab[skin_mask(image, mesh) > 0.9]
    lightness, yellow = float(np.median(pixels[:, 0])), float(np.median(pixels[:, 2]))
    angle = degrees(atan2(lightness - 50, yellow))
    if angle > LIGHT:
        return "light skin"
    return "dark skin" if angle < DARK else "medium skin"


def _print_checks(people: Sequence[Subject], members: dict[str, list[Subject]]) -> None:
    names = [f"{name} ({len(group)})" for name, group in members.items()]
    print(f"| check | {' | '.join(names)} | who |\n|---|{'---:|' * len(names)}---|")
    counts = Counter(code for one in people for code in one.codes)
    for code, _ in counts.most_common():
        refused = [str(sum(code in one.codes for one in group)) for group in members.values()]
        who = ", ".join(one.name for one in people if code in one.codes)
        print(f"| {int(code)} {finding(code)} | {' | '.join(refused)} | {who} |")
    passed = [str(sum(not one.codes for one in group)) for group in members.values()]
    print(f"| none | {' | '.join(passed)} | |")


Measured = dict[str, Estimate]
LOOKS = {
    "rest": Look(),
    "left": Look(yaw=YAW),
    "right": Look(yaw=-YAW),
    "up": Look(pitch=PITCH),
    "down": Look(pitch=-PITCH),
    "shut": Look(left_eye_closed=1.0, right_eye_closed=1.0),
    "open mouth": Look(mouth_open=1.0),
}
"""Each person relative to the own portrait."""


def _yaw_gain(one: Measured) -> float | None:
    return _gain(one["left"], one["right"], lambda pose: pose.yaw, 2 * YAW)


def _pitch_gain(one: Measured) -> float | None:
    return _gain(one["up"], one["down"], lambda pose: pose.pitch, 2 * PITCH)


def _gain(high: Estimate, low: Estimate, angle: Callable[..., float], by: float) -> float | None:
    if high.head_pose is None or low.head_pose is None:
        return None
    return (angle(high.head_pose) - angle(low.head_pose)) / by


def _eyes(look: str, *, are_open: bool) -> Callable[[Measured], bool]:
    def seen(one: Measured) -> bool:
        eyes = one[look].eyes
        return eyes is not None and (eyes.left_open or eyes.right_open) is are_open

    return seen


def _mouth(look: str, *, refused: bool) -> Callable[[Measured], bool]:
    def seen(one: Measured) -> bool:
        return any(stage is Stage.MOUTH for stage, _ in failures(one[look], RULES)) is refused

    return seen


GAINS = {"yaw": _yaw_gain, "pitch": _pitch_gain}
SEEN = {
    "eyes open": _eyes("rest", are_open=True),
    "shut eyes": _eyes("shut", are_open=False),
    "mouth at rest": _mouth("rest", refused=False),
    "open mouth": _mouth("open mouth", refused=True),
}


def _print_rendered(estimator: Estimator, members: dict[str, list[Subject]]) -> None:
    measured = {one.name: _measure(one.person, estimator) for one in members["all"] if one.person}
    head = [f"gain of {axis}: lowest, mean, highest" for axis in GAINS] + list(SEEN)
    print(f"| rendered | {' | '.join(head)} |\n|---|{'---:|' * len(head)}")
    for name, group in members.items():
        found = [measured[one.name] for one in group if one.name in measured]
        cells = [*_gains(found)]
        cells += [f"{sum(map(seen, found))} of {len(found)}" for seen in SEEN.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def _measure(person: Person, estimator: Estimator) -> Measured:
    # Shut eyes count in actions, where each eye's contour is measured.
    profiles = {"shut": Profile.ACTIVE}
    return {
        name: estimator.estimate(person.render(look), profiles.get(name, Profile.PASSIVE))
        for name, look in LOOKS.items()
    }


def _gains(found: Sequence[Measured]) -> Iterator[str]:
    for gain in GAINS.values():
        values = [value for value in map(gain, found) if value is not None]
        yield f"{min(values):.2f}, {np.mean(values):.2f}, {max(values):.2f}" if values else "-"


if __name__ == "__main__":
    main([Path(path) for path in sys.argv[1:]])
