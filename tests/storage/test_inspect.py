"""An operator can look at any ledger, and looking changes nothing."""

import pytest

from paxon.core.decree import NodeId, Slot
from paxon.core.ledger import Outcome, Passed, TriedBallot, Vote
from paxon.errors import LedgerCorrupt
from paxon.storage.identity import DataDirectory
from paxon.storage.inspect import show, verify
from paxon.storage.segment import segment_name
from paxon.storage.snapshot_file import snapshot_name
from paxon.storage.snapshot_store import Capture
from tests.storage.disk import MemoryDirectory
from tests.storage.scripts import FIRST, SECOND, SEGMENT, STORAGE, flat, groups, vote, write

PLAN = groups(slots=8, size=700)


def made(close: bool = True) -> MemoryDirectory:
    disk = MemoryDirectory()
    data = DataDirectory.open(disk, "c", "a", NodeId(1), STORAGE)
    ledger_file = data.ledger(SEGMENT)
    ledger_file.replay(lambda record: None)
    write(ledger_file, PLAN)
    if close:
        ledger_file.close()
    return disk


def test_show_has_every_record_in_order() -> None:
    lines = list(show(made()))
    assert [line.line for line in lines] == list(range(1, len(flat(PLAN)) + 1))
    assert [line.kind for line in lines] == [type(record).__name__ for record in flat(PLAN)]
    assert lines[0].slot is None
    assert lines[0].term == FIRST.term
    for line, record in zip(lines, flat(PLAN), strict=True):
        assert line.slot == getattr(record, "slot", None)
        assert line.synced < line.line
        match record:
            case Vote(decree=decree) | Outcome(decree=decree):
                assert (line.commands, line.command_bytes, line.stamp_ms) == (1, 700, decree.stamp_ms)
            case Passed() | TriedBallot():
                assert (line.commands, line.command_bytes, line.stamp_ms) == (0, 0, None)
            case _:
                pass
    assert lines[-1].ballot == SECOND
    assert {line.segment for line in lines} == {segment_name(1), segment_name(2), segment_name(3)}


def test_verify_of_a_sound_ledger() -> None:
    disk = made()
    report = verify(disk)
    assert report.sound
    assert (report.identity.cluster, report.identity.storage) == ("c", STORAGE)
    assert (report.segments, report.records, report.passed_until) == (3, len(flat(PLAN)), 10)
    assert report.disk_bytes == sum(disk.size(segment_name(number)) for number in (1, 2, 3))
    assert (report.promised, report.tried) == (SECOND, FIRST)
    assert (report.torn_bytes, report.unproven_records, report.damage, report.repairable) == (0, 0, None, ())


def test_verify_of_a_crash() -> None:
    disk = made(close=False)
    assert verify(disk).unproven_records == 2
    end = len(disk.read(segment_name(3)).rstrip(b"\0"))
    disk.pwrite(segment_name(3), end, b"\xc1\xf5 half a record")
    report = verify(disk)
    assert report.sound
    assert report.torn_bytes == 16
    assert len(list(show(disk))) == len(flat(PLAN))


def test_verify_and_show_of_damage() -> None:
    disk = made()
    disk.flip(segment_name(2), 1000, 0)
    report = verify(disk)
    assert not report.sound
    assert report.damage is not None
    assert report.damage_at is not None
    assert report.damage_at.file == segment_name(2)
    assert report.last_slot is not None
    assert f"line {report.damage_at.line}, after a record of slot {report.last_slot}" in report.damage
    lines = show(disk)
    with pytest.raises(LedgerCorrupt, match=r"ledger-0+2\.seg"):
        list(lines)


def test_verify_of_a_ledger_behind_its_ballots() -> None:
    disk = made()
    disk.remove(segment_name(3))
    report = verify(disk)
    assert report.damage is not None
    assert "lost synced records" in report.damage
    assert report.damage_at is None


def test_verify_of_records_that_contradict_each_other() -> None:
    disk = MemoryDirectory()
    data = DataDirectory.open(disk, "c", "a", NodeId(1), STORAGE)
    ledger_file = data.ledger(SEGMENT)
    ledger_file.replay(lambda record: None)
    write(ledger_file, [[vote(1)], [vote(1)]])
    report = verify(disk)
    assert report.damage is not None
    assert "contradicts what is before it: one vote per ballot and slot" in report.damage


@pytest.mark.parametrize("name", ["identity", "identity.copy", "ballots", "ballots.copy"])
def test_verify_tells_of_a_damaged_copy(name: str) -> None:
    disk = made()
    disk.flip(name, 25, 1)
    report = verify(disk)
    assert report.sound
    assert report.repairable == (f"data/{name} is damaged",)


def test_without_an_identity_there_is_nothing_to_look_at() -> None:
    for look in (verify, lambda disk: list(show(disk))):
        with pytest.raises(LedgerCorrupt, match="no member's data directory"):
            look(MemoryDirectory())


def test_looking_takes_no_lock_and_changes_nothing() -> None:
    disk = made()
    disk.flip("identity", 25, 1)
    files = {name: disk.read(name) for name in disk.names()}

    def before(operation: str, name: str) -> None:
        assert operation in ("names", "read", "pread", "size")

    disk.before = before
    verify(disk)
    list(show(disk))
    assert {name: disk.read(name) for name in disk.names()} == files


def trimmed(*, is_damaged: bool) -> MemoryDirectory:
    """A member's directory whose ledger begins behind two snapshots, the newer one damaged or not."""
    disk = MemoryDirectory()
    data = DataDirectory.open(disk, "c", "a", NodeId(1), STORAGE)
    file, store = data.ledger(SEGMENT), data.snapshots()
    file.replay(lambda record: None)
    write(file, groups(slots=40, size=300))
    for slot in (Slot(2), Slot(30)):
        capture = Capture(store, slot)
        capture.add([b"state"])
        capture.keep()
    file.trim(Slot(30), 0, 0)
    if is_damaged:
        disk.flip(snapshot_name(Slot(30)), 30, 1)
    return disk


def test_a_trimmed_ledger_and_its_snapshots_are_verified() -> None:
    report = verify(trimmed(is_damaged=False))
    assert report.sound
    assert 2 < report.first_slot <= 30
    assert [snapshot.slot for snapshot in report.snapshots] == [30, 2]
    assert report.damaged_snapshots == ()
    assert 0 < report.records < len(flat(groups(slots=40, size=300)))


def test_a_trimmed_ledger_without_a_snapshot_that_reaches_it_is_not_sound() -> None:
    report = verify(trimmed(is_damaged=True))
    assert not report.sound
    assert "no sound snapshot" in (report.damage or "")
    assert snapshot_name(Slot(30)) in (report.damage or "")
    assert [snapshot.slot for snapshot in report.snapshots] == [2]


def test_a_trimmed_ledger_is_shown_from_where_it_begins() -> None:
    lines = list(show(trimmed(is_damaged=False)))
    assert lines[0].line > 1
    assert lines[0].segment != "ledger-0000000000000001.seg"
