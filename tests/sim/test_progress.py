"""What is owed after a storm, when everybody heals and when a core does; and that a debt is noticed."""

from functools import partial
from random import Random

import pytest
from msgspec import structs

from paxon.core.attendance import Attendance
from paxon.core.decree import NodeId
from paxon.core.roster import Flexible, Majority, QuorumSystem, Weighted
from paxon.node.outbox import Outbox
from paxon.node.ports import Timer
from paxon.node.readings import Readings
from paxon.sim import remnant
from paxon.sim.plan import STORMY, Plan, plan_of
from paxon.sim.remnant import WAYS_TO_BE_BROKEN, some_core
from paxon.sim.world import Violation, World

MEMBERS = tuple(NodeId(number) for number in range(1, 6))


@pytest.mark.parametrize(
    "quorums",
    [
        Majority(MEMBERS),
        Weighted(dict(zip(MEMBERS, (3, 0, 1, 1, 2), strict=True))),
        Flexible(MEMBERS, promises=4, votes=2),
        Majority(MEMBERS[:1]),
    ],
)
def test_a_core_has_its_quorums_and_nobody_to_spare_by_number(quorums: QuorumSystem) -> None:
    cores = {some_core(Random(seed), quorums, quorums.members) for seed in range(60)}
    for core in cores:
        assert quorums.is_promise_quorum(set(core))
        assert quorums.is_vote_quorum(set(core))
    if len(quorums.members) > 1:
        assert len(cores) > 1
        assert any(set(core) != set(quorums.members) for core in cores)


def _core_run(seed: int, way: str) -> World:
    """A storm after which two of five are left behind in the same way."""
    plan = Plan("core", Majority(MEMBERS), STORMY, storm_ms=3_000, heals_core_only=True)
    world = World(seed, plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remnant, "WAYS_TO_BE_BROKEN", {way: WAYS_TO_BE_BROKEN[way]})
        world.run()
    return world


@pytest.mark.parametrize("way", WAYS_TO_BE_BROKEN)
def test_a_core_makes_progress_whatever_is_wrong_with_the_others(way: str) -> None:
    for seed in range(3):
        world = _core_run(seed, way)
        assert set(world.left_behind.values()) == {way}
        assert len(world.left_behind) == 2
        assert len(world.core) == 3
        assert all(world.members[number].host is not None for number in world.core)
        assert any(world.members[number].is_alive for number in world.left_behind) == (way != "down")


def test_a_pause_of_the_storm_does_not_end_one_for_good() -> None:
    plan = Plan("core", Majority(MEMBERS), storm_ms=3_000, heals_core_only=True)
    world = World(0, plan)
    for number in MEMBERS:
        world.agenda.after(2_900, "pause", partial(world.fates.pause, number, 1_500))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remnant, "WAYS_TO_BE_BROKEN", {"paused": "P3"})
        world.run()
    lives = [world.members[number].life for number in world.left_behind]
    assert [life is not None and life.is_paused for life in lives] == [True, True]


def test_who_is_told_to_stop_before_it_takes_part_sets_nothing_off() -> None:
    world = World(0, Plan("core", Majority(MEMBERS), storm_ms=3_000))
    timers: list[Timer | None] = []

    def look() -> None:
        member = world.members[MEMBERS[0]]
        if member.host is None or member.takes_part:
            world.agenda.after(1, "look", look)
            return
        world.fates.restart(member.number, 400)
        timers.append(member.host._timer)

    world.agenda.after(500, "crash", partial(world.fates.crash, MEMBERS[0], 100))
    world.agenda.after(500, "look", look)
    world.run()
    assert timers == [None]


def test_who_is_left_behind_may_be_spared() -> None:
    plan = structs.replace(plan_of(0, "partitions", 5), quorums=Majority(MEMBERS), heals_core_only=True)
    world = World(0, plan, spared=frozenset(WAYS_TO_BE_BROKEN.values()))
    world.run()
    assert world.left_behind == {}
    assert world.core == MEMBERS


def test_members_that_disturb_a_leader_at_work_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without asking around first, a deaf member starts ballot after ballot, and the core never rests."""
    monkeypatch.setattr(Attendance, "_ask_around", Attendance._stand)
    with pytest.raises(Violation, match=r"nobody starts a ballot|beget ballots|leadership rests|stuck"):
        _core_run(0, "deaf")


def test_a_core_that_cannot_decide_is_told_with_the_reason_and_who_was_left_behind() -> None:
    plan = Plan("core", Majority(MEMBERS), storm_ms=1_000)
    world = World(1, plan)
    # One member too many is cut off after the calm.
    world.agenda.after(1_001, "cut", lambda: _cut_off(world, 3))
    with pytest.raises(Violation, match="stuck 20000 ms after everything healed, with nobody left behind"):
        world.run()


def _cut_off(world: World, count: int) -> None:
    for number in MEMBERS[:count]:
        remnant.leave_behind(world, number, "cut off", 0.0)
    world.left_behind.clear()


def test_a_queue_that_does_not_empty_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Outbox, "__len__", lambda self: 3)
    with pytest.raises(Violation, match=r"keeps in its queues \{'letters for the disk': 3\}"):
        World(0, Plan("calm", Majority(MEMBERS[:3]), storm_ms=1_000)).run()


def test_a_barrier_that_is_never_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Readings.on_reading

    def on_reading(self: Readings, token: int, passed_until: object) -> None:
        foreign = self._foreign.get(token)
        original(self, token, passed_until)  # type: ignore[arg-type]
        if foreign is not None:
            self._foreign[token] = foreign

    monkeypatch.setattr(Readings, "on_reading", on_reading)
    with pytest.raises(Violation, match="'reads of others'"):
        World(0, Plan("calm", Majority(MEMBERS[:3]), storm_ms=1_000)).run()
