"""CPU of gateway and aggregator for a passing frame and for a failing one.

Both kinds are the same camera image, sent to workers that only read a stamp, in sessions that never
end. A passing frame is encoded for the token if it may become the best shot. All are equally live,
so that holds for the first of each session. With ``--against``, another checkout with its own
virtual environment is measured in alternation.

    python -m benchmarks.best_shot [--rounds 5] [--frames 100] [--against CHECKOUT]
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import uvloop

from benchmarks import plumbing
from benchmarks.driver import Shots
from benchmarks.setting import WIDE_LIMITS
from loadtest.synthetic.portrait import astronaut
from loadtest.synthetic.sensor import Exposures
from shared.frame.estimation import Image
from tests.support.service import ROOT, Service, running
from tests.support.stamp import stamp

SESSIONS = 4
SETTINGS = f"""{WIDE_LIMITS}
[MIDDLEWARES.WS.Bestshot]
isEnabled = 1
[MIDDLEWARES.WS.AggregateLiveness]
isEnabled = 1
args.framesCount = 1000
"""
"""Sessions never end, because they need more frames than are sent."""
FIRST = {"failing": 0, "passing": 20}
"""Number in the stamp with which the stamp backend fails or passes a frame."""
COLUMNS = {"gateway_us": "gateway", "decoding_us": "its threads", "aggregator_us": "aggregator"}


def camera_shots(background: Image, number: int, person: int) -> Shots:
    """Return a camera that takes stamped frames."""
    image = background.copy()
    stamp(image, person, number)
    return [Exposures(image).shot]


def measure(
    services: dict[str, Service],
    rounds: int,
    frames: int,
    cameras: dict[str, Callable[..., Shots]],
) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Measure each service with each kind of frame, in alternation."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for kind, shown in cameras.items():
            for name, service in services.items():
                figures = uvloop.run(plumbing.measure(service, SESSIONS, frames, shown))
                found.setdefault((name, kind), []).append(figures)
    return found


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=100, help="frames per session and round")
    parser.add_argument("--against", type=Path, help="another checkout")
    arguments = parser.parse_args()
    background = np.asarray(cv2.resize(astronaut(), (640, 480)), np.uint8)
    cameras = {kind: partial(camera_shots, background, number) for kind, number in FIRST.items()}
    checkouts = {"this": ROOT}
    if arguments.against is not None:
        checkouts = {"other": arguments.against.resolve(), **checkouts}
    with contextlib.ExitStack() as stack:
        services = {
            name: stack.enter_context(running(SETTINGS, workers=1, checkout=place))
            for name, place in checkouts.items()
        }
        found = measure(services, arguments.rounds, arguments.frames, cameras)
        with contextlib.redirect_stdout(io.StringIO()):  # hides the logs, printed at the end
            stack.close()
    print(f"medians of {arguments.rounds} rounds of {SESSIONS * arguments.frames} frames, in us")
    print(f"{'':16}{''.join(f'{title:>13}' for title in COLUMNS.values())}{'sum':>13}")
    for (name, kind), rounds in sorted(found.items()):
        values = [median(figures[column] for figures in rounds) for column in COLUMNS]
        line = "".join(f"{value:13.0f}" for value in [*values, sum(values)])
        print(f"{name:8}{kind:8}{line}")


if __name__ == "__main__":
    main()
