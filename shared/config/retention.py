"""Section ``RETENTION``: how long images are kept, by how their session ended."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from math import inf
from typing import Annotated

from pydantic import Field

from shared.codes import Code
from shared.config.base import Section, seconds


class SessionEnding(IntEnum):
    """How a session ended, in the order in which images are removed if room is needed."""

    LEFT = 0
    REFUSED = 1
    UNKNOWN = 2
    ACCEPTED = 3

    @classmethod
    def of(cls, *, accepted: bool, errors: Sequence[int]) -> SessionEnding:
        """Return the ending of a session with this verdict.

        Code 40 alone is the verdict of a session that was closed before a frame decided it.
        """
        if accepted:
            return cls.ACCEPTED
        return cls.LEFT if list(errors) == [Code.SESSION_FAILED] else cls.REFUSED


KeepTime = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,3} ?[hdwy]$")] | None
"""A duration of an hour or more: images must outlive the video's build, its task and retries."""
EXAMPLES = ["12h", "30d", "1y"]


class RetentionSection(Section):
    """How long images are kept, by how their session ended; other limits apply, too."""

    accepted: KeepTime = Field(default=None, examples=EXAMPLES)
    """Time after which images of an accepted session are removed, at least 1h; if unset, only the
    other limits of each store apply."""
    refused: KeepTime = Field(default=None, examples=EXAMPLES)
    """The same for a refused session."""
    left: KeepTime = Field(default=None, examples=EXAMPLES)
    """The same for a session without a verdict: the client left, or the time was over."""

    @property
    def min_age(self) -> float:
        """Seconds for which every image is kept, whatever its session's ending."""
        return min(_age(self.accepted), _age(self.refused), _age(self.left))

    def max_age(self, ending: SessionEnding) -> float:
        """Return for how many seconds the images of a session may be kept, or infinity.

        An unknown ending may be any of the three, so the longest time applies.
        """
        ages = {
            SessionEnding.ACCEPTED: _age(self.accepted),
            SessionEnding.REFUSED: _age(self.refused),
            SessionEnding.LEFT: _age(self.left),
        }
        return ages.get(ending, max(ages.values()))


KEEP_ALL = RetentionSection()
"""No limit."""


def _age(duration: str | None) -> float:
    return inf if duration is None else seconds(duration)
