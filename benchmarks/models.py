"""Time of each model: original, rewritten, and on OpenVINO if installed.

Alternates between the choices of a model, so that changes of the machine's speed affect all of
them, and prints the medians of one thread. The manifest's ``provider`` and ``rewrite`` are based on
these figures; a model is marked if the manifest does not name the fastest choice.

    python benchmarks/models.py [--directory models] [--rounds 100]
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from inference_pool.models import runtimes
from inference_pool.models.manifest import ModelSpec, load_manifest
from inference_pool.models.session import Floats, ModelSession
from inference_pool.models.store import ModelStore, read_verified

CHOICES = {"cpu": ("cpu", False), "cpu, rewritten": ("cpu", True), "openvino": ("openvino", False)}
"""Provider and use of the variant, by name."""
MIN_SPEEDUP = 1.1
"""Another choice must be faster by this factor for a model to be marked."""


def sessions(directory: Path, spec: ModelSpec) -> dict[str, ModelSession]:
    """Load a model for every choice that is available on this machine."""
    loaded = {}
    for name, (provider, rewritten) in CHOICES.items():
        file, sha256 = (
            (spec.variant, spec.variant_sha256) if rewritten else (spec.file, spec.sha256)
        )
        if file and sha256 and not runtimes.lacking(provider):
            model = read_verified(directory / file, sha256, spec.role)
            loaded[name] = runtimes.start(provider, model)
    return loaded


def medians(loaded: dict[str, ModelSession], highest: float, rounds: int) -> dict[str, float]:
    """Run all choices in turn on random pixels from 0 to ``highest``; return ms by name."""
    feeds = {name: _random_pixels(session, highest) for name, session in loaded.items()}
    times: dict[str, list[float]] = {name: [] for name in loaded}
    for _ in range(rounds):
        for name, session in loaded.items():
            start = perf_counter()
            session.run(None, feeds[name])
            times[name].append(1000 * (perf_counter() - start))
    return {name: statistics.median(taken) for name, taken in times.items()}


def _random_pixels(session: ModelSession, highest: float) -> dict[str, Floats]:
    (tensor,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 1 for size in tensor.shape]
    random = np.random.default_rng(0)
    return {tensor.name: random.random(shape, np.float32) * np.float32(highest)}


def named_by(spec: ModelSpec, loaded: dict[str, float]) -> str:
    """Return the choice of the store with ``provider`` auto."""
    if spec.provider == "openvino" and "openvino" in loaded:
        return "openvino"
    return "cpu, rewritten" if spec.rewrite else "cpu"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--directory", type=Path, default=Path("models"))
    parser.add_argument("--rounds", type=int, default=100)
    arguments = parser.parse_args()
    store = ModelStore(arguments.directory)
    table = Table("model", *CHOICES, "the manifest names", title=f"ms, {store.kind} models")
    for role, spec in load_manifest().models(store.kind).items():
        if not (spec.file.endswith(".onnx") and store.available(role)):
            continue
        highest = 255.0 if "0..255" in spec.input else 1.0  # PReLU's time depends on the data
        taken = medians(sessions(arguments.directory, spec), highest, arguments.rounds)
        named = named_by(spec, taken)
        slow = " (not the fastest)" if taken[named] > MIN_SPEEDUP * min(taken.values()) else ""
        cells = [f"{taken[name]:.2f}" if name in taken else "-" for name in CHOICES]
        table.add_row(role, *cells, f"{named}{slow}")
    Console().print(table)


if __name__ == "__main__":
    main()
