"""Soak test: a crowd uses a real service for a long time, to see whether its memory grows.

    python -m benchmarks.soak [SECONDS]

People make mistakes, pass, break their connections and leave. The report is in ``build/soak``. The
run fails if a session failed, or if the memory of a process grew by more than 3 % from the third
minute to the last.
"""

from __future__ import annotations

import asyncio
import sys

from benchmarks.setting import GALLERY, WORKERS, gallery, on_other_cpus, service
from loadtest.console import Screen
from loadtest.plan import LoadProfile, Plan
from loadtest.report import memory_growth, write
from loadtest.runner import LoadRun, play
from tests.support.service import ROOT

PEOPLE_PER_WORKER = 8
MAX_GROWTH = 1.03
SETTINGS = "[MIDDLEWARES.WS.Bestshot]\nisEnabled = 1\n"


async def soak(url: str, seconds: float) -> LoadRun:
    """Play the crowd."""
    profile = LoadProfile("soak", PEOPLE_PER_WORKER * WORKERS, seconds, warm=10)
    plan = Plan(url, profile, fps=5, think=1, prepare=2, patience=20, breaks=0.1)
    screen = Screen()
    with screen.live:
        return await play(plan, GALLERY, 1, screen.show)


def main() -> None:
    """Run the crowd, write the report and check the result."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    gallery()
    with service(SETTINGS) as started, on_other_cpus():
        outcome = asyncio.run(soak(started.url, seconds))
    _, page = write(outcome, ROOT / "build" / "soak")
    growth = memory_growth(outcome)
    print(f"\n{page}")
    for process, grown in growth.items():
        print(f"memory of {process}: last minute over third {grown:.3f}")
    grown_too_much = [process for process, grown in growth.items() if grown > MAX_GROWTH]
    if outcome.whole.failed or grown_too_much:
        print(f"failed sessions: {dict(outcome.whole.failed)}; grown: {grown_too_much}")
        sys.exit(1)


if __name__ == "__main__":
    main()
