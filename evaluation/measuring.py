"""Measures a labelled set with the stages of the service."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from evaluation.cache import Cache, Measurement, content_hash
from evaluation.judging import Measured
from evaluation.samples import Sample
from inference_pool.estimator import Estimator
from shared.errors import FrameError
from shared.frame.estimation import Estimate, Image, Profile

Frames = Callable[[Path], Iterator[Image]]
"""Decodes an image or video; raises ``FrameError`` if that fails."""


def measure(
    samples: Iterable[Sample],
    estimator: Callable[[], Estimator],
    frames: Frames,
    cache: Cache | None = None,
    every: int = 1,
) -> Iterator[Measured]:
    """Yield each sample with its frames' estimates.

    ``estimator`` creates an exhaustive estimator; it is called only when needed, at most once.
    """
    made: Estimator | None = None
    for sample in samples:
        content = f"{content_hash(sample.path)}/{every}" if cache else ""
        stored = cache.get(content) if cache else None
        if stored is not None:
            yield Measured(sample, stored.estimates, cached=True, refused=stored.refused)
            continue
        made = made or estimator()
        fresh = _measure(sample.path, made, frames, every)
        if cache:
            cache.put(content, fresh)
        yield Measured(sample, fresh.estimates, refused=fresh.refused)


def _measure(path: Path, estimator: Estimator, frames: Frames, every: int) -> Measurement:
    """Measure the frames of a file up to the first refused one."""
    found: list[Estimate] = []
    try:
        for image in islice(frames(path), 0, None, every):
            found.append(estimator.estimate(image, Profile.PASSIVE))
    except FrameError as error:
        return Measurement(tuple(found), str(error))
    return Measurement(tuple(found))
