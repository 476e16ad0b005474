"""The latest accounts of all processes; restarts of a process are added up."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from msgspec.structs import replace

from shared.process.accounts import Accounts, Histogram, Packed, Scores, merged
from shared.process.clock import SYSTEM, Clock
from shared.wire.messages import Account


class RoleAccounts:
    """The accounts of successive processes with one name, last updated at a monotonic time.

    A process is identified by its id. If its CPU time decreases, the process has ended and another
    one has its id, as happens in containers.
    """

    MAX_SEPARATE = 4
    """Processes stored separately; older ones are summed up."""

    def __init__(self, account: Account, now: float) -> None:
        self._by_pid: dict[int, Account] = {}
        self._ended: list[Account] = []
        self.record(account, now)

    def record(self, account: Account, now: float) -> None:
        """Store an account; it replaces the previous one of the same process."""
        known = self._by_pid.pop(account.pid, None)
        if known is not None and account.cpu < known.cpu:
            self._add_ended(known)
        self._by_pid[account.pid] = self.latest = account
        self.updated = now
        while len(self._by_pid) > self.MAX_SEPARATE:
            self._add_ended(self._by_pid.pop(next(iter(self._by_pid))))

    def _add_ended(self, account: Account) -> None:
        self._ended = [_sum([*self._ended, account])]

    def total(self) -> Account:
        """Return the sum over all processes of this name."""
        return _sum([*self._ended, *self._by_pid.values()])


class Ledger:
    """Accounts by process name."""

    MAX_NAMES = 1024
    """Accounts with further names are discarded."""
    STALE_SECONDS = 30.0
    """Age of an account after which its memory is not reported; each process sends one a second."""

    def __init__(self, own: Accounts, *, clock: Clock = SYSTEM) -> None:
        self._own = own
        self._clock = clock
        self._entries: dict[str, RoleAccounts] = {}

    def record(self, account: Account) -> None:
        """Store an account."""
        now = self._clock.monotonic()
        entry = self._entries.get(account.name)
        if entry is not None:
            entry.record(account, now)
        elif len(self._entries) < self.MAX_NAMES:
            self._entries[account.name] = RoleAccounts(account, now)

    def _all(self) -> list[Account]:
        return [self._own.message(), *(entry.total() for entry in self._entries.values())]

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds by process."""
        return {account.name: account.cpu for account in self._all()}

    def memory(self) -> dict[str, int]:
        """Return the resident bytes by process, without stale accounts."""
        own, since = self._own.message(), self._clock.monotonic() - self.STALE_SECONDS
        recent = [entry.latest for entry in self._entries.values() if entry.updated >= since]
        return {account.name: account.memory for account in (own, *recent)}

    def codes(self) -> dict[int, int]:
        """Return the number of frames that got each code."""
        return dict(sorted(_codes(self._all())))

    def scores(self) -> Scores:
        """Return the liveness scores of all frames."""
        return _scores(self._all())

    def steps(self) -> dict[tuple[str, str], Histogram]:
        """Return the histogram of each step by role and name; workers are added up."""
        found: defaultdict[tuple[str, str], list[tuple[float, Packed]]] = defaultdict(list)
        for account in self._all():
            role = account.name.partition("-")[0]
            for step, packed in account.steps.items():
                found[role, step].append(packed)
        return {key: merged(packed) for key, packed in found.items()}


def _sum(accounts: list[Account]) -> Account:
    """Return the sum of accounts; name, id and memory are those of the last one."""
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
        scores=_scores(accounts).packed(),
    )


def _scores(accounts: Iterable[Account]) -> Scores:
    whole = Scores()
    for account in accounts:
        whole.add(*account.scores)
    return whole


def _codes(accounts: Iterable[Account]) -> Iterable[tuple[int, int]]:
    total: Counter[int] = Counter()
    for account in accounts:
        total.update(dict(account.codes))
    return total.items()
