"""Cut anywhere, flipped anywhere: a ledger file loses only what was never durable, or says that it is damaged.

The one exception is stated where it is tested: ``test_the_ambiguity_that_remains``.
"""

import errno
from collections.abc import Callable

import pytest

from paxon.core.ledger import PromisedBallot, Record
from paxon.errors import ForeignIdentity, LedgerCorrupt, LedgerSyncFailed, LedgerTooNew
from paxon.storage.ledger_file import LedgerFile
from paxon.storage.scan import Scan
from paxon.storage.segment import encode_header, segment_name, segment_numbers
from tests.storage.disk import FailNth, MemoryDirectory
from tests.storage.scripts import SECOND, SEGMENT, STORAGE, flat, groups, opened, passed, vote, write

PLAN = groups(slots=6)
LAST: list[Record] = [vote(10, ballot=SECOND), passed(8, SECOND), passed(9, SECOND)]
"""The last group, synced or not."""


def closed() -> MemoryDirectory:
    """A ledger of one segment that was closed in good order."""
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    write(ledger_file, [*PLAN, LAST])
    ledger_file.close()
    return disk.crash()


def cut_off() -> MemoryDirectory:
    """The same, with the process dead right after the last sync."""
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    write(ledger_file, [*PLAN, LAST])
    return disk.crash()


def several() -> MemoryDirectory:
    """A ledger of several segments."""
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    write(ledger_file, [*groups(slots=20, size=700)])
    ledger_file.close()
    return disk.crash()


def frames(disk: MemoryDirectory) -> list[tuple[int, int, int]]:
    """Line, offset and end of every record in the last segment."""
    scan = Scan(disk, STORAGE)
    last = segment_numbers(disk.names())[-1]
    return [(frame.line, frame.offset, frame.end) for frame in scan.frames() if scan.number == last]


def written_until(disk: MemoryDirectory, name: str) -> int:
    return len(disk.read(name).rstrip(b"\0"))


def stays_as_repaired(disk: MemoryDirectory, expected: list[Record]) -> None:
    """What was repaired is found in order from then on, and takes more records."""
    ledger_file, replayed, findings = opened(disk.crash())
    assert (replayed, findings) == (expected, [])
    ledger_file.append([PromisedBallot(SECOND.__class__(9, SECOND.owner))])
    ledger_file.sync()


class TestCut:
    """The end of the file is missing."""

    @pytest.mark.parametrize("fill", [False, True], ids=["short", "zeros"])
    @pytest.mark.parametrize("make", [closed, cut_off])
    def test_at_every_byte_of_the_last_segment(self, make: Callable[[], MemoryDirectory], fill: bool) -> None:
        whole = make()
        name = segment_name(1)
        data = whole.read(name)
        ends = {end: line for line, _, end in frames(whole)}
        twin_line = len(flat([*PLAN, LAST] if make is closed else PLAN[:-1]))
        for cut in range(40, written_until(whole, name) + 1):
            disk = whole.copy()
            disk.put(name, data[:cut] + bytes(len(data) - cut if fill else 0))
            survivors = max((line for end, line in ends.items() if end <= cut), default=0)
            if survivors < twin_line:
                with pytest.raises(LedgerCorrupt, match="lost synced records"):
                    opened(disk)
                continue
            _, replayed, _ = opened(disk)
            assert replayed == flat([*PLAN, LAST])[:survivors]
            stays_as_repaired(disk, replayed)

    def test_what_a_crash_left_behind_a_gap_never_follows_a_new_record(self) -> None:
        """A crash lost the first of two records.  One as long takes its place, and another crash keeps just that."""
        name = segment_name(1)
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, [[PromisedBallot(SECOND)]])
        ledger_file.append([vote(1, ballot=SECOND), vote(2, ballot=SECOND)])
        disk.before = FailNth(2, errno.EIO)
        with pytest.raises(LedgerSyncFailed):
            ledger_file.sync()
        whole = disk.restart().copy()
        start, end = next((offset, end) for line, offset, end in frames(whole) if line == 2)
        torn = whole.copy()
        torn.flip(name, start, 0)
        assert opened(torn)[1] == [PromisedBallot(SECOND)]
        after = torn.crash()
        data = after.read(name)
        after.put(name, data[:start] + whole.read(name)[start:end] + data[end:])
        assert opened(after)[1] == [PromisedBallot(SECOND), vote(1, ballot=SECOND)]

    def test_at_every_byte_of_an_earlier_segment(self) -> None:
        whole = several()
        name = segment_name(2)
        data = whole.read(name)
        for cut in [*range(60), *range(60, len(data), 37), len(data) - 1]:
            disk = whole.copy()
            disk.put(name, data[:cut])
            with pytest.raises(LedgerCorrupt, match=r"ledger-0+2\.seg"):
                opened(disk)

    def test_a_segment_is_missing(self) -> None:
        whole = several()
        numbers = segment_numbers(whole.names())
        for number in numbers[:-1]:
            disk = whole.copy()
            disk.remove(segment_name(number))
            with pytest.raises(LedgerCorrupt, match=rf"ledger-0+{number}\.seg at offset 0, line \d+.*missing"):
                opened(disk)
        disk = whole.copy()
        disk.remove(segment_name(numbers[-1]))
        with pytest.raises(LedgerCorrupt, match="lost synced records"):
            opened(disk)


class TestFlip:
    """One bit is not what was written."""

    def test_every_bit_of_a_closed_ledger(self) -> None:
        """The twin knows that every record is durable, so a flip that is not refused is behind the last one."""
        whole = closed()
        name = segment_name(1)
        end = written_until(whole, name)
        records_end = frames(whole)[-1][2]
        for offset in range(end + 20):
            for bit in range(8):
                disk = whole.copy()
                disk.flip(name, offset, bit)
                if offset < records_end:
                    with pytest.raises(LedgerCorrupt, match=r"ledger-0+1\.seg"):
                        opened(disk)
                else:
                    _, replayed, findings = opened(disk)
                    assert replayed == flat([*PLAN, LAST])
                    assert "cut short by a crash" in findings[0]
                    stays_as_repaired(disk, replayed)

    def test_the_ambiguity_that_remains(self) -> None:
        """After a crash nothing proves the last group: a flip in it looks like a torn tail, though it was synced."""
        whole = cut_off()
        name = segment_name(1)
        last_group = {line: offset for line, offset, _ in frames(whole) if line > len(flat(PLAN))}
        for offset in range(written_until(whole, name)):
            disk = whole.copy()
            disk.flip(name, offset, offset % 8)
            if offset < min(last_group.values()):
                with pytest.raises(LedgerCorrupt, match=r"ledger-0+1\.seg"):
                    opened(disk)
                continue
            _, replayed, findings = opened(disk)
            kept = max(line for line, start in last_group.items() if start <= offset) - 1
            assert replayed == flat([*PLAN, LAST])[:kept]
            assert "cut short by a crash" in findings[0]

    def test_a_promise_is_not_part_of_that_ambiguity(self) -> None:
        disk = MemoryDirectory()
        ledger_file, _, _ = opened(disk)
        write(ledger_file, PLAN[:-2])
        start = written_until(disk, segment_name(1))
        write(ledger_file, [[PromisedBallot(SECOND)]])
        for offset in range(start, written_until(disk, segment_name(1))):
            damaged = disk.crash()
            damaged.flip(segment_name(1), offset, offset % 8)
            with pytest.raises(LedgerCorrupt, match="lost synced records"):
                opened(damaged)

    def test_every_segment(self) -> None:
        whole = several()
        for number in segment_numbers(whole.names()):
            name = segment_name(number)
            for offset in range(0, written_until(whole, name), 13):
                disk = whole.copy()
                disk.flip(name, offset, offset % 8)
                with pytest.raises(LedgerCorrupt, match=rf"ledger-0+{number}\.seg"):
                    opened(disk)

    def test_the_message_says_where(self) -> None:
        disk = closed()
        line, offset, _ = frames(disk)[6]
        disk.flip(segment_name(1), offset + 30, 0)
        expected = rf"data/ledger-0+1\.seg at offset {offset}, line {line}, after a record of slot 3: .*replace it"
        with pytest.raises(LedgerCorrupt, match=expected):
            opened(disk)

    def test_a_refused_ledger_is_left_as_it_was(self) -> None:
        disk = closed()
        disk.flip(segment_name(1), 100, 0)
        before = {name: disk.read(name) for name in disk.names()}
        with pytest.raises(LedgerCorrupt):
            opened(disk)
        assert {name: disk.read(name) for name in disk.names()} == before


class TestZeroed:
    """A sector reads as zeros, as trimmed or remapped sectors do."""

    def test_every_sector_of_a_closed_ledger(self) -> None:
        whole = several()
        for number in segment_numbers(whole.names()):
            name = segment_name(number)
            data = whole.read(name)
            for start in range(0, written_until(whole, name), 512):
                disk = whole.copy()
                disk.put(name, data[:start] + bytes(len(data[start : start + 512])) + data[start + 512 :])
                with pytest.raises(LedgerCorrupt):
                    opened(disk)


class TestMisdirected:
    """Whole and well-formed bytes in the wrong place."""

    def test_a_segment_under_another_number(self) -> None:
        disk = several()
        disk.put(segment_name(2), disk.read(segment_name(3)))
        with pytest.raises(LedgerCorrupt, match="holds segment 3 under the name of another"):
            opened(disk)

    def test_another_members_segment(self) -> None:
        disk = closed()
        stranger = MemoryDirectory()
        LedgerFile(stranger, "other", SEGMENT).replay(lambda record: None)
        disk.put(segment_name(1), stranger.read(segment_name(1)))
        with pytest.raises(ForeignIdentity, match="written on storage other"):
            opened(disk)

    def test_a_record_of_another_segment(self) -> None:
        """The checksum is seeded, so a record that is whole elsewhere is damage here."""
        disk = several()
        second, third = disk.read(segment_name(2)), disk.read(segment_name(3))
        start = len(encode_header(STORAGE, 3, 1))
        disk.put(segment_name(3), third[:start] + second[start : start + 800] + third[start + 800 :])
        with pytest.raises(LedgerCorrupt, match=r"ledger-0+3\.seg"):
            opened(disk)

    def test_an_earlier_record_again(self) -> None:
        disk = closed()
        name = segment_name(1)
        data = disk.read(name)
        (_, start, end), (_, later, _) = frames(disk)[0], frames(disk)[4]
        disk.put(name, data[:later] + data[start:end] + data[later + end - start :])
        with pytest.raises(LedgerCorrupt, match=r"ledger-0+1\.seg"):
            opened(disk)

    def test_bytes_behind_a_sealed_segment(self) -> None:
        """Nothing is lost by them, but a disk that writes where it was not told to is not to be voted with."""
        disk = several()
        disk.put(segment_name(1), disk.read(segment_name(1)) + b"stray")
        with pytest.raises(LedgerCorrupt, match=r"ledger-0+1\.seg.*although a later segment exists"):
            opened(disk)

    def test_lines_that_leave_a_gap(self) -> None:
        disk = closed()
        disk.put(segment_name(2), encode_header(STORAGE, 2, 1000) + bytes(100))
        with pytest.raises(LedgerCorrupt, match="next segment begins with line 1000"):
            opened(disk)
        disk.put(segment_name(2), encode_header(STORAGE, 2, 3) + bytes(100))
        with pytest.raises(LedgerCorrupt, match="begins with line 3, which is in the one before"):
            opened(disk)


def test_a_newer_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDirectory()
    with monkeypatch.context() as newer:
        newer.setattr("paxon.storage.segment.VERSION", 2)
        opened(disk)
    with pytest.raises(LedgerTooNew, match="has format 2, this release reads up to 1"):
        opened(disk)


def test_a_newer_record_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    with monkeypatch.context() as newer:
        newer.setattr("paxon.storage.tail.encode_record", lambda record: (77, b"later"))
        ledger_file.append([PromisedBallot(SECOND)])
        ledger_file._tail.write(ledger_file._queue)
    with pytest.raises(LedgerTooNew, match="a record of kind 77"):
        opened(disk)


def test_a_whole_record_that_makes_no_sense_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    with monkeypatch.context() as wrong:
        wrong.setattr("paxon.storage.tail.encode_record", lambda record: (1, b"\xc1"))
        ledger_file.append([PromisedBallot(SECOND)])
        ledger_file._tail.write(ledger_file._queue)
    with pytest.raises(LedgerCorrupt, match="makes no sense"):
        opened(disk)
