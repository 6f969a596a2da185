"""What reads of every kind promise: how far an answer has to have come, and that a broken promise is noticed."""

from random import Random

import pytest

from paxon.core.decree import NodeId, Slot
from paxon.node.consistency import LINEARIZABLE, STALE, AtLeast, Stale
from paxon.node.readings import Readings
from paxon.sim.agenda import Agenda
from paxon.sim.clock import MILLION, Quartz
from paxon.sim.plan import plan_of
from paxon.sim.promises import Promises
from paxon.sim.world import Violation, World

M = NodeId(1)

SEEDS = range(40)
"""Enough that a broken promise shows."""


class Known:
    """An oracle that knows what it is told to know."""

    def __init__(self) -> None:
        self.floor = Slot(0)

    def read_floor(self) -> Slot:
        return self.floor


def test_a_bound_is_measured_by_the_clock_of_the_member_that_answers() -> None:
    agenda, known, quartz = Agenda(), Known(), Quartz(Random(0), 0, 0)
    promises = Promises(0, agenda, known, lambda member, then_ms: quartz.showed_ms(then_ms))  # type: ignore[arg-type]

    def at(now_ms: int, slot: int) -> None:
        agenda.now_ms, known.floor = now_ms, Slot(slot)
        promises.note()

    at(100, 3)
    quartz.change_rate(100, MILLION // 2)
    at(300, 5)
    agenda.now_ms = 500  # The clock shows 100, 200 and 300.
    assert promises.floor(M, LINEARIZABLE) == 5
    assert promises.floor(M, AtLeast(Slot(4))) == 4
    assert promises.floor(M, STALE) == 0
    assert [promises.floor(M, Stale(age)) for age in (0, 99, 100, 199, 200)] == [5, 5, 3, 3, 0]


def test_a_clock_tells_what_it_showed_at_any_time() -> None:
    quartz = Quartz(Random(0), 0, 0)
    shown = []
    for now_ms, rate_ppm in ((10, MILLION // 2), (20, 3 * MILLION // 2), (40, MILLION)):
        quartz.change_rate(now_ms, rate_ppm)
    for then_ms in (0, 5, 10, 15, 20, 30, 40, 50):
        shown.append(quartz.showed_ms(then_ms))
    assert shown == [0, 5, 10, 12, 15, 30, 45, 55]


def test_clients_of_some_seeds_ask_for_reads_of_every_kind() -> None:
    vary = [plan_of(seed).reads_vary for seed in SEEDS]
    assert any(vary)
    assert not all(vary)


def broken(seeds: range) -> list[str]:
    """What went wrong in those of the seeds whose clients ask for reads of every kind."""
    claims = []
    for seed in seeds:
        plan = plan_of(seed)
        if plan.reads_vary:
            try:
                World(seed, plan).run(until_calm=True)
            except Violation as violation:
                claims.append(violation.claim)
    return claims


def test_a_state_that_is_taken_for_fresher_than_it_is_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    settle = Readings._settle

    def rejuvenating(self: Readings, number: int, passed_until: Slot | None) -> None:
        if number in self._barriers:
            self._barriers[number].asked_ms += 2_000
        settle(self, number, passed_until)

    monkeypatch.setattr(Readings, "_settle", rejuvenating)
    assert any("as it promises" in claim for claim in broken(SEEDS))


def test_a_read_by_slot_that_does_not_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    add_for = Readings.add_for
    monkeypatch.setattr(
        Readings, "add_for", lambda self, slot, reply, deadline_ms: add_for(self, Slot(0), reply, deadline_ms)
    )
    assert any("as it promises" in claim for claim in broken(SEEDS))
