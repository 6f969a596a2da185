"""Clocks that jump, drift and change their rate, and what may depend on them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from paxon.core.decree import NodeId
from paxon.core.president import President
from paxon.core.slip import Polling
from paxon.sim import member
from paxon.sim.agenda import Agenda, Life
from paxon.sim.clock import EPOCH_MS, MILLION, Quartz, SimClock
from paxon.sim.plan import plan_of
from paxon.sim.world import World

ONE = NodeId(1)
ZERO_MS = 123_456

rates = st.lists(st.tuples(st.integers(0, 5_000), st.integers(500_000, 1_500_000)), max_size=12)


@given(rates, st.integers(1, 60))
def test_a_clock_is_continuous_and_never_falls_whatever_its_rate(changes: list[tuple[int, int]], step_ms: int) -> None:
    quartz, now_ms, reading_ms = Quartz(Random(0), 0, 0), 0, 0
    for lasts_ms, rate_ppm in changes:
        quartz.change_rate(now_ms, rate_ppm)
        assert quartz.reading_ms(now_ms) == reading_ms
        for _ in range(0, lasts_ms, step_ms):
            now_ms += step_ms
            advance_ms = quartz.reading_ms(now_ms) - reading_ms
            assert advance_ms >= 0
            assert abs(advance_ms * MILLION - step_ms * rate_ppm) <= MILLION
            reading_ms += advance_ms


@given(rates, st.integers(0, 4_000))
def test_a_clock_shows_a_reading_at_the_first_moment_that_it_says(
    changes: list[tuple[int, int]], ahead_ms: int
) -> None:
    quartz, now_ms = Quartz(Random(0), 0, 0), 0
    for lasts_ms, rate_ppm in changes:
        quartz.change_rate(now_ms, rate_ppm)
        now_ms += lasts_ms
    wanted_ms = quartz.reading_ms(now_ms) + 1 + ahead_ms
    at_ms = quartz.shows_at_ms(wanted_ms)
    assert quartz.reading_ms(at_ms) >= wanted_ms > quartz.reading_ms(at_ms - 1)


def clock() -> tuple[Agenda, Quartz, SimClock]:
    agenda, quartz = Agenda(), Quartz(Random(0), 0, 0)
    return agenda, quartz, SimClock(agenda, Life(ONE, 1), quartz, Random(0), ZERO_MS)


@pytest.mark.parametrize(("rate_ppm", "due_ms"), [(500_000, 1_900), (MILLION, 1_000), (1_500_000, 700)])
def test_a_timer_follows_a_clock_that_changes_its_rate(rate_ppm: int, due_ms: int) -> None:
    agenda, quartz, made = clock()
    fired: list[int] = []
    made.call_at(ZERO_MS + 1_000, lambda: fired.append(agenda.now_ms))

    def change() -> None:
        quartz.change_rate(agenda.now_ms, rate_ppm)
        made.replan_timers()

    agenda.at(100, "change", change)
    while (event := agenda.pop(5_000)) is not None:
        assert event.action is not None
        event.action()
    assert fired == [due_ms]


def test_a_wall_clock_is_never_before_1970() -> None:
    agenda, quartz, made = clock()
    assert made.wall_ms() == EPOCH_MS
    quartz.step_wall(agenda.now_ms, -EPOCH_MS - 1)
    assert made.wall_ms() == 0
    quartz.step_wall(agenda.now_ms, -5_000)
    assert made.wall_ms() == 0
    quartz.step_wall(agenda.now_ms, 7_000)
    quartz.step_wall(agenda.now_ms, -5_000)
    assert made.wall_ms() == 2_000
    agenda.at(1_000, "later", lambda: None)
    agenda.pop(1_000)
    assert made.wall_ms() == 3_000, "a clock that was set back as far as it goes goes on from there"


def test_every_form_of_step_and_every_life_with_a_zero_of_its_own_comes() -> None:
    world = World(2, plan_of(2, "clocks"))
    parts = world.run().parts
    assert [form for form in ("minutes", "a day", "1970", "strobe") if not parts.get(f"C1 {form}")] == []
    assert parts["C2 rate change"] > 5
    assert world.strikes.counts["C4"] == sum(member.lives for member in world.members.values())


def _sent_and_kept(seed: int, profile: str) -> tuple[str, list[dict[str, bytes]]]:
    """A digest of everything that a run sent, with its checksums, and all that its disks hold in the end."""
    world = World(seed, structs.replace(plan_of(seed, profile), storm_ms=5_000))
    digest = world.run().digest
    return digest, [member.directory.contents() for member in world.members.values()]


def _with_other_zeros(seed: int, profile: str) -> tuple[str, list[dict[str, bytes]]]:
    """The same with the zero of every monotonic clock moved."""
    with pytest.MonkeyPatch.context() as patch:

        def moved(agenda: Agenda, life: Life, quartz: Quartz, random: Random, zero_ms: int) -> SimClock:
            return SimClock(agenda, life, quartz, random, zero_ms + 987_654_321)

        patch.setattr(member, "SimClock", moved)
        return _sent_and_kept(seed, profile)


@pytest.mark.parametrize("profile", ["lossy", "everything", "hasty", "restarts"])
def test_no_monotonic_time_is_sent_or_kept(profile: str) -> None:
    assert _sent_and_kept(5, profile) == _with_other_zeros(5, profile)


def test_a_stamp_from_the_monotonic_clock_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = President.propose

    def propose(self: President, commands: tuple[bytes, ...], wall_ms: int) -> None:
        if isinstance(self.slip, Polling):
            original(self, commands, self._pen.now_ms)

    monkeypatch.setattr(President, "propose", propose)
    assert _sent_and_kept(5, "lossy") != _with_other_zeros(5, "lossy")
