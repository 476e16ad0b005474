"""Searches the largest crowd that a service can handle: doubles until one fails, then bisects."""

import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from loadtest.plan import LoadProfile, Plan, without_password
from loadtest.runner import LoadRun, is_late_client, play
from loadtest.tally import CrowdTally
from shared.errors import os_errors

MAX_PEOPLE = 4096


@dataclass(frozen=True)
class TriedSize:
    """One tried size.

    Attributes:
        p95: latency in seconds; infinite if more than one frame in twenty was dropped.
        failed: sessions that ended without a verdict, by reason.
        good: whether p95 is within the bound and no session failed.
        fps: judged frames per second, of all kiosks together.
        client_late: the client machine was too slow to send on time.
    """

    people: int
    p95: float
    failed: dict[str, int]
    good: bool
    fps: float = 0.0
    client_late: bool = False

    def __str__(self) -> str:
        late = "too many dropped" if math.isinf(self.p95) else f"p95 {1000 * self.p95:.0f} ms"
        verdict = "within the bound" if self.good else "too many"
        failed = ", ".join(f"{count} {reason}" for reason, count in self.failed.items()) or "none"
        return (
            f"{self.people:5d} people: {late}, {self.fps:.1f} frames/s judged,"
            f" failed: {failed}, {verdict}"
        )


def judge(
    people: int, tally: CrowdTally, bound: float, *, seconds: float, client_late: bool = False
) -> TriedSize:
    """Judge a size: good if there are frames, p95 is below the bound and no session failed.

    The bound, and the time that the tally covers, are in seconds.
    """
    p95 = tally.percentile(0.95)
    failed = dict(tally.failed)
    late = math.inf if p95 is None else p95
    fps = tally.counts["judged"] / seconds
    return TriedSize(people, late, failed, late < bound and not failed, fps, client_late)


async def try_size(
    plan: Plan,
    people: int,
    gallery: Path,
    processes: int,
    bound: float,
    *,
    warm: float = 3.0,
    seconds: float = 12.0,
) -> tuple[TriedSize, LoadRun]:
    """Run a crowd of one size; the warm-up and the second after it are not measured.

    The crowd grows to its size in ``warm`` seconds and stays for ``seconds``. The bound on p95 is
    in seconds.
    """
    profile = LoadProfile("soak", people, warm + seconds, warm=warm)
    outcome = await play(replace(plan, profile=profile), gallery, processes)
    measured = outcome.between(warm + 1, warm + seconds)
    measured.failed = outcome.whole.failed
    late = bool(plan.fps) and is_late_client(measured, 1 / plan.fps)
    return judge(people, measured, bound, seconds=seconds - 1, client_late=late), outcome


async def search(
    probe: Callable[[int], Awaitable[TriedSize]],
    *,
    first: int = 4,
    growth: float = 2.0,
    most: int = MAX_PEOPLE,
    precision: float = 0.05,
) -> list[TriedSize]:
    """Find the largest good size; return all tried ones in order.

    Sizes grow by a factor as long as all are good. Then the search bisects until the largest good
    and the smallest bad size differ by the share ``precision``.
    """
    tried: list[TriedSize] = []
    good, bad = 0, most + 1
    people = first
    while bad - good > max(1, precision * good) and 1 <= people <= most:
        tried.append(await probe(people))
        if tried[-1].good:
            good = people
        else:
            bad = people
        people = (
            (good + bad) // 2 if bad <= most else min(max(people + 1, round(growth * people)), most)
        )
        if people in (good, bad):
            break
    return tried


def largest_good(tried: list[TriedSize]) -> TriedSize | None:
    """The largest good size; None if there is none."""
    good = (probe for probe in tried if probe.good)
    return max(good, key=lambda probe: probe.people, default=None)


def write(tried: list[TriedSize], plan: Plan, bound: float, directory: Path) -> Path:
    """Write the tried sizes as JSON to a folder and return the file's path.

    Raises:
        ResourceError: the folder cannot be written.
    """
    best, file = largest_good(tried), directory / "capacity.json"
    report = {
        "url": without_password(plan.url),
        "fps": plan.fps,
        "boundSeconds": bound,
        "people": best.people if best else 0,
        "tried": [
            {**asdict(probe), "p95": probe.p95 if math.isfinite(probe.p95) else None}
            for probe in tried
        ],
    }
    with os_errors(f"cannot write {directory}"):
        directory.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report, indent=1) + "\n")
    return file
