"""Downloads resume, stay within the size, and report why they failed."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from inference_pool.models.pulling.download import AbsentError, UnreachableError, download
from inference_pool.models.pulling.sources import make_client

DATA = random.Random(1).randbytes(200_000)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with make_client() as client:
        yield client


def fetch(client, server, part: Path, size: int = len(DATA)) -> list[int]:
    seen: list[int] = []
    download(client, f"{server.address}/model", part, size, seen.append)
    return seen


def test_whole_file(client, server, tmp_path):
    """One request brings the file; progress ends at its size."""
    server.content["/model"] = DATA
    seen = fetch(client, server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.asked == [("/model", None)]
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)


def test_resumes_an_earlier_run(client, server, tmp_path):
    """Only the missing bytes are requested."""
    server.content["/model"] = DATA
    (tmp_path / "part").write_bytes(DATA[:150_000])
    fetch(client, server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.asked == [("/model", "bytes=150000-")]


def test_resumes_a_broken_connection(client, server, tmp_path):
    """After a broken connection the download continues from the received bytes."""
    server.content["/model"] = DATA
    server.cuts = [70_000, 70_000]
    fetch(client, server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == [None, "bytes=70000-", "bytes=140000-"]


def test_gives_up_and_keeps_the_received_bytes(client, server, tmp_path):
    """After four broken connections the source counts as unreachable."""
    server.content["/model"] = DATA
    server.cuts = [1000] * 10
    with pytest.raises(UnreachableError):
        fetch(client, server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA[:4000]


def test_server_without_ranges(client, server, tmp_path):
    """If the server sends everything again, it replaces the partial file."""
    server.content["/model"] = DATA
    server.ranges = False
    (tmp_path / "part").write_bytes(b"x" * 1000)
    fetch(client, server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


def test_a_complete_partial_file_needs_no_request(client, server, tmp_path):
    """An earlier run was interrupted after the last byte."""
    (tmp_path / "part").write_bytes(DATA)
    fetch(client, server, tmp_path / "part")
    assert server.asked == []


@pytest.mark.parametrize("size", [1000, len(DATA) + 1])
def test_other_size_is_refused(client, server, tmp_path, size):
    """A file of another size is refused and removed."""
    server.content["/model"] = DATA
    with pytest.raises(AbsentError, match=f"size is not {size} bytes"):
        fetch(client, server, tmp_path / "part", size)
    assert not (tmp_path / "part").exists()


def test_not_found(client, server, tmp_path):
    """An error status means that the source does not have the file."""
    with pytest.raises(AbsentError, match="HTTP status 404"):
        fetch(client, server, tmp_path / "part")


def test_no_server_listens(client, tmp_path):
    """A refused connection fails at once, without further attempts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/model"
        with pytest.raises(UnreachableError, match=url):
            download(client, url, tmp_path / "part", 10, lambda present: None)
