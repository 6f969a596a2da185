"""Rate limiters: never more than the burst and what the time brings, and not a millisecond's wait too long."""

from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from paxon.collections import rate_limiters
from paxon.collections.lapsing import GRAIN_MS
from paxon.collections.rate_limiters import RateLimiters, Taken, Wait
from paxon.collections.refusals import LimitReached, OverBurst
from tests.collections.desk import Comparison, Desk, case_of, names

TERMS = {"north": (3, 10, 5), "south": (1, 7, 2)}
"""Rate, its milliseconds, and burst."""


class RateLimitersComparison(Comparison[RateLimiters]):
    """The model has what is in each bucket as an exact fraction."""

    def __init__(self) -> None:
        super().__init__()
        self.level = {name: Fraction(burst) for name, (_, _, burst) in TERMS.items()}
        self.as_of_ms = self.now_ms
        self.taken: dict[str, list[tuple[int, int]]] = {"north": [], "south": []}

    def new_desk(self) -> Desk[RateLimiters]:
        return Desk(RateLimiters)

    def expire(self) -> None:
        for name, (rate, per_ms, burst) in TERMS.items():
            brought = Fraction((self.now_ms - self.as_of_ms) * rate, per_ms)
            self.level[name] = min(Fraction(burst), self.level[name] + brought)
        self.as_of_ms = self.now_ms

    @rule(name=names, amount=st.integers(1, 5))
    def takes(self, name: str, amount: int) -> None:
        rate, per_ms, burst = TERMS[name]
        if amount > burst:
            self.desk.refused(OverBurst, RateLimiters.take, name, amount, rate, per_ms, burst)
            return
        result = self.desk.do(RateLimiters.take, name, amount, rate, per_ms, burst)
        if amount <= self.level[name]:
            self.level[name] -= amount
            self.taken[name].append((self.now_ms, amount))
            assert result == Taken(int(self.level[name]))
            return
        assert isinstance(result, Wait)
        lacking = amount - self.level[name]
        assert result.wait_ms * Fraction(rate, per_ms) >= lacking
        assert (result.wait_ms - 1) * Fraction(rate, per_ms) < lacking

    @invariant()
    def in_no_span_is_there_more_than_promised(self) -> None:
        for name, (rate, per_ms, burst) in TERMS.items():
            for place, (begin_ms, _) in enumerate(self.taken[name]):
                total = 0
                for end_ms, amount in self.taken[name][place:]:
                    total += amount
                    assert total <= burst + Fraction((end_ms - begin_ms) * rate, per_ms)

    @invariant()
    def a_full_bucket_leaves_no_trace_for_long(self) -> None:
        emptied = {name for name, (_, _, burst) in TERMS.items() if self.level[name] < burst}
        for name in TERMS:
            bucket = self.desk.ask(RateLimiters.bucket, name)
            if bucket is None:
                assert name not in emptied
            elif name not in emptied:
                assert self.now_ms < bucket.until_ms < self.now_ms + GRAIN_MS
        assert self.desk.machine.due_count == len(self.desk.machine.buckets)


TestRateLimiters = case_of(RateLimitersComparison)


def test_a_burst_then_a_wait_that_is_exact() -> None:
    desk = Desk(RateLimiters)
    assert [desk.do(RateLimiters.take, "mail", 1, 1, 100, 2) for _ in range(3)] == [Taken(1), Taken(0), Wait(100)]
    desk.later(99)
    assert desk.do(RateLimiters.take, "mail", 1, 1, 100, 2) == Wait(1)
    desk.later(1)
    assert desk.do(RateLimiters.take, "mail", 1, 1, 100, 2) == Taken(0)


def test_new_terms_count_at_once_and_what_was_taken_stays_taken() -> None:
    desk = Desk(RateLimiters)
    assert desk.do(RateLimiters.take, "mail", 2, 1, 100, 2) == Taken(0)
    assert desk.do(RateLimiters.take, "mail", 1, 1, 10, 3) == Taken(0)
    assert desk.do(RateLimiters.take, "mail", 1, 1, 10, 3) == Wait(10)
    assert desk.do(RateLimiters.take, "mail", 1, 1, 1, 1) == Wait(3)


def test_what_is_more_than_the_burst_is_refused_for_good() -> None:
    desk = Desk(RateLimiters)
    refusal = desk.refused(OverBurst, RateLimiters.take, "mail", 3, 1, 100, 2)
    assert str(refusal) == "3 at once is more than the burst of 2: ask for less, or raise the burst"


def test_there_are_only_so_many_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiters, "ENTRIES_MAX", 1)
    desk = Desk(RateLimiters)
    desk.do(RateLimiters.take, "mail", 1, 1, 100, 2)
    desk.refused(LimitReached, RateLimiters.take, "post", 1, 1, 100, 2)
    desk.later(100)
    desk.do(RateLimiters.take, "post", 1, 1, 100, 2)
