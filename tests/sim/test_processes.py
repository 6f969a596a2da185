"""What befalls processes, each fault seen to happen: pauses, slowness, shortages, restarts, a second process."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from paxon.core.decree import NodeId
from paxon.core.roster import Majority
from paxon.errors import InvariantViolation, LedgerInUse
from paxon.node.host import Host
from paxon.sim.agenda import Agenda, Life
from paxon.sim.directory import SimDirectory
from paxon.sim.plan import MINUTE_MS, NetworkFaults, Plan, plan_of
from paxon.sim.script import Script
from paxon.sim.workload import Request
from paxon.sim.world import Violation, World
from tests.mutants import presidency

ONE = NodeId(1)
MEMBERS = (NodeId(1), NodeId(2), NodeId(3))


def calm_world(storm_ms: int = 10_000, seed: int = 3) -> World:
    return World(seed, Plan("by hand", Majority(MEMBERS), NetworkFaults(), storm_ms=storm_ms))


class Notes:
    """When things happened to a life."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.life = Life(ONE, 1)
        self.times: list[tuple[str, int]] = []

    def plan(self, name: str, delay_ms: int) -> None:
        self.agenda.after(delay_ms, name, lambda: self.times.append((name, self.agenda.now_ms)), self.life)

    def run(self, until_ms: int) -> None:
        while (event := self.agenda.pop(until_ms)) is not None:
            assert event.action is not None
            event.action()


# --- P3, C3 ---


def test_what_falls_due_in_a_pause_happens_at_its_end_in_order() -> None:
    notes = Notes()
    for number in range(5):
        notes.plan(str(number), 10 * number)
    notes.life.is_paused = True
    notes.run(MINUTE_MS)
    assert notes.times == []
    notes.agenda.resume(notes.life)
    notes.run(2 * MINUTE_MS)
    assert notes.times == [(str(number), MINUTE_MS) for number in range(5)]


def test_a_pause_of_a_minute_makes_timers_late_all_at_once_and_deposes_a_leader() -> None:
    world = calm_world(storm_ms=3 * MINUTE_MS)
    leaders: list[NodeId | None] = []

    def stop_the_leader() -> None:
        leader = world.fates.leader
        assert leader is not None
        leaders.append(leader)
        world.fates.pause(leader, MINUTE_MS)
        world.agenda.after(MINUTE_MS - 1, "look", lambda: leaders.append(_other_leader(world, leader)))

    world.agenda.after(10_000, "stop the leader", stop_the_leader)
    report = world.run()
    assert leaders[0] != leaders[1]
    assert report.counts["elections"] >= 2
    assert report.faults["C3"] == 1


def _other_leader(world: World, stopped: NodeId) -> NodeId | None:
    """Who leads of those who are not stopped; a stopped leader does not know that it was deposed."""
    hosts = {number: member.host for number, member in world.members.items() if number != stopped}
    return next((number for number, host in hosts.items() if host is not None and host.role == "leader"), None)


@pytest.mark.parametrize("pause_ms", [300, MINUTE_MS])
def test_a_leader_that_was_stopped_answers_no_read_from_what_it_knew(pause_ms: int) -> None:
    assert not _deposed_in_a_pause_and_read(pause_ms).is_over


def test_the_oracle_notices_a_read_of_a_leader_that_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a minute a leader gives up by itself, for it has heard nobody; after a moment only the roll call helps."""
    presidency.read_without_a_roll_call.apply(monkeypatch)
    with pytest.raises(InvariantViolation, match="as it promises"):
        _deposed_in_a_pause_and_read(300)


def _deposed_in_a_pause_and_read(pause_ms: int) -> Request:
    """1 leads and is stopped; 2 leads and acknowledges a command; 1 goes on and is asked for a read."""
    script = Script(3)
    script.elect(1)
    script.submit(1)
    script.settle()
    script.world.fates.pause(ONE, pause_ms)
    script.elect(2, among=(2, 3))
    written = script.submit(2)
    script.settle(lambda: written.is_over, among=(2, 3))
    life = script.world.members[ONE].life
    assert life is not None
    while life.is_paused:
        script.wait(10)
        script.drop(to=1)
    return script.read(1)


# --- P4 ---


def test_a_slow_process_takes_its_time_over_every_event_in_order() -> None:
    notes = Notes()
    notes.life.step_ms = 30
    for number in range(5):
        notes.plan(str(number), number)
    notes.run(1_000)
    assert notes.times == [(str(number), 30 * number) for number in range(5)]


def test_a_slow_process_that_is_fast_again_works_off_its_queue_at_once() -> None:
    notes = Notes()
    notes.life.step_ms = 1_000
    for number in range(5):
        notes.plan(str(number), number)
    notes.run(100)
    notes.agenda.hasten(notes.life)
    notes.run(200)
    assert notes.times == [("0", 0), ("1", 100), ("2", 100), ("3", 100), ("4", 100)]


def test_letters_wait_in_the_queue_of_a_slow_member() -> None:
    world = calm_world()
    world.agenda.after(5_000, "slow", lambda: world.fates.slow_down(ONE, 400))
    queued: list[int] = []

    def look() -> None:
        life = world.members[ONE].life
        assert life is not None
        queued.append(world.agenda.planned_for(life))

    world.agenda.after(4_999, "look", look)
    world.agenda.after(9_000, "look", look)
    world.run()
    assert queued[1] > 10 * queued[0]


# --- P5 ---


@pytest.mark.parametrize("place", ["memory to apply", "memory to append"])
def test_a_member_without_memory_stops_and_comes_back(place: str) -> None:
    world = calm_world()
    world.agenda.after(5_000, "no memory", lambda: world.fates.exhaust_memory(ONE, place))
    report = world.run()
    assert report.parts[f"P5 {place}"] == 1
    assert report.counts["crashes"] == 1
    assert world.members[ONE].lives == 2


@pytest.mark.parametrize("place", ["memory to apply", "memory to append"])
def test_a_member_that_goes_on_after_half_a_step_is_noticed(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Host, "_die", lambda self, error: None)
    world = calm_world()
    world.agenda.after(5_000, "no memory", lambda: world.fates.exhaust_memory(ONE, place))
    with pytest.raises(Violation, match=f"a member that lacks {place} stops"):
        world.run()


def test_a_letter_that_cannot_be_decoded_costs_its_link_and_nobody_stops() -> None:
    world = calm_world()
    hints: list[tuple[NodeId, NodeId]] = []
    with _watched_hints(world, hints):
        world.agenda.after(5_000, "no memory", lambda: world.fates.exhaust_memory(ONE, "memory to decode"))
        report = world.run()
    assert report.parts["P5 memory to decode"] == 1
    assert "crashes" not in report.counts
    assert len(hints) == 2
    assert set(hints[0]) == set(hints[1])


@contextmanager
def _watched_hints(world: World, hints: list[tuple[NodeId, NodeId]]) -> Iterator[None]:
    hint = world.fates.hint

    def watched(member: NodeId, peer: NodeId) -> None:
        hints.append((member, peer))
        hint(member, peer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world.fates, "hint", watched)
        yield


def test_a_member_that_cannot_open_files_does_not_start_until_it_can() -> None:
    world = calm_world()
    world.agenda.after(3_000, "no files", lambda: world.fates.exhaust_descriptors(ONE, True))
    world.agenda.after(3_001, "crash", lambda: world.crash(ONE, 10))
    alive: list[bool] = []
    world.agenda.after(5_999, "look", lambda: alive.append(ONE in world.alive))
    world.agenda.after(6_000, "files", lambda: world.fates.exhaust_descriptors(ONE, False))
    world.run()
    assert alive == [False]
    assert world.members[ONE].lives > 10, "a supervisor tried again and again"


# --- P6 ---


def test_a_second_process_is_refused_and_the_lock_goes_with_its_process() -> None:
    script = Script(3)
    member = script.world.members[ONE]
    with pytest.raises(LedgerInUse):
        member.open(member.directory.of_another_process())
    script.world.fates.start_twice(ONE)
    script.crash(1, power_cut=False)
    second = member.directory.of_another_process()
    member.open(second).close()
    script.restart(1)
    assert member.is_alive


def test_a_directory_that_lets_a_second_process_in_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimDirectory, "lock", lambda self: None)
    with pytest.raises(InvariantViolation, match="a second process is refused the directory of member 1"):
        Script(3).world.fates.start_twice(ONE)


def test_a_crash_loop_kills_also_during_the_replay_and_a_rolling_restart_loses_nothing() -> None:
    counts: dict[str, int] = {}
    for seed in range(8):
        report = World(seed, plan_of(seed, "restarts")).run()
        for name, count in (report.counts | report.parts).items():
            counts[name] = counts.get(name, 0) + count
    wanted = ("P6 crash loop", "P6 rolling restart", "P6 second process", "restarts", "crashes at start")
    assert [name for name in wanted if not counts.get(name)] == []


def test_a_restart_in_good_order_hands_leadership_over_first() -> None:
    world = calm_world()
    before: list[NodeId | None] = []

    def restart_the_leader() -> None:
        leader = world.fates.leader
        assert leader is not None
        before.append(leader)
        world.fates.restart(leader, 100)

    world.agenda.after(5_000, "restart", restart_the_leader)
    world.agenda.after(5_299, "look", lambda: before.append(_other_leader(world, before[0] or ONE)))
    report = world.run()
    assert report.counts["restarts"] == 1
    assert before[1] not in (None, before[0])


def test_a_restart_that_is_under_way_when_the_storm_ends_is_finished_first() -> None:
    world = calm_world(storm_ms=5_000)
    world.agenda.after(4_900, "restart", lambda: world.fates.restart(ONE, 30_000))
    report = world.run()
    assert report.counts["restarts"] == 1
    assert world.members[ONE].lives == 2
