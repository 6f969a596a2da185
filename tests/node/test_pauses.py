"""A process that was stopped, or whose clock stood still, notices it as soon as it looks."""

from collections.abc import Callable

import pytest

from paxon.node.pauses import Pauses
from paxon.node.ports import Timer

BOUND_MS = 50


class TwoClocks:
    """A monotonic clock and a wall clock that a test moves.  Satisfies ``Clock``, but for timers."""

    def __init__(self) -> None:
        self.monotonic = 1_000
        self.wall = 1_700_000_000_000

    def pass_ms(self, ms: int, *, stands_still: int = 0) -> None:
        self.monotonic += ms
        self.wall += ms + stands_still

    def monotonic_ms(self) -> int:
        return self.monotonic

    def wall_ms(self) -> int:
        return self.wall

    def chance(self) -> int:
        raise NotImplementedError

    def call_at(self, when_ms: int, callback: Callable[[], None]) -> Timer:
        raise NotImplementedError

    def call_soon(self, callback: Callable[[], None]) -> None:
        raise NotImplementedError


def test_time_that_passes_on_both_clocks_is_no_standstill() -> None:
    clock = TwoClocks()
    pauses = Pauses(clock, BOUND_MS)
    for _ in range(100):
        clock.pass_ms(10_000)
        assert pauses.none_since(0, clock.monotonic)


@pytest.mark.parametrize("apart_ms", [26, -26, 86_400_000])
def test_clocks_that_come_apart_by_more_than_half_of_the_bound_are_noticed(apart_ms: int) -> None:
    clock = TwoClocks()
    pauses = Pauses(clock, BOUND_MS)
    clock.pass_ms(10, stands_still=apart_ms)
    assert not pauses.none_since(1_005, clock.monotonic)


def test_many_short_standstills_add_up() -> None:
    clock = TwoClocks()
    pauses = Pauses(clock, BOUND_MS)
    seen = []
    for _ in range(6):
        clock.pass_ms(10, stands_still=5)
        seen.append(pauses.none_since(1_000, clock.monotonic))
    assert seen == [True, True, True, True, True, False]


def test_what_began_after_the_standstill_was_noticed_is_not_touched_by_it() -> None:
    clock = TwoClocks()
    pauses = Pauses(clock, BOUND_MS)
    clock.pass_ms(10, stands_still=1_000)
    assert not pauses.none_since(1_000, clock.monotonic)
    assert not pauses.none_since(1_010, clock.monotonic), "at 1,010 the clock stood still"
    assert pauses.none_since(1_011, clock.monotonic)
    clock.pass_ms(5_000)
    assert pauses.none_since(1_011, clock.monotonic)


@pytest.mark.parametrize(("late_ms", "is_noticed"), [(50, False), (51, True)])
def test_a_timer_that_comes_too_late_is_noticed(late_ms: int, is_noticed: bool) -> None:
    clock = TwoClocks()
    pauses = Pauses(clock, BOUND_MS)
    clock.pass_ms(100 + late_ms)
    pauses.was_due(1_100)
    assert pauses.none_since(1_099, clock.monotonic) is not is_noticed
