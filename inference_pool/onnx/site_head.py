"""The site head: corrects the liveness score for one place, trained by ``lunapass adapt``.

A head is a linear function of the networks' embeddings. Its value, bounded, is added to the mean of
the networks' log odds. The file is JSON and is checked completely before it is used: a head that
does not fit the loaded networks is an error at the start, never ignored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from inference_pool.models.session import Floats
from shared.errors import EstimationError, ModelError
from shared.text_files import read_text

Format = Literal["lunapass-site-head-1"]
FORMAT: Format = "lunapass-site-head-1"
MAX_FEATURES = 4096
MAX_CHARS = 1 << 20
"""Length of the longest file that is decoded; one of the reference set has 25,000 characters."""
MAX_RAISE = 3.0
"""Largest correction upwards, in log odds: a head lets no frame pass that the networks together
hold for an attack with a probability of .95 or more."""
MAX_LOWERING = 10.0
"""Largest correction downwards: more than the largest mean of the networks, so a head can refuse
any frame."""

_AGAIN = "run 'lunapass adapt' again, or remove the key"

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Meta(ge=0)]
Weight = Annotated[float, Meta(ge=-1e3, le=1e3)]
Deviation = Annotated[float, Meta(ge=1e-6, le=1e6)]
Share = Annotated[float, Meta(ge=0, le=1)]


class HeadErrors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of errors at a score of .5: of live frames, and of attacks by species."""

    live: Share
    attacks: dict[str, Share]

    @property
    def half_total(self) -> float:
        """Mean of the error of live frames and the mean error of the species."""
        return (self.live + sum(self.attacks.values()) / len(self.attacks)) / 2


class HeadOrigin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a head was made from.

    ``data`` is the digest of the live images. ``before`` are the errors on frames and recaptures
    without a head, ``after`` those of heads that were trained without the judged person.
    """

    data: Digest
    people: Count
    frames: Count
    recaptures: Count
    seed: Count
    before: HeadErrors
    after: HeadErrors


class SiteHeadFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the file.

    Attributes:
        models: SHA-256 of each liveness network by role, in the order of the embeddings.
        means: mean of each feature in training.
        deviations: standard deviation of each feature in training.
        weights: weight of each standardised feature.
        intercept: the head's value where all features have their means.
    """

    format: Format
    models: dict[str, Digest]
    means: Annotated[list[Weight], Meta(min_length=1, max_length=MAX_FEATURES)]
    deviations: Annotated[list[Deviation], Meta(max_length=MAX_FEATURES)]
    weights: Annotated[list[Weight], Meta(max_length=MAX_FEATURES)]
    intercept: Weight
    origin: HeadOrigin

    @classmethod
    def read(cls, path: Path) -> SiteHeadFile:
        """Read and check a file.

        Raises:
            ModelError: it cannot be read, or is not a site head.
        """
        text = read_text(path, "MODELS.siteHead", kind=ModelError, advice=_AGAIN)
        place = f"MODELS.siteHead: file {path}"
        if len(text) > MAX_CHARS:
            raise ModelError(f"{place}: is larger than {MAX_CHARS} characters; {_AGAIN}")
        try:
            read = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise ModelError(f"{place}: is not a site head: {error}; {_AGAIN}") from error
        if not len(read.means) == len(read.deviations) == len(read.weights):
            raise ModelError(f"{place}: its lists differ in length; {_AGAIN}")
        return read

    def text(self) -> str:
        """Return the content of the file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode() + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the content, however it is formatted."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class SiteHead:
    """A site head that fits the loaded networks.

    ``loaded`` has the SHA-256 of each loaded liveness network by role, in the order in which they
    judge, like the file.

    Raises:
        ModelError: the head was trained with other networks.
    """

    def __init__(self, file: SiteHeadFile, loaded: Mapping[str, str]) -> None:
        if list(file.models.items()) != list(loaded.items()):
            raise ModelError(
                f"MODELS.siteHead: was trained with {_listed(file.models)}, but"
                f" {_listed(loaded)} are loaded; {_AGAIN}"
            )
        deviations = np.array(file.deviations)
        self._weights = np.array(file.weights) / deviations
        self._offset = file.intercept - float(self._weights @ np.array(file.means))

    def correction(self, embeddings: Sequence[Floats]) -> float:
        """Return the bounded number to add to the mean of the networks' log odds.

        The embeddings are in the order in which the networks judge.

        Raises:
            EstimationError: an embedding has another length, NaN or infinity.
        """
        features = np.concatenate(embeddings)
        if features.shape != self._weights.shape:
            raise EstimationError(
                f"the networks have {len(features)} features, the site head"
                f" {len(self._weights)}; {_AGAIN}"
            )
        value = float(self._weights @ features) + self._offset
        if not isfinite(value):
            raise EstimationError("a liveness model returned NaN or infinity")
        return min(MAX_RAISE, max(-MAX_LOWERING, value))


def _listed(models: Mapping[str, str]) -> str:
    return ", ".join(f"{role} {sha256[:16]}" for role, sha256 in models.items()) or "none"
