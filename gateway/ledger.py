"""The accounts of all processes, as they last told them; a new process goes on adding up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from shared.process.accounts import Accounts, Histogram, Packed, merged
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Account


class RoleAccounts:
    """The processes that bore one name, one after another.

    A process is known by its id. One that tells less processor time than before has died, and its
    id has come to another, as happens in containers.

    Attributes:
        latest: the account told last.
        heard: monotonic time of it.
    """

    KEPT = 4
    """Processes kept apart; older ones are one sum."""

    def __init__(self, account: Account, now: float) -> None:
        self._by_pid: dict[int, Account] = {}
        self._before: list[Account] = []
        self.take(account, now)

    def take(self, account: Account, now: float) -> None:
        """Keep what a process told; it replaces what the same process told before."""
        known = self._by_pid.pop(account.pid, None)
        if known is not None and account.cpu < known.cpu:
            self._put_away(known)
        self._by_pid[account.pid] = self.latest = account
        self.heard = now
        while len(self._by_pid) > self.KEPT:
            self._put_away(self._by_pid.pop(next(iter(self._by_pid))))

    def _put_away(self, account: Account) -> None:
        self._before = [_sum([*self._before, account])]

    def whole(self) -> Account:
        """Everything that the processes of this name have done."""
        return _sum([*self._before, *self._by_pid.values()])


class Ledger:
    """Accounts by name of the process.

    Args:
        own: the account of this process.
        clock: measures the silence of the others.
    """

    MOST = 1024
    """Most names; a name beyond is not kept."""
    SILENCE = 30.0
    """Seconds without a word after which a process has no memory; they tell each second."""

    def __init__(self, own: Accounts, *, clock: Clock = SYSTEM) -> None:
        self._own = own
        self._clock = clock
        self._entries: dict[str, RoleAccounts] = {}

    def take(self, account: Account) -> None:
        """Keep what a process told."""
        now = self._clock.monotonic()
        entry = self._entries.get(account.name)
        if entry is not None:
            entry.take(account, now)
        elif len(self._entries) < self.MOST:
            self._entries[account.name] = RoleAccounts(account, now)

    def _all(self) -> list[Account]:
        return [self._own.message(), *(entry.whole() for entry in self._entries.values())]

    def cpu(self) -> dict[str, float]:
        """Processor seconds by process."""
        return {account.name: account.cpu for account in self._all()}

    def memory(self) -> dict[str, int]:
        """Resident bytes by process, of those that still tell them."""
        own, since = self._own.message(), self._clock.monotonic() - self.SILENCE
        heard = [entry.latest for entry in self._entries.values() if entry.heard >= since]
        return {account.name: account.memory for account in (own, *heard)}

    def codes(self) -> dict[int, int]:
        """How often a frame was judged with each code."""
        return dict(sorted(_codes(self._all())))

    def steps(self) -> dict[tuple[str, str], Histogram]:
        """Histogram of each step by role and name; workers are added up."""
        found: defaultdict[tuple[str, str], list[tuple[float, Packed]]] = defaultdict(list)
        for account in self._all():
            role = account.name.partition("-")[0]
            for step, packed in account.steps.items():
                found[role, step].append(packed)
        return {key: merged(packed) for key, packed in found.items()}


def _sum(accounts: list[Account]) -> Account:
    """Add accounts up; name, id and memory are the last one's."""
    if len(accounts) == 1:
        return accounts[0]
    steps: defaultdict[str, list[tuple[float, Packed]]] = defaultdict(list)
    for account in accounts:
        for step, packed in account.steps.items():
            steps[step].append(packed)
    return replace(
        accounts[-1],
        cpu=sum(account.cpu for account in accounts),
        steps={step: merged(packed).packed() for step, packed in steps.items()},
        codes=tuple(_codes(accounts)),
    )


def _codes(accounts: Iterable[Account]) -> Iterable[tuple[int, int]]:
    whole: Counter[int] = Counter()
    for account in accounts:
        whole.update(dict(account.codes))
    return whole.items()
