"""The ledger adds up the accounts of successive processes with one name."""

from __future__ import annotations

import pytest
from msgspec.structs import asdict

from gateway.ledger import Ledger, RoleAccounts
from shared.process.accounts import Accounts
from shared.wire.messages import Account


def account(name: str, pid: int, jobs: int, cpu: float) -> Account:
    return Account(name, pid, cpu, 1000, {"job": (0.1 * jobs, ((3, jobs),))}, ((8, jobs),))


def test_the_latest_account_of_a_process_counts() -> None:
    """Accounts are totals: a newer one replaces the previous one."""
    ledger = Ledger(Accounts("gateway"))
    for jobs in (1, 5, 9):
        ledger.record(account("worker-0", 10, jobs, float(jobs)))
    assert ledger.steps()["worker", "job"].count == 9
    assert ledger.cpu()["worker-0"] == 9.0
    assert ledger.codes() == {8: 9}


def test_a_successor_adds_to_its_predecessor() -> None:
    """A counter never decreases when a process dies."""
    ledger = Ledger(Accounts("gateway"))
    ledger.record(account("worker-0", 10, 5, 5.0))
    ledger.record(account("worker-0", 11, 2, 1.0))
    ledger.record(account("worker-0", 11, 3, 2.0))
    assert ledger.steps()["worker", "job"].count == 8
    assert ledger.cpu()["worker-0"] == 7.0
    assert ledger.codes() == {8: 8}


def test_every_field_of_an_account_is_added_up() -> None:
    """Fields of the latest process are exempt; a new field needs a value here."""
    latest = {"name", "pid", "memory"}
    scores = (0.5, ((3, 1),))
    steps = {"job": (0.1, ((3, 1),))}
    entry = RoleAccounts(Account("worker-0", 10, 1.0, 1000, steps, ((8, 1),), scores), 0.0)
    second = Account("worker-0", 11, 1.0, 1000, steps, ((8, 1),), scores)
    entry.record(second, 1.0)
    total, one = asdict(entry.total()), asdict(second)
    assert all(one.values())
    assert {name for name in one if total[name] == one[name]} == latest


def test_workers_are_one_role() -> None:
    """Their steps are added up; CPU time is reported separately."""
    ledger = Ledger(Accounts("gateway"))
    ledger.record(account("worker-0", 10, 5, 5.0))
    ledger.record(account("worker-1", 11, 2, 1.0))
    assert ledger.steps()["worker", "job"].count == 7
    assert set(ledger.cpu()) == {"gateway", "worker-0", "worker-1"}


def test_the_number_of_names_is_limited() -> None:
    """Many names cannot fill the memory."""
    ledger = Ledger(Accounts("gateway"))
    for number in range(2 * Ledger.MAX_NAMES):
        ledger.record(account(f"worker-{number}", 10, 1, 1.0))
    assert len(ledger.cpu()) == Ledger.MAX_NAMES + 1


def test_a_reused_process_id_is_a_new_process() -> None:
    """In a container every worker is process 1; a lower CPU time shows that it is a new one."""
    ledger = Ledger(Accounts("gateway"))
    ledger.record(account("worker-0", 1, 5, 5.0))
    ledger.record(account("worker-0", 1, 2, 1.0))
    assert ledger.steps()["worker", "job"].count == 7
    assert ledger.cpu()["worker-0"] == 6.0
    assert ledger.codes() == {8: 7}


def test_two_processes_of_one_name_count_once_each() -> None:
    """A suspended worker that continues sends accounts alternately with its replacement."""
    ledger = Ledger(Accounts("gateway"))
    for second in range(1, 100):
        ledger.record(account("worker-0", 10, second, float(second)))
        ledger.record(account("worker-0", 11, second, float(second)))
    assert ledger.steps()["worker", "job"].count == 198
    assert ledger.cpu()["worker-0"] == 198.0


def test_many_successors_are_one_sum() -> None:
    """A worker that dies repeatedly costs no memory and loses no counts."""
    ledger = Ledger(Accounts("gateway"))
    for pid in range(1, 1001):
        ledger.record(account("worker-0", pid, 2, 0.5))
    assert ledger.cpu()["worker-0"] == 500.0
    assert ledger.codes() == {8: 2000}


def test_a_stale_account_has_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is not restarted uses no memory; its other totals stay."""
    ledger = Ledger(Accounts("gateway"))
    ledger.record(account("worker-0", 10, 5, 5.0))
    assert set(ledger.memory()) == {"gateway", "worker-0"}
    monkeypatch.setattr(Ledger, "STALE_SECONDS", -1.0)
    assert set(ledger.memory()) == {"gateway"}
    assert ledger.cpu()["worker-0"] == 5.0
