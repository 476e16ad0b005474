"""The accounts of the other processes, as they last told them; a new process goes on adding up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from shared.accounts import Accounts, Histogram
from shared.messages import Account


@dataclass
class Entry:
    """One process's latest account, and the sum of those that bore its name before."""

    latest: Account
    cpu_before: float = 0.0
    steps_before: dict[str, Histogram] = field(default_factory=dict)
    codes_before: Counter[int] = field(default_factory=Counter)

    def succeed(self, account: Account) -> None:
        """Take the account of a new process of this name."""
        gone = self.latest
        self.cpu_before += gone.cpu
        self.codes_before.update(dict(gone.codes))
        for step, packed in gone.steps.items():
            self.steps_before.setdefault(step, Histogram()).add(*packed)
        self.latest = account


class Ledger:
    """Accounts by name of the process.

    Args:
        own: the account of this process.
    """

    MOST = 1024
    """Most names; a name beyond is not kept."""

    def __init__(self, own: Accounts) -> None:
        self._own = own
        self._entries: dict[str, Entry] = {}

    def take(self, account: Account) -> None:
        """Keep what a process told."""
        entry = self._entries.get(account.name)
        if entry is None:
            if len(self._entries) < self.MOST:
                self._entries[account.name] = Entry(account)
        elif entry.latest.pid == account.pid:
            entry.latest = account
        else:
            entry.succeed(account)

    def _all(self) -> list[Entry]:
        return [Entry(self._own.message()), *self._entries.values()]

    def cpu(self) -> dict[str, float]:
        """Processor seconds by process."""
        return {entry.latest.name: entry.cpu_before + entry.latest.cpu for entry in self._all()}

    def memory(self) -> dict[str, int]:
        """Resident bytes by process."""
        return {entry.latest.name: entry.latest.memory for entry in self._all()}

    def codes(self) -> dict[int, int]:
        """How often a frame was judged with each code."""
        whole: Counter[int] = Counter()
        for entry in self._all():
            whole.update(entry.codes_before)
            whole.update(dict(entry.latest.codes))
        return dict(sorted(whole.items()))

    def steps(self) -> dict[tuple[str, str], Histogram]:
        """Histogram of each step by role and name; workers are added up."""
        whole: dict[tuple[str, str], Histogram] = {}
        for entry in self._all():
            role = entry.latest.name.partition("-")[0]
            for step, packed in entry.latest.steps.items():
                whole.setdefault((role, step), Histogram()).add(*packed)
            for step, before in entry.steps_before.items():
                whole.setdefault((role, step), Histogram()).add(*before.packed())
        return whole
