"""Token buckets limit burst and rate, separately for each address."""

from __future__ import annotations

import pytest

from gateway.limits.buckets import AddressBuckets, TokenBucket


def test_a_bucket_refills_up_to_its_burst() -> None:
    """Half a token does not count, and a long pause gives no more than the burst."""
    bucket = TokenBucket(2.0, 3)
    assert [bucket.admit(0.0) for _ in range(4)] == [True] * 3 + [False]
    assert not bucket.admit(0.4)
    assert bucket.admit(0.5)
    assert bucket.available(1000.0) == 3


def test_a_debt_is_paid_over_time() -> None:
    """A charge may exceed the tokens; then nothing is admitted until the debt is paid."""
    bucket = TokenBucket(10.0, 20)
    assert bucket.charge(20, 0.0) == 0
    assert bucket.charge(30, 0.0) == 3
    assert bucket.charge(0, 2.0) == 1
    assert not bucket.admit(3.0)
    assert bucket.admit(3.1)


def test_addresses_have_separate_buckets() -> None:
    """Only the flooding address is refused."""
    buckets = AddressBuckets(1.0, 2)
    assert [buckets.admit("192.0.2.1", 0.0) for _ in range(50)] == [True] * 2 + [False] * 48
    assert buckets.admit("192.0.2.2", 0.0)
    assert buckets.admit("192.0.2.1", 1.0)


def test_reading_the_tokens_takes_none() -> None:
    """``available`` neither takes a token nor stores an address."""
    buckets = AddressBuckets(1.0, 2)
    assert buckets.available("192.0.2.1", 0.0) == 2
    assert len(buckets) == 0


def test_an_ipv6_network_has_one_bucket() -> None:
    """A client with a /64 does not have 2**64 buckets."""
    buckets = AddressBuckets(0.1, 2)
    assert [buckets.admit(f"2001:db8::{host:x}", 0.0) for host in range(3)] == [True, True, False]
    assert buckets.available("2001:db8::ffff:1", 0.0) < 1
    assert buckets.available("2001:db8:0:1::1", 0.0) == 2


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit the least recently used address is discarded."""
    monkeypatch.setattr("gateway.limits.buckets.MAX_ADDRESSES", 100)
    buckets = AddressBuckets(0.1, 1)
    for number in range(1000):
        buckets.admit(f"10.0.{number // 256}.{number % 256}", 0.0)
        buckets.admit("192.0.2.1", 0.0)
    assert len(buckets) == 100
    assert buckets.available("192.0.2.1", 0.0) < 1
    assert buckets.available("10.0.0.1", 0.0) == 1
