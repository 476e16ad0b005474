"""Verdicts and CPU time of two checkouts on the same images, for a change of the estimation.

    python -m benchmarks.verdicts MEDIA --against CHECKOUT [--step N]

Every form of every person (``benchmarks.forms``) is judged by this checkout and by another one,
each with its own virtual environment and models, in turn. The first table shows the good frames
that each stage refuses, and the bad ones that lack their code or pass, how many people one of the
two judges better, and how likely such a difference is by chance (sign test over people). The second
table shows the CPU time of frames that end at the same stage in both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain
from math import comb
from pathlib import Path
from statistics import mean
from typing import IO, Any

from benchmarks.forms import Form, forms
from benchmarks.judge import SIDES
from benchmarks.setting import MODELS
from inference_pool.models.store import ModelStore
from inference_pool.onnx.backend import OnnxBackend
from shared.frame.estimation import Image
from tests.support.service import ROOT

Found = dict[str, Any]
"""What ``benchmarks.judge`` prints for an image."""


@dataclass(frozen=True)
class Pair:
    """A form, and what this checkout and the other one found."""

    form: Form
    this: Found
    other: Found


class Judge:
    """A process that judges images by the code of a checkout."""

    def __init__(self, images: IO[bytes], found: IO[bytes]) -> None:
        self._images = images
        self._found = found

    def judge(self, image: Image) -> Found:
        """Return what the checkout finds."""
        height, width = image.shape[:2]
        self._images.write(SIDES.pack(height, width) + image.tobytes())
        self._images.flush()
        found: Found = json.loads(self._found.readline())
        return found


@contextmanager
def judging(checkout: Path) -> Iterator[Judge]:
    """Run a judge of a checkout."""
    with subprocess.Popen(
        [checkout / ".venv" / "bin" / "python", ROOT / "benchmarks" / "judge.py"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Judge(process.stdin, process.stdout)
        process.stdin.close()


def chance(better: int, worse: int) -> float:
    """Two-sided p of a sign test: how likely so uneven a split is if both are equally good."""
    people, fewer = better + worse, min(better, worse)
    tail = sum(comb(people, count) for count in range(fewer + 1)) / 2.0**people
    return min(1.0, 2 * tail)


Error = Callable[[Form, Found], bool]


def refused_by(stage: str) -> Error:
    """Return a test for a good frame that a stage refuses."""
    return lambda form, found: bool(found["stages"][stage])


def lacks_code(form: Form, found: Found) -> bool:
    """Return whether no check gave a bad frame one of its codes."""
    return not form.codes.intersection(chain.from_iterable(found["stages"].values()))


def passes(form: Form, found: Found) -> bool:
    """Return whether a bad frame passes all checks."""
    return bool(found["ok"])


def row(name: str, pairs: Sequence[Pair], is_error: Error) -> str:
    """Compare one kind of error on some frames."""
    errors = [0, 0]
    people: Counter[str] = Counter()
    for pair in pairs:
        this, other = (is_error(pair.form, found) for found in (pair.this, pair.other))
        errors = [errors[0] + this, errors[1] + other]
        people[pair.form.person] += this - other
    better, worse = (sum(sign * more < 0 for more in people.values()) for sign in (1, -1))
    return (
        f"| {name} | {len(pairs)} | {errors[1]} | {errors[0]} | {better} | {worse}"
        f" | {chance(better, worse):.2f} |"
    )


def print_tables(pairs: Sequence[Pair]) -> None:
    """Print all kinds of errors, the people lost, and the CPU time."""
    print("| errors | frames | other | this | people better | worse | p |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    good = [pair for pair in pairs if not pair.form.codes]
    for stage in pairs[0].this["stages"]:
        print(row(f"good, refused by {stage}", good, refused_by(stage)))
    for name in sorted({pair.form.name for pair in pairs if pair.form.codes}):
        bad = [pair for pair in pairs if pair.form.codes and pair.form.name == name]
        print(row(f"{name}, without its code", bad, lacks_code))
        print(row(f"{name}, passes", bad, passes))
    undamaged = [pair for pair in good if pair.form.name == "as stored"]
    lost = [pair.form.person for pair in undamaged if pair.other["ok"] and not pair.this["ok"]]
    print(f"\nundamaged, accepted only by the other: {lost}")
    print("\n| frames that end at | frames | CPU: other, ms | this, ms | ratio |")
    print("|---|---:|---:|---:|---:|")
    for end in ("passes", *pairs[0].this["stages"]):
        same = [pair for pair in pairs if _end(pair.this) == _end(pair.other) == end]
        if same:
            this = 1000 * mean(pair.this["cpu"] for pair in same)
            other = 1000 * mean(pair.other["cpu"] for pair in same)
            print(f"| {end} | {len(same)} | {other:.2f} | {this:.2f} | {this / other:.2f} |")


def _end(found: Found) -> str:
    return "passes" if found["ok"] else found["end"]


def main() -> None:
    """Judge all forms and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Path)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--step", type=int, default=1, help="take every Nth image of people")
    arguments = parser.parse_args()
    backend = OnnxBackend(ModelStore(MODELS))
    with ExitStack() as stack:
        this, other = (
            stack.enter_context(judging(checkout.resolve()))
            for checkout in (ROOT, arguments.against)
        )
        pairs = [
            Pair(form, this.judge(form.image), other.judge(form.image))
            for form in forms(arguments.media, backend, arguments.step)
        ]
    print_tables(pairs)


if __name__ == "__main__":
    main()
