"""2. CPU time per frame by role and step, from the processes' own accounts.

The plumbing is measured with workers that only read a stamp, at a rate that keeps it busy; the
stages of the estimation are measured with the real models. Steps contain no waiting, so on an idle
machine their duration is CPU time.
"""

from __future__ import annotations

import time
from typing import Any

import psutil
import uvloop
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import plumbing
from benchmarks.driver import saturate, to_service
from benchmarks.setting import NEVER_DONE, WORKERS, on_other_cpus, passing_shots, service
from tests.support.service import Service

SESSIONS, FRAMES, SECONDS = 10, 300, 5.0
WORK_STEPS = {"gateway": ("receive", "dispatch", "reply"), "aggregator": ("judge",)}
"""Steps that an event loop works on; the others are waiting."""


def steps(service: Service) -> dict[tuple[str, str], tuple[float, float]]:
    """Total seconds and number of each step so far, by role and name."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    totals: dict[tuple[str, str, str], float] = {}
    for family in text_string_to_metric_families(service.get("/metrics").text):
        if family.name == "lunapass_step_seconds":
            for sample in family.samples:
                kind = sample.name.rpartition("_")[2]
                totals[sample.labels["role"], sample.labels["step"], kind] = sample.value
    for role, step, kind in totals:
        if kind == "sum":
            found[role, step] = totals[role, step, "sum"], totals[role, step, "count"]
    return found


def mean_us(service: Service) -> dict[str, dict[str, float]]:
    """Mean microseconds of each step by role."""
    means: dict[str, dict[str, float]] = {}
    for (role, step), (seconds, count) in sorted(steps(service).items()):
        if count:
            means.setdefault(role, {})[step] = 1e6 * seconds / count
    return means


def worker_seconds(service: Service) -> float:
    """CPU seconds of all workers so far, from the kernel."""
    return sum(sum(psutil.Process(pid).cpu_times()[:2]) for pid in service.pids("worker"))


def run() -> dict[str, Any]:
    """Measure."""
    with service(real=False) as started, on_other_cpus():
        figures = uvloop.run(plumbing.measure(started, SESSIONS, FRAMES))
        plumbed = mean_us(started)
    with service(NEVER_DONE) as started, on_other_cpus():
        before = worker_seconds(started)
        uvloop.run(saturate(to_service(started.url), 2 * WORKERS, passing_shots(), SECONDS))
        time.sleep(1.5)  # accounts are sent once a second
        stages = mean_us(started)["worker"]
        jobs = steps(started)["worker", "job"][1]
        worker = 1e6 * (worker_seconds(started) - before) / jobs
    work = {role: {s: plumbed[role][s] for s in names} for role, names in WORK_STEPS.items()}
    return {
        "cpu_us_per_frame": {
            "gateway": figures["gateway_us"],
            "aggregator": figures["aggregator_us"],
            "plumbing": figures["plumbing_us"],
            "decoding": figures["decoding_us"],
            "worker": worker,
        },
        "us_by_step": {**work, "worker": stages},
    }
