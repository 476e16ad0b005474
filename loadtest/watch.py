"""Reads CPU and memory of the service's processes from its metrics during a load run."""

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from prometheus_client.parser import text_string_to_metric_families

from loadtest.plan import without_password

CPU = "lunapass_cpu_seconds"
MEMORY = "lunapass_memory_bytes"
READINGS = 5
"""Readings over which CPU is averaged, because the service's figures are up to a second old."""


@dataclass
class UsageSample:
    """CPU seconds since its start and resident bytes of each process, at a monotonic time."""

    at: float
    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)


def metrics_address(url: str) -> str:
    """Return the metrics address of a WebSocket address, with its user and password."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return f"{scheme}://{parts.netloc}/metrics"


def read(text: str, at: float) -> UsageSample:
    """Parse CPU time and memory from the Prometheus text format."""
    sample = UsageSample(at)
    for family in text_string_to_metric_families(text):
        into = {CPU: sample.cpu, MEMORY: sample.memory}.get(family.name)
        if into is not None:
            into.update({s.labels["process"]: s.value for s in family.samples})
    return sample


class Watch:
    """Reads the service's metrics each second.

    Attributes:
        trouble: why the last reading failed; empty if it succeeded.
    """

    def __init__(self, url: str) -> None:
        self._address = metrics_address(url)
        self._shown = without_password(self._address)
        self.samples: list[UsageSample] = []
        self.trouble = ""

    async def run(self) -> None:
        """Read until cancelled, or until the service refuses or answers in another format."""
        async with httpx.AsyncClient(timeout=5) as http:
            while True:
                try:
                    answer = await http.get(self._address)
                    answer.raise_for_status()
                    sample = read(answer.text, time.monotonic())
                except httpx.HTTPStatusError as error:
                    self.trouble = f"{self._shown} answers {error.response.status_code}"
                    return
                except httpx.HTTPError as error:
                    self.trouble = f"{self._shown}: {type(error).__name__}"
                except (ValueError, KeyError):
                    self.trouble = f"{self._shown} does not answer in the format of Prometheus"
                    return
                else:
                    self.samples.append(sample)
                    self.trouble = "" if sample.cpu else f"{self._shown} lists no process"
                await asyncio.sleep(1.0)

    def cpu_percent(self, start: float) -> dict[str, list[tuple[float, float]]]:
        """CPU percent of each process over the last readings, by seconds since ``start``."""
        found: dict[str, list[tuple[float, float]]] = {}
        for index, after in enumerate(self.samples[1:], 1):
            before = self.samples[max(0, index - READINGS)]
            for process, seconds in after.cpu.items():
                if process in before.cpu:
                    used = 100 * (seconds - before.cpu[process]) / (after.at - before.at)
                    found.setdefault(process, []).append((after.at - start, max(0.0, used)))
        return found

    def memory_megabytes(self, start: float) -> dict[str, list[tuple[float, float]]]:
        """Resident megabytes of each process, by seconds since ``start``."""
        found: dict[str, list[tuple[float, float]]] = {}
        for sample in self.samples:
            for process, size in sample.memory.items():
                found.setdefault(process, []).append((sample.at - start, size / 1e6))
        return found
