"""Token buckets: limits of a rate and a burst, for all clients or per address."""

from collections import OrderedDict

from gateway.limits.addresses import limit_key

MAX_ADDRESSES = 10_000
"""Number of addresses stored (about 3 MB); beyond it, the least recently used is discarded."""


class TokenBucket:
    """Admits events at a rate per second, after a burst at once.

    ``admit`` and ``charge`` contain the code of ``available``: a frame needs them four times, and a
    call would double their time.
    """

    __slots__ = ("_burst", "_rate", "_tokens", "_updated")

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._updated = 0.0  # any value will do: a full bucket gains no tokens

    def available(self, now: float) -> float:
        """Return the number of tokens at a monotonic time."""
        return min(self._burst, self._tokens + (now - self._updated) * self._rate)

    def admit(self, now: float) -> bool:
        """Take one token at a monotonic time; return False if there is none."""
        tokens = self._tokens + (now - self._updated) * self._rate
        if tokens > self._burst:
            tokens = self._burst
        self._updated = now
        admitted = tokens >= 1
        self._tokens = tokens - 1 if admitted else tokens
        return admitted

    def charge(self, amount: float, now: float) -> float:
        """Take tokens, even more than there are; return the seconds until the debt is paid."""
        tokens = self._tokens + (now - self._updated) * self._rate
        if tokens > self._burst:
            tokens = self._burst
        self._updated = now
        self._tokens = tokens = tokens - amount
        return 0.0 if tokens >= 0 else -tokens / self._rate


class LineBudget:
    """Bounds the rate of log lines and counts those that are left out."""

    def __init__(self, rate: float, burst: float) -> None:
        self._bucket = TokenBucket(rate, burst)
        self._left_out = 0

    def take(self, now: float) -> int | None:
        """Ask for a line; return how many were left out before it, or None to leave it out."""
        if not self._bucket.admit(now):
            self.leave_out()
            return None
        left_out, self._left_out = self._left_out, 0
        return left_out

    def leave_out(self) -> None:
        """Count a line that is left out for another reason."""
        self._left_out += 1


class AddressBuckets:
    """One token bucket for each client address (IPv6: each /64), in bounded memory."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of stored addresses."""
        return len(self._buckets)

    def available(self, address: str, now: float) -> float:
        """Return the number of an address's tokens at a monotonic time."""
        bucket = self._buckets.get(limit_key(address))
        return self._burst if bucket is None else bucket.available(now)

    def admit(self, address: str, now: float) -> bool:
        """Take one token of an address; return False if it has none."""
        return self._bucket(limit_key(address)).admit(now)

    def charge(self, key: str, amount: float, now: float) -> float:
        """Take tokens of a ``limit_key``, as ``TokenBucket.charge`` does."""
        return self._bucket(key).charge(amount, now)

    def _bucket(self, key: str) -> TokenBucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst)
            if len(self._buckets) > MAX_ADDRESSES:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket
