"""Runs the benchmarks, prints their tables and writes ``build/bench.json``.

    python -m benchmarks [--only efficiency,latency] [--document]

A failed benchmark is reported and does not stop the others; the run then exits with status 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
import traceback
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import document
from benchmarks.setting import CPUS, WORKERS, gallery, rounded
from tests.support.service import ROOT

BENCHMARKS = {
    "estimate": "benchmarks.estimate",
    "efficiency": "benchmarks.efficiency",
    "cpu": "benchmarks.cpu",
    "latency": "benchmarks.latency",
    "capacity": "benchmarks.capacity",
    "versus": "benchmarks.versus.run",
    "growth": "benchmarks.growth",
}
RESULT = ROOT / "build" / "bench.json"


def machine() -> dict[str, Any]:
    """Describe the machine that the figures were measured on."""
    model = platform.processor()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {
        "cpu": names[0] if names else model,
        "cpus": len(CPUS),
        "workers": WORKERS,
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
    }


def rows(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Flatten a result for a table."""
    if isinstance(value, dict):
        return [row for key, item in value.items() for row in rows(item, f"{name} {key}".strip())]
    if isinstance(value, list):
        return [row for n, item in enumerate(value, 1) for row in rows(item, f"{name} {n}")]
    return [(name, f"{value:.4g}" if isinstance(value, float) else str(value))]


def show(console: Console, title: str, result: dict[str, Any], seconds: float) -> None:
    """Print one benchmark's table."""
    table = Table("figure", "value", title=f"{title} ({seconds:.0f} s)")
    for name, value in rows(result):
        table.add_row(name, value)
    console.print(table)


def main() -> None:
    """Run the chosen benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help=f"comma list of {', '.join(BENCHMARKS)}")
    parser.add_argument("--document", action="store_true", help="put the results into the docs")
    arguments = parser.parse_args()
    chosen = [name for name in arguments.only.split(",") if name] or list(BENCHMARKS)
    if unknown := set(chosen) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    console = Console()
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    results["machine"] = machine()
    gallery()
    failed = []
    for name in chosen:
        start = time.monotonic()
        try:
            result = rounded(importlib.import_module(BENCHMARKS[name]).run())
        except Exception:  # continue with the other benchmarks
            traceback.print_exc()
            failed.append(name)
            continue
        results.update(result)
        show(console, name, result, time.monotonic() - start)
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(results, indent=1))
    console.print(f"written to {RESULT.relative_to(ROOT)}")
    if arguments.document:
        document.write(results)
    if failed:
        console.print(f"failed: {', '.join(failed)}", style="red")
        sys.exit(1)


if __name__ == "__main__":
    main()
