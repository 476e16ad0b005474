"""The token's claim ``policy``: what judged a session.

The aggregator knows its plugins and limits; each frame's estimate has the digests of the worker's
rules and models. So the claim follows from the session's log and is the same in a replay.
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
"""What the claim states about one plugin's arguments: JSON values."""

MAX_OTHERS = 2
"""Bases that ``others`` names. With more reloads in one session, ``UNKNOWN`` stands for the rest:
the claim stays small, and a verifier that compares digests refuses it."""


class Basis(NamedTuple):
    """The digests of the rules and the models by which a worker judged a frame."""

    rules: str
    models: str

    @classmethod
    def of(cls, estimate: Estimate) -> Basis:
        """Read the basis from a frame's estimate."""
        return cls(estimate.rules, estimate.models)


UNKNOWN = Basis("", "")


def record_basis(bases: list[Basis], estimate: Estimate) -> None:
    """Move a frame's basis to the end of a session's; ignore a frame that no worker judged."""
    if bases and bases[-1] == (estimate.rules, estimate.models):
        return  # the usual case
    basis = Basis.of(estimate)
    if basis == UNKNOWN and not estimate.ok:
        return
    if basis in bases:
        bases.remove(basis)
    bases.append(basis)


BOUNDS = ("livenessRefusals", "reuseSeconds", "reuseFrames", "refusedSessionsPerAddress")
"""Keys of LIMITS that affect how sessions are judged, or admitted after refusals."""
BOUNDS_IF_ON = ("refusedSessionsPerPerson", "refusedSessionsPerKiosk")
"""Further ones, which the claim names only if they are on."""


@dataclass(frozen=True)
class Policy:
    """What judges the sessions that start with a configuration; plugins in the order they run."""

    plugins: tuple[tuple[str, Stated], ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Config, plugins: Sequence[tuple[str, Stated]]) -> Policy:
        """Create the policy of a configuration and its plugins."""
        section = config.LIVENESS
        limits = {
            "maxAttempts": section.maxAttempts,
            "maxLivenessAttempts": section.maxLivenessAttempts,
            **{key: getattr(config.LIMITS, key) for key in BOUNDS},
            **{key: bound for key in BOUNDS_IF_ON if (bound := getattr(config.LIMITS, key))},
        }
        return cls(tuple(plugins), limits)

    def claim(self, bases: Sequence[Basis]) -> dict[str, Any]:
        """Return the claim for the different bases of a session's frames, the accepted one's last.

        Returns:
            JSON values. ``others`` is present only if frames have other bases than the accepted
            one, as after a reload.
        """
        *others, accepted = bases
        claim: dict[str, Any] = {
            **self._judged_by(accepted),
            **self._stated(),
            "version": __version__,
        }
        if others:
            named = others[-MAX_OTHERS:]
            unnamed = [UNKNOWN] if len(others) > MAX_OTHERS else []
            claim["others"] = [self._judged_by(basis) for basis in [*unnamed, *named]]
        return claim

    def _stated(self) -> dict[str, Any]:
        plugins = [{"name": name, "args": dict(stated)} for name, stated in self.plugins]
        return {"plugins": plugins, "limits": dict(self.limits)}

    def _judged_by(self, basis: Basis) -> dict[str, str]:
        """Return one basis with the digest of the whole policy.

        The digest excludes the service's version, or every update would change it.
        """
        digests = {"rules": basis.rules, "models": basis.models}
        return {"digest": digest(self._stated() | digests), **digests}
