"""The head of a request is found for any packet boundaries; invalid heads get a status."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.request_head import RequestHead, UnfitRequest

HEAD = b"GET /ws?session=00 HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n"
BEHIND = b"\r\n\r\nGET / HTTP/1.1\r\n\r\n\xff\x00"
MOST = 16_384


@given(st.sets(st.integers(1, len(HEAD) - 1)), st.integers(0, len(BEHIND)))
def test_a_head_is_found_in_any_packets(cuts: set[int], behind: int) -> None:
    """It is returned unchanged, with the bytes that follow it in the last packet."""
    head = RequestHead(MOST)
    edges = [0, *sorted(cuts), len(HEAD)]
    parts = [HEAD[start:end] for start, end in itertools.pairwise(edges)]
    assert [head.feed(part) for part in parts[:-1]] == [None] * len(cuts)
    assert head.feed(parts[-1] + BEHIND[:behind]) == (HEAD, BEHIND[:behind])


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"POST /x HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", 405),
        (b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 405),
        (b"POST /x HTTP/1.1\r\nX: \x01\r\n\r\n", 405),
        (b"CONNECT a:443 HTTP/1.1\r\n\r\n", 405),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405),
        (b"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd", 413),
        (b"GET /x HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 413),
        (b"GET /x HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 9\r\n\r\n", 413),
        (b"GET /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 413),
        (b"GET /x HTTP/1.1\r\nX: \xe9\x01b\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nContent-Length: 4\r\nX y: 1\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\n folded\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /x HTTP/1.1\nHost: a\n\n", 400),
        (b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n", 400),
        (b"GET /x HTTP/0.9\r\n\r\n", 400),
        (b"GET /x\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\n", 400),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /x HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
        (b"GET /x HTTP/1.1\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 431),
        (b"GET /x HTTP/1.1\r\n" + (b"X: " + b"a" * 7000 + b"\r\n") * 3 + b"\r\n", 431),
        (b"a" * 20_000, 414),
    ],
    ids=lambda value: ascii(value)[:40],
)
@pytest.mark.parametrize("packet", [1_000_000, 100])
def test_every_invalid_request_has_a_status(request_head: bytes, status: int, packet: int) -> None:
    """It has one even byte by byte: a proxy must always get an answer."""
    head = RequestHead(MOST)

    def feed_all() -> None:
        for start in range(0, len(request_head), packet):
            assert head.feed(request_head[start : start + packet]) is None

    with pytest.raises(UnfitRequest) as unfit:
        feed_all()
    assert unfit.value.status == status
