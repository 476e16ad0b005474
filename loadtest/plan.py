"""What a crowd is to do: how many people when, and how each of them behaves."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["ramp", "soak", "spike", "step"]


def without_password(url: str) -> str:
    """Give an address as it may be shown."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@dataclass(frozen=True)
class LoadProfile:
    """The load over time.

    Attributes:
        kind: ``ramp`` rises evenly to ``most`` over the whole time; ``soak`` holds ``most``;
            ``spike`` holds a quarter, but ``most`` in the third quarter of the time; ``step``
            climbs in ``steps`` even steps.
        most: greatest load: kiosks, or sessions that begin in a second.
        seconds: length.
        warm: seconds of a soak in which the load rises, so that not all begin at once.
        steps: number of steps.
    """

    kind: Kind = "soak"
    most: float = 10.0
    seconds: float = 60.0
    warm: float = 2.0
    steps: int = 5

    def level(self, elapsed: float) -> float:
        """Give the load at a time; none before the beginning and after the end."""
        if not 0 <= elapsed < self.seconds:
            return 0.0
        share = elapsed / self.seconds
        if self.kind == "ramp":
            return self.most * share
        if self.kind == "spike":
            return self.most if 0.5 <= share < 0.75 else self.most / 4
        if self.kind == "step":
            return self.most * (int(share * self.steps) + 1) / self.steps
        return self.most * min(1.0, elapsed / self.warm) if self.warm else self.most


@dataclass(frozen=True)
class Plan:
    """A whole load run.

    Attributes:
        url: address of the service, ``ws://`` or ``wss://``.
        profile: the load over time.
        arrivals: the profile is sessions that begin in a second at random times (Poisson),
            whatever becomes of them; else it is kiosks, each with one person after another.
        fps: frames a second of each person, sent on schedule whatever the service does; 0 sends
            a frame as soon as the one before is answered.
        think: seconds on average between two people at a kiosk.
        prepare: seconds for which a person does things wrong before looking straight.
        patience: seconds after which a person leaves without a verdict; 0 for never.
        breaks: share of the sessions (0..1) whose connection breaks once and is resumed.
        seed: fixes chance.
    """

    url: str
    profile: LoadProfile = field(default_factory=LoadProfile)
    arrivals: bool = False
    fps: float = 5.0
    think: float = 1.0
    prepare: float = 2.0
    patience: float = 0.0
    breaks: float = 0.0
    seed: int = 0

    def dumps(self) -> str:
        """Write the plan as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Plan:
        """Read a plan that ``dumps`` wrote."""
        stored: dict[str, Any] = json.loads(text)
        profile = LoadProfile(**stored.pop("profile"))
        return cls(
            profile=profile, **{f.name: stored[f.name] for f in fields(cls) if f.name in stored}
        )
