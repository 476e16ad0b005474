"""The ledger goes on adding up when a process dies and another takes its name."""

from __future__ import annotations

from gateway.ledger import Ledger
from shared.accounts import Accounts
from shared.messages import Account


def account(name: str, pid: int, jobs: int, cpu: float) -> Account:
    return Account(name, pid, cpu, 1000, {"job": (0.1 * jobs, ((3, jobs),))}, ((8, jobs),))


def test_the_latest_account_of_a_process_counts() -> None:
    """Accounts are totals: a newer one replaces, never adds to, the one before."""
    ledger = Ledger(Accounts("gateway"))
    for jobs in (1, 5, 9):
        ledger.take(account("worker-0", 10, jobs, float(jobs)))
    assert ledger.steps()["worker", "job"].count == 9
    assert ledger.cpu()["worker-0"] == 9.0
    assert ledger.codes() == {8: 9}


def test_a_successor_adds_to_the_one_before() -> None:
    """A counter never falls because a process died."""
    ledger = Ledger(Accounts("gateway"))
    ledger.take(account("worker-0", 10, 5, 5.0))
    ledger.take(account("worker-0", 11, 2, 1.0))
    ledger.take(account("worker-0", 11, 3, 2.0))
    assert ledger.steps()["worker", "job"].count == 8
    assert ledger.cpu()["worker-0"] == 7.0
    assert ledger.codes() == {8: 8}


def test_workers_are_one_role() -> None:
    """Their steps are added up; processor time stays apart."""
    ledger = Ledger(Accounts("gateway"))
    ledger.take(account("worker-0", 10, 5, 5.0))
    ledger.take(account("worker-1", 11, 2, 1.0))
    assert ledger.steps()["worker", "job"].count == 7
    assert set(ledger.cpu()) == {"gateway", "worker-0", "worker-1"}


def test_names_are_bounded() -> None:
    """A flood of names cannot fill the memory."""
    ledger = Ledger(Accounts("gateway"))
    for number in range(2 * Ledger.MOST):
        ledger.take(account(f"worker-{number}", 10, 1, 1.0))
    assert len(ledger.cpu()) == Ledger.MOST + 1
