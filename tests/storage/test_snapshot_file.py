"""One snapshot file: its bytes, and no damage to it that goes unseen."""

import pytest

from paxon.core.decree import Slot
from paxon.errors import InvariantViolation, SnapshotUnusable
from paxon.storage.snapshot_file import Snapshot, SnapshotEncoder, SnapshotReader, snapshot_name, snapshot_slots
from tests.storage.disk import MemoryDirectory

SLOT = Slot(300)
NAME = "snapshot-0000000000000300"
PIECES = [b"head", b"x" * 100, b"y"]

GOLDEN = bytes.fromhex(
    "504158534e41500a"  # magic
    "0001"  # version
    "000000000000012c"  # slot
    "c1e8ebcd"  # of the header
    "00000001"  # a piece of one byte
    "5b57dc90"
    "79"
    "00000000"  # the end of the pieces
    "0000000000000001"  # of which there was one
    "a0a364a5"  # of all that is before the trailer
    "260581b6"  # of the trailer
)
"""Version 1 with the one piece ``y``.  A change that breaks this breaks every snapshot there is."""


def file_of(pieces: list[bytes], slot: Slot = SLOT) -> bytes:
    encoder = SnapshotEncoder(slot)
    return b"".join([encoder.encode(pieces[:2]), encoder.encode(pieces[2:]), encoder.end()])


def reader(data: bytes, name: str = NAME) -> SnapshotReader:
    disk = MemoryDirectory()
    disk.put(name, data)
    return SnapshotReader(disk, name)


def test_the_format_is_for_ever() -> None:
    assert file_of([b"y"]) == GOLDEN
    assert list(reader(GOLDEN).read(SLOT)) == [b"y"]


def test_names() -> None:
    assert snapshot_name(SLOT) == NAME
    names = ["snapshot-0000000000000300.tmp", snapshot_name(Slot(9)), NAME, "snapshot-9", "ledger-0000000000000001.seg"]
    assert snapshot_slots(names) == [SLOT, Slot(9)]


@pytest.mark.parametrize("pieces", [PIECES, [b"one"], []], ids=len)
def test_what_was_written_is_read(pieces: list[bytes]) -> None:
    data = file_of(pieces)
    found = reader(data).verify(SLOT)
    assert list(reader(data).read(SLOT)) == pieces
    assert (found.slot, found.size) == (SLOT, len(data))
    assert reader(data).peek(SLOT) == found


def test_files_with_the_same_three_numbers_are_the_same() -> None:
    one, other = reader(file_of([b"ab", b"c"])).verify(SLOT), reader(file_of([b"a", b"bc"])).verify(SLOT)
    assert one.size == other.size
    assert one != other, "where the pieces end is part of it"
    assert one == Snapshot(SLOT, one.size, one.checksum)


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_noticed(bit: int) -> None:
    data = file_of(PIECES)
    for offset in range(len(data)):
        damaged = bytearray(data)
        damaged[offset] ^= 1 << bit
        with pytest.raises(SnapshotUnusable, match=NAME):
            reader(bytes(damaged)).verify(SLOT)


def test_every_cut_and_every_longer_file_is_noticed() -> None:
    data = file_of(PIECES)
    for end in range(len(data)):
        with pytest.raises(SnapshotUnusable, match="damaged"):
            reader(data[:end]).verify(SLOT)
    with pytest.raises(SnapshotUnusable, match="pieces"):
        reader(data + b"\0").verify(SLOT)


def test_a_missing_piece_is_noticed() -> None:
    data = file_of(PIECES)
    at = data.index(b"x" * 100) - 8
    with pytest.raises(SnapshotUnusable, match="not those"):
        reader(data[:at] + data[at + 108 :]).verify(SLOT)


def test_another_slot_s_file_is_not_taken_for_this_one() -> None:
    with pytest.raises(SnapshotUnusable, match="something else"):
        reader(file_of(PIECES, Slot(301))).verify(SLOT)


def test_a_newer_format_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paxon.storage.snapshot_file.VERSION", 2)
    data = file_of(PIECES)
    monkeypatch.undo()
    with pytest.raises(SnapshotUnusable, match="start the release that wrote it"):
        reader(data).verify(SLOT)


def test_an_empty_piece_would_end_the_file() -> None:
    with pytest.raises(InvariantViolation):
        SnapshotEncoder(SLOT).encode([b""])


def test_a_file_that_is_gone_is_no_snapshot() -> None:
    with pytest.raises(SnapshotUnusable, match="cannot be read"):
        SnapshotReader(MemoryDirectory(), NAME).verify(SLOT)
