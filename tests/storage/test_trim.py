"""Old segments go, and nothing that binds a member goes with them."""

import errno
import random
from collections.abc import Callable, Iterator

import pytest
from msgspec import Struct

from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.ledger import Beginning, Jumped, Ledger, Outcome, Passed, PromisedBallot, Record, TriedBallot, Vote
from paxon.errors import LedgerCorrupt, LedgerError
from paxon.storage.beginning import BEGINNING
from paxon.storage.directory import TEMPORARY
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.segment import segment_name, segment_numbers
from paxon.storage.twin import COPY
from tests.storage.disk import FailNth, MemoryDirectory
from tests.storage.scripts import FIRST, SEGMENT, STORAGE, decree, passed, vote

STAMP_MS = 5_000
"""Above every stamp."""


class Opened(Struct):
    """A ledger read back."""

    file: LedgerFile
    ledger: Ledger
    beginning: Beginning
    records: list[Record]


def opened(disk: MemoryDirectory) -> Opened:
    file = LedgerFile(disk, STORAGE, SEGMENT)
    found = Opened(file, Ledger(), Beginning(), [])

    def begin(beginning: Beginning) -> None:
        found.beginning, found.ledger = beginning, Ledger(beginning)

    def take(record: Record) -> None:
        found.ledger.replay(record)
        found.records.append(record)

    file.replay(take, begin)
    assert file.line == found.ledger.line == found.beginning.line + len(found.records)
    return found


def script(chance: random.Random, slots: int) -> Iterator[list[Record]]:
    """Groups as a member might write them: ballots that rise, slots out of order, old votes that never pass."""
    shadow = Ledger()
    round_ = 1
    for slot in range(1, slots + 1):
        group: list[Record] = []
        if chance.random() < 0.1:
            round_ += 1
            group.append(chance.choice((TriedBallot, PromisedBallot))(Ballot(round_, NodeId(1))))
        ballot = Ballot(max(round_, shadow.next_ballot.round), NodeId(1))
        if ballot < shadow.next_ballot:
            ballot = shadow.next_ballot
        voted = [Slot(slot)] + [Slot(slot + chance.randrange(1, 9))] * (chance.random() < 0.2)
        for one in voted:
            if not shadow.knows(one) and (one not in shadow.votes or shadow.votes[one].ballot < ballot):
                group.append(Vote(one, ballot, decree(one, chance.choice((10, 300)), ballot)))
        for record in group:
            shadow.write(record)
        for one in sorted(shadow.votes):
            if one < slot - chance.randrange(4):
                learnt: Record = Passed(one, shadow.votes[one].ballot)
                if chance.random() < 0.2:
                    learnt = Outcome(one, decree(one, 50, FIRST))
                group.append(learnt)
                shadow.write(learnt)
        yield group


def binds_alike(found: Ledger, shadow: Ledger) -> None:
    """What a member owes to others after a restart is the same with its oldest records and without."""
    assert found.line == shadow.line
    assert (found.next_ballot, found.last_tried) == (shadow.next_ballot, shadow.last_tried)
    assert found.votes == shadow.votes
    assert (found.passed_until, found.known_until) == (shadow.passed_until, shadow.known_until)
    assert found.stamp_ms >= max((decree.stamp_ms for decree in shadow.outcomes.values()), default=0)
    for slot, outcome in found.outcomes.items():
        assert shadow.outcomes[slot] == outcome


@pytest.mark.parametrize("seed", range(12))
def test_a_trimmed_ledger_binds_as_the_whole_one_does(seed: int) -> None:
    chance = random.Random(seed)
    disk, shadow = MemoryDirectory(), Ledger()
    file = opened(disk).file
    trims = 0
    for group in script(chance, 300):
        file.append(group)
        file.sync()
        for record in group:
            shadow.write(record)
        if chance.random() < 0.1 and shadow.passed_until > 1:
            covered = Slot(chance.randrange(1, shadow.passed_until + 1))
            before = file.first_slot
            file.trim(covered, STAMP_MS, chance.choice((0, 0, 2 * SEGMENT)))
            assert before <= file.first_slot <= max(before, covered)
            trims += file.first_slot > before
            expected = [
                Outcome(Slot(slot), shadow.outcomes[Slot(slot)]) for slot in range(file.first_slot, shadow.passed_until)
            ]
            recalled: list[Outcome] = []
            while part := file.recall(Slot(file.first_slot + len(recalled)), 1000):
                recalled += part
            assert recalled == expected, "everything from the beginning on can be read back"
            assert file.recall(Slot(file.first_slot - 1), 1000) == ()
        if chance.random() < 0.1:
            if chance.random() < 0.5:
                file.close()
            disk = disk.crash()
            found = opened(disk)
            binds_alike(found.ledger, shadow)
            file = found.file
    assert trims > 3
    assert segment_numbers(disk.names())[0] > 3


def filled(slots: int = 60) -> tuple[MemoryDirectory, LedgerFile]:
    """A ledger of several segments in which every slot but the last has passed."""
    disk = MemoryDirectory()
    file = opened(disk).file
    file.append([TriedBallot(FIRST), PromisedBallot(FIRST)])
    for slot in range(1, slots + 1):
        file.append([vote(slot, 300), *([passed(slot - 1)] if slot > 1 else [])])
        file.sync()
    assert len(segment_numbers(disk.names())) > 4
    return disk, file


def test_ballots_of_removed_segments_are_remembered() -> None:
    disk, file = filled()
    file.trim(Slot(50), STAMP_MS, 0)
    assert segment_numbers(disk.names())[0] > 1
    found = opened(disk.crash())
    assert (found.ledger.next_ballot, found.ledger.last_tried) == (FIRST, FIRST)
    assert TriedBallot(FIRST) not in found.records
    assert found.ledger.stamp_ms == STAMP_MS


def test_a_vote_in_a_slot_that_has_not_passed_keeps_its_segment() -> None:
    disk = MemoryDirectory()
    file = opened(disk).file
    far = vote(90, 300)
    file.append([far])
    for slot in range(1, 61):
        file.append([vote(slot, 300), passed(slot)])
        file.sync()
    file.trim(Slot(61), STAMP_MS, 0)
    assert segment_numbers(disk.names())[0] == 1
    assert opened(disk.crash()).ledger.votes == {Slot(90): far}


def test_a_tail_is_kept() -> None:
    disk, file = filled()
    numbers = segment_numbers(disk.names())
    file.trim(Slot(60), STAMP_MS, 3 * SEGMENT)
    kept = segment_numbers(disk.names())
    assert kept == numbers[-len(kept) :]
    assert 3 * SEGMENT <= sum(disk.size(segment_name(number)) for number in kept) < 5 * SEGMENT
    assert file.disk_bytes == sum(disk.size(segment_name(number)) for number in kept)


def test_what_is_not_covered_stays() -> None:
    disk, file = filled()
    before = disk.names()
    file.trim(Slot(2), STAMP_MS, 0)
    assert disk.names() == before


def test_written_bytes_are_not_taken_back() -> None:
    _, file = filled()
    before = file.written_bytes
    file.trim(Slot(50), STAMP_MS, 0)
    assert file.written_bytes == before


def test_lines_go_on() -> None:
    disk, file = filled()
    file.trim(Slot(50), STAMP_MS, 0)
    line, disk = file.line, disk.crash()
    found = opened(disk)
    assert found.file.line == line
    found.file.append([passed(60)])
    assert found.file.sync() == line + 1
    assert opened(disk.crash()).ledger.line == line + 1


def test_what_was_removed_is_not_missed() -> None:
    disk, file = filled()
    file.trim(Slot(50), STAMP_MS, 0)
    assert opened(disk.restart()).ledger.passed_until == 60


def test_trimming_twice_goes_on_from_the_first() -> None:
    disk, file = filled()
    file.trim(Slot(20), STAMP_MS, 0)
    first, disk = segment_numbers(disk.names())[0], disk.crash()
    found = opened(disk)
    found.file.trim(Slot(50), STAMP_MS, 0)
    assert segment_numbers(disk.names())[0] > first > 1
    assert opened(disk.crash()).ledger.passed_until == 60


def test_a_jump_lets_everything_before_it_go() -> None:
    disk, file = filled()
    file.append([Jumped(Slot(500), STAMP_MS), vote(500, 300), passed(500)])
    file.sync()
    assert file.first_slot == 500
    assert file.recall(Slot(400), 1000) == ()
    assert [outcome.slot for outcome in file.recall(Slot(500), 1000)] == [500]
    file.trim(Slot(501), STAMP_MS, 0)
    assert segment_numbers(disk.names())[0] > 1
    found = opened(disk.crash())
    assert (found.ledger.passed_until, found.ledger.next_ballot) == (501, FIRST)


def test_a_jump_is_replayed() -> None:
    disk, file = filled()
    file.append([Jumped(Slot(500), STAMP_MS), vote(501, 300)])
    file.sync()
    found = opened(disk.crash())
    assert (found.ledger.passed_until, found.ledger.stamp_ms) == (500, STAMP_MS)
    assert found.ledger.votes == {Slot(501): vote(501, 300)}
    assert found.file.first_slot == 500


def test_a_lost_segment_of_a_trimmed_ledger_is_noticed() -> None:
    disk, file = filled()
    file.trim(Slot(30), STAMP_MS, 0)
    numbers = segment_numbers(disk.names())
    for number in numbers[:-1]:
        damaged = disk.copy()
        damaged.remove(segment_name(number))
        with pytest.raises(LedgerCorrupt, match=segment_name(number)):
            opened(damaged)


def test_the_note_is_kept_twice() -> None:
    disk, file = filled()
    file.trim(Slot(30), STAMP_MS, 0)
    for name in (BEGINNING, BEGINNING + COPY):
        damaged = disk.copy()
        damaged.flip(name, 30, 0)
        assert opened(damaged).ledger.passed_until == 60
        assert damaged.read(BEGINNING) == damaged.read(BEGINNING + COPY)
    for name in (BEGINNING, BEGINNING + COPY):
        disk.flip(name, 30, 0)
    with pytest.raises(LedgerCorrupt, match=BEGINNING):
        opened(disk)


def test_segments_that_a_crash_left_are_removed() -> None:
    disk, file = filled()
    whole = disk.copy()
    file.trim(Slot(30), STAMP_MS, 0)
    kept = segment_numbers(disk.names())
    for name in (BEGINNING, BEGINNING + COPY):
        whole.put(name, disk.read(name))
    # Not even damage to them matters.
    whole.flip(segment_name(1), 0, 0)
    assert opened(whole).ledger.passed_until == 60
    assert segment_numbers(whole.names()) == kept


# --- every call fails, and the power goes at every call ---

PLAN = list(script(random.Random(5), 60))
ALL = [record for group in PLAN for record in group]


def live(disk: MemoryDirectory, durable: list[int]) -> None:
    """Write ``PLAN``, trimming on the way; ``durable`` is how much was reported so."""
    found = opened(disk)
    file, shadow = found.file, Ledger()
    written = 0
    for number, group in enumerate(PLAN):
        for record in group:
            shadow.write(record)
        written += len(group)
        fresh = ALL[file.line : written]
        if fresh:
            file.append(fresh)
            durable.append(file.sync())
        if number % 15 == 14:
            file.trim(Slot(max(1, shadow.passed_until - 5)), STAMP_MS, 0)
    file.close()


def calls() -> int:
    disk = MemoryDirectory(counter := FailNth(0, 0))
    live(disk, [])
    count = counter.count
    assert segment_numbers(disk.names())[0] > 2
    return count


CALLS = calls()


def sound_after(disk: MemoryDirectory, durable: list[int]) -> None:
    survivors = [disk.crash(), *(disk.crash(random.Random(chance)) for chance in range(6)), disk.restart()]
    for survivor in survivors:
        for name in survivor.names():
            if name.endswith(TEMPORARY):
                survivor.remove(name)
        if not segment_numbers(survivor.names()):
            assert not durable
            continue
        found = opened(survivor)
        assert found.ledger.line >= max(durable, default=0)
        assert found.records == ALL[found.beginning.line : found.ledger.line]
        shadow = Ledger()
        for record in ALL[: found.ledger.line]:
            shadow.write(record)
        binds_alike(found.ledger, shadow)
        found.file.close()
        live(survivor, [])


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_every_call_fails_once(number: int) -> None:
    failed = 0
    for nth in range(1, CALLS + 1):
        disk = MemoryDirectory(FailNth(nth, number))
        durable: list[int] = []
        try:
            live(disk, durable)
        except (OSError, LedgerError):
            failed += 1
        disk.before = lambda operation, name: None
        sound_after(disk, durable)
    assert failed > CALLS // 2


def test_the_power_goes_at_every_call() -> None:
    class PowerCut(BaseException):
        pass

    def cut_at(nth: int) -> Callable[[str, str], None]:
        counter = FailNth(nth, 0)

        def before(operation: str, name: str) -> None:
            try:
                counter(operation, name)
            except OSError:
                raise PowerCut from None

        return before

    for nth in range(1, CALLS + 1):
        disk = MemoryDirectory(cut_at(nth))
        durable: list[int] = []
        with pytest.raises(PowerCut):
            live(disk, durable)
        disk.before = lambda operation, name: None
        sound_after(disk, durable)
