"""``lunapass adapt`` on a simulated site: errors before and after, a refusal, and the cost.

    python -m benchmarks.adapt PORTRAITS [PRINT LIVE]

PORTRAITS has an image per person. Half of them train a head. Of the others, the second simulator
(``benchmarks.recaptures``) makes live frames and attacks, which the head is checked on. PRINT and
LIVE are a real print and a real live image. The cost is CPU time, with and without the head in
turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path
from time import process_time

import cv2
import numpy as np

from benchmarks.recaptures import ATTACKS, photographed
from benchmarks.setting import MODELS, passing_frames, pin_last_cpu
from evaluation.adapt.checking import Comparison, compare
from evaluation.adapt.light import to_pixels
from evaluation.adapt.observing import Gathered, SimulationPlan, gather
from evaluation.adapt.recapture import Scene
from evaluation.adapt.result import Adaptation, head_file
from evaluation.adapt.training import Trained, train
from evaluation.samples import ATTACK, LIVE, PICTURES, Sample, read
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from lunapass.commands.adapt import Bench
from shared.config.service import Config, ModelsSection
from shared.frame.checks import Rules
from shared.frame.estimation import Image, Profile

COPIES = 3
"""Simulated frames of each kind from each person."""
ROUNDS = 40


def main() -> None:
    """Print a table of errors, the refusal and the cost."""
    portraits, *real = map(Path, sys.argv[1:])
    config = Config(MODELS=ModelsSection(directory=str(MODELS)))
    bench = Bench(config)
    files = sorted(path for path in portraits.iterdir() if path.suffix in PICTURES)
    people = [Sample(file, file.name, "", file.stem) for file in files]
    training, others = people[::4] + people[1::4], people[2::4] + people[3::4]
    gathered = gather(training, bench.frames, bench.observer, SimulationPlan(recaptures=COPIES))
    trained = train(gathered.observations)
    with tempfile.TemporaryDirectory() as folder:
        labelled = _labelled(others, bench, Path(folder))
        head = Adaptation(gathered, trained, head_file(gathered, trained, bench.models, 0))
        found = replace(head, comparison=_compare(labelled, bench, gathered, trained))
        _print("simulated recaptures, people not in training", found.rows())
        _print("second simulator, other people", found.checked_rows())
        print(found.advice)
        right = _already_right(labelled, found.comparison)
        useless = replace(head, comparison=_compare(right, bench, gathered, trained))
        print(f"only presentations that are right without a head: {useless.advice}")
        if real:
            _print_real(real, bench, trained)
        _print_cost(config, found, Path(folder))


def _labelled(people: list[Sample], bench: Bench, folder: Path) -> list[Sample]:
    """Write a labelled set with the second simulator."""
    chance, number = np.random.default_rng(99), count()

    def save(image: Image, *parts: str) -> None:
        path = folder.joinpath(*parts, f"{next(number)}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)

    for person in people:
        image = next(iter(bench.frames(person.path)))
        face = bench.observer.usable_face(image)
        if isinstance(face, str):
            print(f"{person.name}: not used, {face}")
            continue
        scene = Scene.of(image, face)
        pixels = to_pixels(scene.light)
        for _ in range(COPIES):
            save(photographed(pixels, scene.face, chance), LIVE, person.subject)
            for species, attack in ATTACKS.items():
                save(attack(pixels, scene.face, chance), ATTACK, species, person.subject)
    return read(folder, PICTURES)


def _compare(
    samples: list[Sample], bench: Bench, gathered: Gathered, trained: Trained
) -> Comparison:
    return compare(
        samples, bench.frames, bench.observer, trained.head, trained_on=gathered.files, every=1
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


def _print_real(files: list[Path], bench: Bench, trained: Trained) -> None:
    for file in files:
        seen = bench.observer.observe(next(iter(bench.frames(file))), "", "")
        assert seen is not None
        correction = float(trained.head.correction(seen.features[None])[0])
        before, after = (1 / (1 + np.exp(-x)) for x in (seen.log_odds, seen.log_odds + correction))
        print(f"{file.name}: score {before:.3f} without a head, {after:.3f} with it")


def _print_cost(config: Config, found: Adaptation, folder: Path) -> None:
    """Print the CPU of frames that pass, and of frames that fail before liveness."""
    pin_last_cpu()
    file = folder / "head.json"
    file.write_text(found.file.text())
    with_head = config.model_copy(
        update={"MODELS": config.MODELS.model_copy(update={"siteHead": str(file)})}
    )
    estimators = {
        name: Estimator(OnnxBackend.from_config(each), Rules())
        for name, each in (("without", config), ("with", with_head))
    }
    frame = passing_frames(estimators["without"])[0]
    dark = np.asarray(frame // 8, np.uint8)
    for name, image in (("reaches liveness", frame), ("fails before", dark)):
        spent: dict[str, list[float]] = {key: [] for key in estimators}
        for _ in range(ROUNDS):
            for key, estimator in estimators.items():
                start = process_time()
                estimator.estimate(image, Profile.PASSIVE)
                spent[key].append(process_time() - start)
        ms = {key: 1000 * statistics.median(values) for key, values in spent.items()}
        print(
            f"CPU of a frame that {name}: {ms['without']:.2f} ms, {ms['with']:.2f} ms with a head"
        )


if __name__ == "__main__":
    main()
