"""The spool on disk is ordered and bounded, and survives its process."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.sinks.spool import Spool
from shared.errors import ResourceError


def drain(spool: Spool) -> list[bytes | None]:
    entries = []
    while spool:
        entries.append(spool.oldest())
        spool.pop()
    return entries


def test_entries_are_read_in_order_after_a_restart(tmp_path: Path) -> None:
    """The next process finds the entries of its predecessor and appends to them."""
    first = Spool(tmp_path, 10_000)
    for number in range(12):
        assert first.append(b"%d" % number)
    first.pop()
    first.close()
    second = Spool(tmp_path, 10_000)
    assert second.append(b"last")
    assert drain(second) == [b"%d" % number for number in range(1, 12)] + [b"last"]
    assert second.bytes == 0
    assert list(tmp_path.rglob("*.entry")) == []


def test_processes_do_not_share_a_subfolder(tmp_path: Path) -> None:
    """Each running process has its own entries."""
    first, second = Spool(tmp_path, 100), Spool(tmp_path, 100)
    first.append(b"1")
    second.append(b"2")
    assert (drain(first), drain(second)) == ([b"1"], [b"2"])


def test_the_capacity_holds(tmp_path: Path) -> None:
    """Entries over it are refused; those that must not be lost may exceed it by a tenth."""
    spool = Spool(tmp_path, 100)
    assert spool.append(bytes(100))
    assert not spool.append(b"x")
    assert spool.append(bytes(10), essential=True)
    assert not spool.append(b"x", essential=True)
    spool.pop()
    assert spool.append(bytes(90))


def test_a_torn_entry_is_skipped(tmp_path: Path) -> None:
    """A file that was being written when the process died is no entry."""
    Spool(tmp_path, 100).close()
    (tmp_path / "0" / "0000000000000001.new").write_bytes(b"tor")
    assert len(Spool(tmp_path, 100)) == 0


def test_an_unusable_folder_is_an_error_at_start_up(tmp_path: Path) -> None:
    """A file in place of the folder, for example."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="file"):
        Spool(tmp_path / "file", 100)


def test_an_entry_that_cannot_be_read_temporarily_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If file descriptors run out, for example, one line is logged and no entry is lost."""
    spool = Spool(tmp_path, 100)
    assert spool.append(b"1")
    (entry,) = tmp_path.rglob("*.entry")
    entry.rename(tmp_path / "away")
    assert spool.oldest() == b""
    entry.mkdir()  # reading fails, but not because the file is missing
    assert [spool.oldest() for _ in range(3)] == [None] * 3
    entry.rmdir()
    (tmp_path / "away").rename(entry)
    assert drain(spool) == [b"1"]
    assert caplog.text.count("cannot be read") == 1


def test_a_full_disk_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The line is not repeated for each entry, but for the first error after a recovery."""
    spool = Spool(tmp_path, 100)
    for _ in range(2):
        (tmp_path / "0").rename(tmp_path / "away")
        assert not spool.append(b"1")
        assert not spool.append(b"2")
        (tmp_path / "away").rename(tmp_path / "0")
        assert spool.append(b"3")
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert "No such file" in messages[0]


@given(st.lists(st.one_of(st.binary(max_size=40), st.none(), st.just("restart")), max_size=30))
def test_the_spool_is_first_in_first_out(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    """This holds in any order of additions, removals and restarts."""
    folder = tmp_path_factory.mktemp("spool")
    spool, model = Spool(folder, 200), list[bytes]()
    for step in steps:
        if isinstance(step, bytes):
            fits = sum(map(len, model)) + len(step) <= 200
            assert spool.append(step) == fits
            model += [step] if fits else []
        elif step == "restart":
            spool.close()
            spool = Spool(folder, 200)
        elif model:
            assert spool.oldest() == model.pop(0)
            spool.pop()
        assert (len(spool), spool.bytes) == (len(model), sum(map(len, model)))
    assert drain(spool) == model
    spool.close()
