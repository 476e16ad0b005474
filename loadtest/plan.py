"""Plan of a load run: how many people at which time, and how they behave."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from lunapass_client import Consent

Kind = Literal["ramp", "soak", "spike", "step"]
StartTokenSource = Callable[[], str]


def without_password(url: str) -> str:
    """Return an address without user and password, for display."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@dataclass(frozen=True)
class LoadProfile:
    """The load over time.

    Attributes:
        kind: ``ramp`` rises linearly to ``most`` over the whole time; ``soak`` holds ``most``;
            ``spike`` holds a quarter of it, but ``most`` in the third quarter of the time; ``step``
            rises in ``steps`` equal steps.
        most: maximum load: kiosks, or started sessions per second.
        warm: seconds in which the load of a soak rises, so that not all start at once.
    """

    kind: Kind = "soak"
    most: float = 10.0
    seconds: float = 60.0
    warm: float = 2.0
    steps: int = 5

    def level(self, elapsed: float) -> float:
        """Return the load at a time; 0 before the start and after the end."""
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
        arrivals: if true, the load is started sessions per second at random times (Poisson),
            however long they last; else it is kiosks, each with one person after another.
        fps: frames per second of each person, sent on schedule whatever the service does; 0 sends
            a frame as soon as the previous one is answered.
        think: mean seconds between two people at a kiosk.
        prepare: seconds in which a person makes mistakes before looking straight.
        patience: seconds after which a person leaves without a verdict; 0 for never.
        breaks: share of the sessions (0..1) whose connection breaks once and is resumed.
        start_token: the service's configuration file, by which a start token is signed for each
            session; None where the service asks for none.
        consent: version of the text that each person accepts; None where the service asks for none.
        key_file: private key in PEM that signs the start tokens; None takes the configuration's
            shared secret.
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
    start_token: str | None = None
    consent: str | None = None
    key_file: str | None = None

    def start_token_source(self) -> StartTokenSource | None:
        """Return what makes a new start token for each session; None where none is needed.

        Raises:
            ConfigError: the configuration or the key cannot be read.
        """
        if self.start_token is None:
            return None
        # A late import: reading the configuration needs packages that other runs do without.
        from shared.start_token_maker import StartTokenMaker

        key_file = Path(self.key_file) if self.key_file else None
        return StartTokenMaker(Path(self.start_token), key_file).make

    def consent_now(self) -> Consent | None:
        """Return the consent of a person who accepts the text now."""
        return None if self.consent is None else Consent(self.consent, time.time())

    def dumps(self) -> str:
        """Serialise the plan as JSON."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def loads(cls, text: str) -> Plan:
        """Deserialise a plan from ``dumps``."""
        return msgspec.json.decode(text, type=cls)
