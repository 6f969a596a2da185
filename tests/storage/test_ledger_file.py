"""A ledger file gives back what was put in, across segments and openings."""

import errno

import pytest

from paxon.core.decree import Slot
from paxon.core.ledger import Outcome, PromisedBallot, Record, TriedBallot
from paxon.errors import InvariantViolation, LedgerCorrupt, LedgerSyncFailed
from paxon.storage.segment import segment_name, segment_numbers
from tests.storage.disk import FailNth, MemoryDirectory
from tests.storage.scripts import FIRST, SECOND, SEGMENT, decree, flat, groups, opened, passed, vote, write


def test_a_new_ledger_is_empty() -> None:
    ledger_file, replayed, findings = opened(MemoryDirectory())
    assert (replayed, findings) == ([], [])
    assert ledger_file.disk_bytes == SEGMENT
    assert ledger_file.recall(Slot(1), 1000) == ()


@pytest.mark.parametrize("close", [True, False])
def test_what_was_synced_is_replayed(close: bool) -> None:
    disk = MemoryDirectory()
    plan = groups()
    for number in range(len(plan)):
        ledger_file, replayed, findings = opened(disk)
        assert replayed == flat(plan[:number])
        assert findings == []
        write(ledger_file, plan[number : number + 1])
        if close:
            ledger_file.close()
        disk = disk.crash()
    assert opened(disk)[1] == flat(plan)


def test_nothing_is_durable_before_sync() -> None:
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    ledger_file.append([TriedBallot(FIRST)])
    assert (ledger_file.line, ledger_file.synced_line) == (1, 0)
    assert opened(disk.crash())[1] == []
    assert ledger_file.sync() == 1
    assert opened(disk.crash())[1] == [TriedBallot(FIRST)]


def test_a_sync_with_nothing_to_do_names_the_last_line() -> None:
    ledger_file, _, _ = opened(MemoryDirectory())
    assert ledger_file.sync() == 0
    write(ledger_file, groups())
    assert ledger_file.sync() == ledger_file.line


def test_segments_follow_each_other() -> None:
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    plan = groups(slots=40, size=500)
    write(ledger_file, plan)
    numbers = segment_numbers(disk.names())
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 4
    assert ledger_file.disk_bytes == sum(disk.size(segment_name(number)) for number in numbers)
    reopened, replayed, findings = opened(disk.crash())
    assert (replayed, findings) == (flat(plan), [])
    assert reopened.disk_bytes == ledger_file.disk_bytes


def test_one_group_may_fill_several_segments() -> None:
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    plan = groups(slots=40, size=500)
    write(ledger_file, [flat(plan)])
    assert len(segment_numbers(disk.names())) > 4
    assert opened(disk.crash())[1] == flat(plan)


def test_a_record_larger_than_a_segment_gets_its_own() -> None:
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    plan: list[list[Record]] = [[vote(1, 3 * SEGMENT)], [passed(1), vote(2)], [passed(2)]]
    write(ledger_file, plan)
    assert disk.size(segment_name(2)) > 3 * SEGMENT
    reopened, replayed, _ = opened(disk.crash())
    assert replayed == flat(plan)
    assert reopened.recall(Slot(1), 1) == (Outcome(Slot(1), decree(1, 3 * SEGMENT)),)


def test_it_is_replayed_first_and_once() -> None:
    ledger_file, _, _ = opened(MemoryDirectory())
    with pytest.raises(InvariantViolation, match="replayed once"):
        ledger_file.replay(lambda record: None)


def test_after_close_it_refuses() -> None:
    ledger_file, _, _ = opened(MemoryDirectory())
    ledger_file.close()
    with pytest.raises(LedgerSyncFailed, match="closed"):
        ledger_file.append([])
    with pytest.raises(LedgerSyncFailed, match="closed"):
        ledger_file.sync()


class TestRecall:
    """Passed decrees come back from the file, and nothing else does."""

    def test_slots_in_order_until_one_that_has_not_passed(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, groups(slots=40, size=300))
        expected = tuple(Outcome(Slot(slot), decree(slot, 300)) for slot in range(1, 41))
        expected += (Outcome(Slot(41), decree(41, 300, SECOND)),)
        for file in (ledger_file, opened(disk)[0]):
            assert file.recall(Slot(1), 10**6) == expected
            assert file.recall(Slot(17), 10**6) == expected[16:]
            assert file.recall(Slot(41), 10**6) == expected[40:]
            assert file.recall(Slot(42), 10**6) == ()
            assert file.recall(Slot(0), 10**6) == ()
            assert file.recall(Slot(10**15), 10**6) == ()

    def test_about_as_much_as_asked_for_and_at_least_one(self) -> None:
        ledger_file, _, _ = opened(MemoryDirectory())
        write(ledger_file, groups(slots=40, size=300))
        assert len(ledger_file.recall(Slot(1), 1)) == 1
        assert len(ledger_file.recall(Slot(1), 1000)) == 3

    def test_a_later_vote_replaces_an_earlier_one(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[vote(1)], [vote(1, 20, SECOND), passed(1, SECOND)]])
        for file in (ledger_file, opened(disk)[0]):
            assert file.recall(Slot(1), 1000) == (Outcome(Slot(1), decree(1, 20, SECOND)),)

    def test_slots_beyond_a_gap(self) -> None:
        ledger_file, _, _ = opened(MemoryDirectory())
        far = 10**12
        told = [Outcome(Slot(slot), decree(slot % 1000)) for slot in (3, 4, far)]
        write(ledger_file, [told, [vote(2)]])
        assert ledger_file.recall(Slot(1), 1000) == ()
        assert ledger_file.recall(Slot(2), 1000) == ()
        assert ledger_file.recall(Slot(3), 1000) == tuple(told[:2])
        assert ledger_file.recall(Slot(far), 1000) == (told[2],)
        write(ledger_file, [[passed(2), Outcome(Slot(1), decree(1))]])
        assert [outcome.slot for outcome in ledger_file.recall(Slot(1), 1000)] == [1, 2, 3, 4]

    def test_what_is_only_appended_is_not_found(self) -> None:
        ledger_file, _, _ = opened(MemoryDirectory())
        ledger_file.append([Outcome(Slot(1), decree(1))])
        assert ledger_file.recall(Slot(1), 1000) == ()

    def test_damage_is_noticed(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[Outcome(Slot(1), decree(1))]])
        disk.flip(segment_name(1), 80, 0)
        with pytest.raises(LedgerCorrupt, match="damaged"):
            ledger_file.recall(Slot(1), 1000)

    def test_an_unreadable_disk_is_noticed(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[Outcome(Slot(1), decree(1))]])
        disk.before = FailNth(1, errno.EIO)
        with pytest.raises(LedgerCorrupt, match="cannot be read"):
            ledger_file.recall(Slot(1), 1000)


class TestBallots:
    """The highest ballots are kept twice, so that a ledger that lost them is refused."""

    def test_an_older_ledger_is_refused(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[TriedBallot(FIRST), PromisedBallot(FIRST)], [vote(1)]])
        ledger_file.close()
        older = disk.read(segment_name(1))
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[PromisedBallot(SECOND)]])
        disk.put(segment_name(1), older)
        before = disk.copy()
        with pytest.raises(LedgerCorrupt, match=r"lost synced records: it ends at line 3 with promised ballot 1\.1"):
            opened(disk)
        assert {name: disk.read(name) for name in disk.names()} == {name: before.read(name) for name in before.names()}

    def test_a_lost_tried_ballot_is_refused(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        older = disk.read(segment_name(1))
        write(ledger_file, [[TriedBallot(FIRST)]])
        disk.put(segment_name(1), older)
        with pytest.raises(LedgerCorrupt, match=r"tried ballot 0\.0"):
            opened(disk)

    @pytest.mark.parametrize("lost", [TriedBallot(FIRST), PromisedBallot(FIRST)])
    def test_a_longer_ledger_without_the_ballot_is_refused(self, lost: Record) -> None:
        """As when a copy of the directory was put to use elsewhere, and brought back."""
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        clone = disk.copy()
        write(ledger_file, [[lost]])
        ledger_file, _, _ = opened(clone)
        write(ledger_file, [[Outcome(Slot(slot), decree(slot)) for slot in range(1, 9)]])
        disk.put(segment_name(1), clone.read(segment_name(1)))
        with pytest.raises(LedgerCorrupt, match="lost synced records: it ends at line 8"):
            opened(disk)

    def test_a_ledger_that_is_gone_is_refused(self) -> None:
        disk = MemoryDirectory()
        opened(disk)[0].close()
        disk.remove(segment_name(1))
        with pytest.raises(LedgerCorrupt, match="it is gone"):
            opened(disk)

    def test_a_twin_that_is_gone_is_refused(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[TriedBallot(FIRST)]])
        disk.remove("ballots")
        disk.remove("ballots.copy")
        with pytest.raises(LedgerCorrupt, match="both copies of ballots are missing"):
            opened(disk)

    def test_votes_raise_the_promise(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[vote(1)]])
        older = disk.read(segment_name(1))
        write(ledger_file, [[vote(2, ballot=SECOND)]])
        disk.put(segment_name(1), older)
        with pytest.raises(LedgerCorrupt, match="lost synced records"):
            opened(disk)

    def test_a_ledger_ahead_of_its_twin_is_a_crash(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        copies = {name: disk.read(name) for name in ("ballots", "ballots.copy")}
        write(ledger_file, [[PromisedBallot(FIRST)]])
        for name, data in copies.items():
            disk.put(name, data)
        assert opened(disk)[1] == [PromisedBallot(FIRST)]
        disk.put(segment_name(1), opened(MemoryDirectory())[0]._directory.read(segment_name(1)))
        with pytest.raises(LedgerCorrupt, match="lost synced records"):
            opened(disk)
