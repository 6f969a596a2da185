"""Rate limiters: so much in so much time, and a burst of so much at once, for all who ask together.

Knows: how much was taken, and when it is made up for.  Does not know: what is limited.

Theory of operation.  A token bucket in whole numbers.  The state has what is missing from a full bucket, in units of
``1 / per_ms`` of a token, so that every millisecond makes up for exactly ``rate`` of them and nothing is rounded.  A
bucket that is full again is like one that nobody has asked for, and leaves no trace.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta, Struct

from paxon.collections.lapsing import Lapsing, moment_after
from paxon.collections.refusals import LimitReached, OverBurst
from paxon.collections.values import ENTRIES_MAX, DurationMs, Name
from paxon.rsm.contract import Context, command, query

AMOUNT_MAX: Final = 100_000_000
"""Times ``DURATION_MS_MAX``, which is the most that can be missing, it fits in the 64 bits that a number travels in."""

Amount: TypeAlias = Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]


class Taken(Struct, frozen=True, tag="taken"):
    """It may be done at once.  ``left`` more could be right after it."""

    left: int


class Wait(Struct, frozen=True, tag="wait"):
    """Nothing was taken.  Asked again after ``wait_ms`` it will be there, unless others take it first."""

    wait_ms: int


class Bucket(Struct, frozen=True):
    """What one limiter still has to make up for at decided time ``at_ms``."""

    missing: int
    """In units of ``1 / per_ms`` of a token."""
    at_ms: int
    rate: Amount
    per_ms: DurationMs
    until_ms: int
    """The decided time at which it has been full, and is forgotten."""


class RateLimiters(Lapsing[str]):
    """Limiters by name.  Each gives ``rate`` in every ``per_ms``, and up to ``burst`` at once after a rest.

    * In any span of ``d`` milliseconds in which nobody changes its terms a limiter gives at most
      ``burst + d * rate / per_ms``.
    * ``0 < missing <= burst * per_ms`` for every bucket as of its ``at_ms``, with the terms of its last taker.

    There are no events: whoever is refused knows when to ask again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.buckets: dict[str, Bucket] = {}

    @command
    def take(
        self, ctx: Context, name: Name, amount: Amount, rate: Amount, per_ms: DurationMs, burst: Amount
    ) -> Taken | Wait:
        """Take ``amount`` from the limiter if that much is there.

        The latest caller's terms count.  Those of different callers should be equal; where they are not, because a new
        release of a program is on its way in, what was taken under the old terms stays taken.

        Raises:
            OverBurst: if ``amount`` is more than ``burst``, so that it will never be there.
            LimitReached: if there are too many limiters in use.
        """
        if amount > burst:
            raise OverBurst(f"{amount} at once is more than the burst of {burst}: ask for less, or raise the burst")
        bucket = self.buckets.get(name)
        if bucket is None and len(self.buckets) >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} limiters are in use: use fewer names, or ask later")
        missing = 0 if bucket is None else _missing(bucket, ctx.now_ms, per_ms)
        wanted = missing + amount * per_ms
        if wanted > burst * per_ms:
            return Wait(-(-(wanted - burst * per_ms) // rate))
        until_ms = moment_after(ctx.now_ms, -(-wanted // rate))
        if bucket is None:
            self._schedule(name, until_ms)
        else:
            self._reschedule(name, bucket.until_ms, until_ms)
        self.buckets[name] = Bucket(wanted, ctx.now_ms, rate, per_ms, until_ms)
        return Taken((burst * per_ms - wanted) // per_ms)

    @query
    def bucket(self, name: Name) -> Bucket | None:
        """What the limiter has to make up for; ``None`` if it is full."""
        return self.buckets.get(name)

    def _lapse(self, ctx: Context, key: str) -> None:
        self._unschedule(key, self.buckets.pop(key).until_ms)


def _missing(bucket: Bucket, now_ms: int, per_ms: int) -> int:
    """What is missing from a bucket at ``now_ms``, in units of ``1 / per_ms``, rounded up where terms have changed."""
    missing = max(0, bucket.missing - (now_ms - bucket.at_ms) * bucket.rate)
    return -(-missing * per_ms // bucket.per_ms)
