"""Live table of a load run."""

import time

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from loadtest.runner import LoadRun, summary

RECENT = 5
"""Seconds that the column of recent results covers."""


def _milliseconds(value: object) -> str:
    if isinstance(value, int | float):
        return f"{value:.0f}"
    return "too many dropped" if value == "late" else "-"


def _counts(found: dict[str, int]) -> str:
    return escape(", ".join(f"{name} {count}" for name, count in found.items() if count) or "-")


def table(outcome: LoadRun) -> Table:
    """Create a table of the results so far: the last seconds and the whole run."""
    elapsed = max(0.0, time.monotonic() - outcome.started)
    elapsed = min(elapsed, outcome.plan.profile.seconds)
    last = max(outcome.seconds, default=0)
    stretch = min(RECENT, last)
    recent = outcome.between(last - stretch, last)
    now, whole = summary(recent, stretch), summary(outcome.whole, outcome.length)
    profile = outcome.plan.profile
    drawn = Table(
        "",
        f"last {stretch} s",
        "whole",
        title=f"{profile.kind}, {elapsed:.0f} of {profile.seconds:g} s",
    )
    drawn.add_row("people", str(recent.kiosks), f"{whole['sessions']['begun']} in total")
    for label, name in (("frames sent", "sent"), ("frames judged", "judged")):
        drawn.add_row(label, str(now["frames"][name]), str(whole["frames"][name]))
    rates = (now["frames"]["judgedPerSecond"], whole["frames"]["judgedPerSecond"])
    drawn.add_row("judged per second", *(f"{rate:.1f}" for rate in rates))
    drawn.add_row(
        "frames dropped", _counts(now["frames"]["dropped"]), _counts(whole["frames"]["dropped"])
    )
    for name in ("p50", "p95", "p99"):
        drawn.add_row(
            f"latency {name} ms",
            _milliseconds(now["latencyMs"][name]),
            _milliseconds(whole["latencyMs"][name]),
        )
    for name in ("accepted", "refused", "left", "resumed"):
        drawn.add_row(f"sessions {name}", str(now["sessions"][name]), str(whole["sessions"][name]))
    drawn.add_row(
        "sessions failed", _counts(now["sessions"]["failed"]), _counts(whole["sessions"]["failed"])
    )
    drawn.add_row(
        "client late p99 ms",
        f"{now['clientLateMs']['p99']:.0f}",
        f"{whole['clientLateMs']['p99']:.0f}",
    )
    return drawn


class Screen:
    """Shows the table: live on a terminal, else once at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()
        self.live = Live(console=self.console, auto_refresh=False, transient=False)

    def show(self, outcome: LoadRun) -> None:
        """Redraw the table."""
        self.live.update(table(outcome), refresh=self.console.is_terminal)
