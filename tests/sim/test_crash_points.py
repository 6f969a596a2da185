"""A fuse ends a process exactly where it says, and what is between two points has happened or not."""

from collections.abc import Callable
from random import Random

import pytest

from paxon.core.decree import NodeId
from paxon.sim.agenda import Agenda
from paxon.sim.directory import SimDirectory
from paxon.sim.fuse import Fuse, PowerCut
from paxon.sim.plan import plan_of
from paxon.sim.strikes import CRASH_POINTS, FILE_POINTS, Strike, Strikes
from paxon.sim.world import Violation, World
from paxon.storage.tail import Tail

ONE = NodeId(1)


def test_a_fuse_burns_through_after_so_many_points_of_its_kind_and_once() -> None:
    strikes = Strikes(Agenda())
    fuse = Fuse(ONE, strikes)
    fuse.light(("before send",), 2, 70)
    for point in ("before send", "after send", "before send", "after send"):
        fuse.reached(point)
    with pytest.raises(PowerCut) as caught:
        fuse.reached("before send")
    assert (caught.value.member, caught.value.down_ms) == (ONE, 70)
    assert strikes.parts == {"P2 before send": 1}
    fuse.reached("before send")


def test_a_fuse_that_is_spared_or_put_out_does_nothing() -> None:
    spared = Fuse(ONE, Strikes(Agenda(), {"P2"}))
    spared.light(CRASH_POINTS, 0, 0)
    spared.reached("before send")
    put_out = Fuse(ONE, Strikes(Agenda()))
    put_out.light(CRASH_POINTS, 0, 0)
    put_out.put_out()
    put_out.reached("before send")


OPERATIONS: dict[str, tuple[Callable[[SimDirectory], None], Callable[[dict[str, bytes]], bool]]] = {
    "create": (lambda made: made.create("new"), lambda files: "new" in files),
    "write": (lambda made: made.pwrite("old", 0, b"text"), lambda files: files["old"] == b"text"),
    "truncate": (lambda made: made.truncate("old", 2), lambda files: files["old"] == bytes(2)),
    "rename": (lambda made: made.rename("old", "new"), lambda files: "new" in files),
    "remove": (lambda made: made.remove("old"), lambda files: "old" not in files),
    "sync": (lambda made: made.sync("unsynced"), lambda files: files["unsynced"] == b"text"),
    "directory sync": (SimDirectory.sync_directory, lambda files: "unnamed" in files),
}
"""Each file operation, and how one sees in the files that it has happened: the syncs after the power was cut."""


@pytest.mark.parametrize("point", FILE_POINTS)
def test_a_file_operation_has_happened_after_its_point_and_not_before(point: str) -> None:
    when, operation = point.split(" ", 1)
    act, has_happened = OPERATIONS[operation]
    seen = set()
    for seed in range(30):
        fuse = Fuse(ONE, Strikes(Agenda()))
        made = SimDirectory(1, Random(seed), fuse)
        made.create("old")
        made.create("unsynced")
        made.sync_directory()
        made.pwrite("unsynced", 0, b"text")
        made.create("unnamed")
        fuse.light((point,), 0, 0)
        with pytest.raises(PowerCut):
            act(made)
        if "sync" in operation:
            made.power_cut()
        seen.add(has_happened(made.contents()))
    # Before a sync, chance decides what a power cut takes.
    assert seen == ({True} if when == "after" else {True, False} if "sync" in operation else {False})


def test_every_point_is_reached_by_a_member_at_work() -> None:
    reached: set[str] = set()
    for seed in range(12):
        reached |= {name for name in World(seed, plan_of(seed, "restarts")).run().parts if name.startswith("P2 ")}
    assert {f"P2 {point}" for point in CRASH_POINTS} - reached <= {"P2 after truncate", "P2 before truncate"}


def _runs_with_crash_points() -> None:
    for seed in range(60):
        World(seed, plan_of(seed, "restarts")).run()


def test_a_ledger_that_calls_durable_what_it_has_only_written_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tail, "_sync", lambda self: None)
    with pytest.raises(Violation, match=r"reads back every record it knew to be durable|says that it was durable"):
        _runs_with_crash_points()


def test_a_name_that_was_never_made_durable_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimDirectory, "sync_directory", lambda self: None)
    with pytest.raises(Violation):
        _runs_with_crash_points()


def test_the_diary_names_the_point_of_every_hit() -> None:
    world = World(9, plan_of(9, "restarts"))
    world.strikes.diary = diary = list[Strike]()
    world.run()
    hits = [strike for strike in diary if strike.fault == "P2"]
    assert len(hits) == world.strikes.counts["P2"] > 0
    assert all(any(strike.what.endswith(point) for point in CRASH_POINTS) for strike in hits)
