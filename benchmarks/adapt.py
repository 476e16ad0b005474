"""``lunapass adapt`` on a simulated site: errors before and after, a refusal, and the cost.

    python -m benchmarks.adapt PORTRAITS [PRINT LIVE]

PORTRAITS has an image per person. One simulated camera takes all of them; half of the people train
a head. Of the others, it also takes prints and screens of the second simulator
(``benchmarks.recaptures``), and the head is checked on them. PRINT and LIVE are a real print and a
real live image, of another camera. The cost is CPU time, with and without the head in turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import process_time
from types import MappingProxyType

import cv2
import numpy as np

from benchmarks.recaptures import ATTACKS, Attack, SiteCamera
from benchmarks.setting import MODELS, pin_last_cpu
from evaluation.adapt.checking import Comparison, compare
from evaluation.adapt.light import to_pixels
from evaluation.adapt.observing import Gathered, SimulationPlan, gather
from evaluation.adapt.recapture import Scene
from evaluation.adapt.result import Adaptation, head_file
from evaluation.adapt.training import Trained, train
from evaluation.samples import ATTACK, LIVE, PICTURES, Sample, read
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from lunapass.commands.adapt import LivenessSetup
from shared.config.luna_pass import ThresholdsSection
from shared.config.service import Config, ModelsSection
from shared.frame.checks import Rules
from shared.frame.estimation import Box, Image, Profile

RECAPTURES, COPIES = 3, 2
"""Simulated frames of each kind from each person, in training and in the check."""
ROUNDS = 40
SMALL_FACES = Rules(ThresholdsSection(faceWidth=80, faceHeight=80))
"""The portraits' faces have fewer than 200 pixels."""


def main() -> None:
    """Print a table of errors, the refusal and the cost."""
    portraits, *real = map(Path, sys.argv[1:])
    config = Config(MODELS=ModelsSection(directory=str(MODELS)))
    setup = LivenessSetup(config)
    files = sorted(path for path in portraits.iterdir() if path.suffix in PICTURES)
    people = [Sample(file, file.name, "", file.stem) for file in files]
    with tempfile.TemporaryDirectory() as folder:
        _judge(people, real, setup, config, Path(folder))


def _judge(
    people: list[Sample], real: list[Path], setup: LivenessSetup, config: Config, folder: Path
) -> None:
    training = _photographed(people[::4] + people[1::4], setup, folder / "training")
    plan = SimulationPlan(recaptures=RECAPTURES)
    gathered = gather(training, setup.frames, setup.observer, plan)
    trained = train(gathered.observations)
    labelled = _photographed(
        people[2::4] + people[3::4], setup, folder / "check", ATTACKS, copies=COPIES
    )
    head = Adaptation(gathered, trained, head_file(gathered, trained, setup.models, 0))
    found = replace(head, comparison=_compare(labelled, setup, gathered, trained))
    _print("simulated recaptures, people not in training", found.rows())
    _print("second simulator, other people", found.checked_rows())
    counts = Counter(one.species or LIVE for one in labelled)
    print(f"trained on {found.file.origin.frames} people; checked on {dict(counts)}")
    print(found.advice)
    right = _already_right(labelled, found.comparison)
    useless = replace(head, comparison=_compare(right, setup, gathered, trained))
    print(f"only presentations that are right without a head: {useless.advice}")
    _print_real(real, setup, trained)
    _print_cost(config, found, folder, next(iter(setup.frames(people[0].path))))


def _photographed(
    people: list[Sample],
    setup: LivenessSetup,
    folder: Path,
    attacks: Mapping[str, Attack] = MappingProxyType({}),
    *,
    copies: int = 1,
) -> list[Sample]:
    """Let the camera take people, and attacks that show them; write a labelled set."""
    camera, chance, number = SiteCamera(7), np.random.default_rng(99), count()

    def save(image: Image, face: Box, *parts: str) -> None:
        path = folder.joinpath(*parts, f"{next(number)}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), camera.take(image, face, chance))

    for person in people:
        image = next(iter(setup.frames(person.path)))
        face = setup.observer.usable_face(image)
        if isinstance(face, str):
            print(f"{person.name}: not used, {face}")
            continue
        scene = Scene.of(image, face)
        pixels = to_pixels(scene.light)
        for _ in range(copies):
            save(pixels, scene.face, LIVE, person.subject)
            for species, attack in attacks.items():
                shown = attack(pixels, scene.face, chance)
                save(shown, scene.face, ATTACK, species, person.subject)
    return read(folder, PICTURES)


def _compare(
    samples: list[Sample], setup: LivenessSetup, gathered: Gathered, trained: Trained
) -> Comparison:
    return compare(
        samples, setup.frames, setup.observer, trained.head, trained_on=gathered.files, every=1
    )


def _already_right(samples: list[Sample], found: Comparison | None) -> list[Sample]:
    """Return the presentations that are judged right without a head."""
    assert found is not None
    right = {one.name for one in found.presentations if (one.before >= 0.5) == (one.kind == LIVE)}
    return [one for one in samples if one.name in right]


def _print(title: str, rows: list[tuple[str, float, float]]) -> None:
    print(f"\n| {title} | without a head | with the head |\n|---|---:|---:|")
    for name, before, after in rows:
        print(f"| {name} | {100 * before:.1f} % | {100 * after:.1f} % |")


def _print_real(files: list[Path], setup: LivenessSetup, trained: Trained) -> None:
    for file in files:
        seen = setup.observer.observe(next(iter(setup.frames(file))), "", "")
        assert seen is not None
        correction = float(trained.head.correction(seen.features[None])[0])
        before, after = (1 / (1 + np.exp(-x)) for x in (seen.log_odds, seen.log_odds + correction))
        print(f"{file.name}: score {before:.3f} without a head, {after:.3f} with it")


def _print_cost(config: Config, found: Adaptation, folder: Path, frame: Image) -> None:
    """Print the CPU of frames that pass, and of frames that fail before liveness."""
    pin_last_cpu()
    file = folder / "head.json"
    file.write_text(found.file.text())
    with_head = config.model_copy(
        update={"MODELS": config.MODELS.model_copy(update={"siteHead": str(file)})}
    )
    estimators = {
        name: Estimator(OnnxBackend.from_config(each), SMALL_FACES)
        for name, each in (("without", config), ("with", with_head))
    }
    dark = np.asarray(frame // 8, np.uint8)
    for name, image in (("reaches liveness", frame), ("fails before", dark)):
        spent: dict[str, list[float]] = {key: [] for key in estimators}
        for _ in range(ROUNDS):
            for key, estimator in estimators.items():
                start = process_time()
                estimate = estimator.estimate(image, Profile.PASSIVE)
                spent[key].append(process_time() - start)
                assert estimate.reached_liveness == (image is frame)
        ms = {key: 1000 * statistics.median(values) for key, values in spent.items()}
        print(
            f"CPU of a frame that {name}: {ms['without']:.2f} ms, {ms['with']:.2f} ms with a head"
        )


if __name__ == "__main__":
    main()
