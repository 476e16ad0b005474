"""The policy behind a verdict: what judged a session, as the token's claim ``policy`` states it.

The aggregator knows its plugins and bounds; what judged each frame travels with the frame's
estimate, written by the worker that judged it. So the claim follows from the session's log alone,
and is the same in a replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from shared import __version__
from shared.config.service import Config
from shared.digests import digest
from shared.frame.estimation import Estimate

Stated = Mapping[str, Any]
"""What the claim says of one plugin's arguments: JSON values."""

MAX_OTHERS = 2
"""Further bases that the claim names. More than this many reloads in one session are stated as
``UNKNOWN``, so that the claim stays small and a verifier that compares digests refuses it."""


class Basis(NamedTuple):
    """What a worker judged a frame by: digests of its rules and of its models."""

    rules: str
    models: str

    @classmethod
    def of(cls, estimate: Estimate) -> Basis:
        """Take it out of a frame's estimate."""
        return cls(estimate.rules, estimate.models)


UNKNOWN = Basis("", "")

BOUNDS = ("livenessRefusals", "reuseSeconds", "reuseFrames", "refusedSessionsPerAddress")
"""Keys of LIMITS by which sessions are judged, or admitted after refusals."""


@dataclass(frozen=True)
class Policy:
    """What judges the sessions that begin with a configuration.

    Attributes:
        plugins: names of the plugins in the order they run, each with what is stated of it.
        limits: bounds on attempts, and how long and how many frames are remembered.
    """

    plugins: tuple[tuple[str, Stated], ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, plugins: Sequence[tuple[str, Stated]]) -> Policy:
        """Take the bounds of a configuration beside its plugins."""
        section = config.LIVENESS
        limits = {
            "maxAttempts": section.maxAttempts,
            "maxLivenessAttempts": section.maxLivenessAttempts,
            **{key: getattr(config.LIMITS, key) for key in BOUNDS},
        }
        return cls(tuple(plugins), limits)

    def claim(self, bases: Sequence[Basis]) -> dict[str, Any]:
        """Write the claim.

        Args:
            bases: what the session's frames were judged by, each once, that of the accepted frame
                last.

        Returns:
            JSON values. ``others`` is there only where frames of the session were judged by
            something else than the accepted one, as after a reload.
        """
        *others, accepted = bases
        claim: dict[str, Any] = {
            **self._judged_by(accepted),
            "plugins": self._plugins(),
            "limits": dict(self.limits),
            "version": __version__,
        }
        if others:
            named = others[-MAX_OTHERS:]
            unnamed = [UNKNOWN] if len(others) > MAX_OTHERS else []
            claim["others"] = [self._judged_by(basis) for basis in [*unnamed, *named]]
        return claim

    def _plugins(self) -> list[dict[str, Any]]:
        return [{"name": name, "args": dict(stated)} for name, stated in self.plugins]

    def _judged_by(self, basis: Basis) -> dict[str, str]:
        """Write one basis with the digest of the whole policy under it.

        The service's version is no part of the digest, or each update would change it.
        """
        whole = {
            "plugins": self._plugins(),
            "limits": dict(self.limits),
            "rules": basis.rules,
            "models": basis.models,
        }
        return {"digest": digest(whole), "rules": basis.rules, "models": basis.models}
