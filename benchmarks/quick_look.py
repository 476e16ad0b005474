"""What a quick look refuses, and what it costs, on images of people.

    python -m benchmarks.quick_look MEDIA [--step N]

Every form of every person (``benchmarks.forms``) is estimated twice: with a full look alone, and
with a quick look before it, as after a frame that failed an early check. The table shows the CPU
time of the frames that the quick look refuses, and what one costs in vain. A frame that passes the
full look but not the quick one is lost.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from time import thread_time

from benchmarks.forms import Form, forms
from benchmarks.setting import models, pin_last_cpu
from inference_pool.estimator import Estimator
from inference_pool.onnx.backend import OnnxBackend
from shared.frame.checks import Rules
from shared.frame.estimation import Estimate, Image, Profile


@dataclass(frozen=True)
class Look:
    """An estimate, and the CPU seconds that it took."""

    estimate: Estimate
    cpu: float

    @property
    def end(self) -> str:
        """Stage at which the frame ends."""
        return "passes" if self.estimate.ok else self.estimate.stage.name.lower()


@dataclass(frozen=True)
class Looks:
    """A form, its full look, and what a quick look before it makes of it."""

    form: Form
    full: Look
    quick: Look

    @property
    def outcome(self) -> str:
        """How far the refusal of the quick look is that of the full one."""
        full, quick = self.full.estimate, self.quick.estimate
        if full.ok:
            return "passes the full look"
        if full.stage is not quick.stage:
            return "another check"
        return "same codes" if set(full.errors) == set(quick.errors) else "other codes of the check"


def look(estimator: Estimator, image: Image, *, quick: bool) -> Look:
    """Estimate an image."""
    start = thread_time()
    estimate = estimator.estimate(image, Profile.PASSIVE, quick=quick)
    return Look(estimate, thread_time() - start)


def all_looks(media: Path, step: int) -> Iterator[Looks]:
    """Look twice at each form."""
    backend = OnnxBackend(models())
    assert backend.capabilities.quick_look, "run 'lunapass models pull'"
    estimator = Estimator(backend, Rules())
    for form in forms(media, backend, step):
        yield Looks(
            form,
            look(estimator, form.image, quick=False),
            look(estimator, form.image, quick=True),
        )


def milliseconds(seconds: Iterable[float]) -> str:
    """Mean of some durations; a dash for none."""
    durations = list(seconds)
    return f"{1000 * mean(durations):.2f}" if durations else "-"


def main() -> None:
    """Print the outcomes, and the CPU by the stage at which a full look ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("media", type=Path)
    parser.add_argument("--step", type=int, default=1, help="take every Nth image of people")
    arguments = parser.parse_args()
    pin_last_cpu()
    by_end: dict[str, list[Looks]] = defaultdict(list)
    outcomes: Counter[str] = Counter()
    lost: list[str] = []
    for looks in all_looks(arguments.media, arguments.step):
        by_end[looks.full.end].append(looks)
        if looks.quick.estimate.quick:
            outcomes[looks.outcome] += 1
            if looks.full.estimate.ok:
                lost.append(f"{looks.form.person}, {looks.form.name}")
    print("| a full look ends at | frames | refused | CPU: full, ms | quick, ms | in vain, ms |")
    print("|---|---:|---:|---:|---:|---:|")
    for end, found in by_end.items():
        refused = [one for one in found if one.quick.estimate.quick]
        vain = [one for one in found if not one.quick.estimate.quick]
        full = milliseconds(one.full.cpu for one in refused)
        quick = milliseconds(one.quick.cpu for one in refused)
        more = milliseconds(one.quick.cpu - one.full.cpu for one in vain)
        print(f"| {end} | {len(found)} | {len(refused)} | {full} | {quick} | {more} |")
    print("\nrefused by a quick look:", dict(outcomes))
    print("lost:", lost)


if __name__ == "__main__":
    main()
