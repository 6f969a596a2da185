"""The bytes of a segment, pinned: a ledger outlives the release that wrote it."""

import pytest
from google_crc32c import extend

from paxon.core.decree import Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Passed, PromisedBallot, Vote
from paxon.errors import InvariantViolation, LedgerCorrupt
from paxon.storage.segment import (
    decode_frame,
    decode_header,
    encode_frame,
    encode_header,
    frame_size,
    place,
    position,
    seed,
    segment_name,
    segment_numbers,
)
from tests.storage.disk import MemoryDirectory
from tests.storage.scripts import opened, write


def test_names() -> None:
    assert segment_name(1) == "ledger-0000000000000001.seg"
    names = [
        "ledger-0000000000000010.seg",
        "ledger-0000000000000002.seg",
        "ledger-2.seg",
        "ledger-0000000000000001.seg.tmp",
    ]
    assert segment_numbers(names) == [2, 10]


def test_golden_header() -> None:
    covered = "5041584c4544470a 0001 0000000000000007 00000000000003e9 04 61623132"
    checksum = extend(0, bytes.fromhex(covered))
    assert checksum == 0xCD911642
    assert encode_header("ab12", 7, 1001) == bytes.fromhex(covered) + checksum.to_bytes(4, "big")


def test_golden_record() -> None:
    covered = "02 00000000000003e9 00000000000003e8 626f6479"
    checksum = extend(extend(extend(0, b"ab12"), (7).to_bytes(8, "big")), bytes.fromhex(covered))
    assert checksum == 0xE954EF9B
    expected = bytes.fromhex("c1f5 00000015") + checksum.to_bytes(4, "big") + bytes.fromhex(covered)
    assert b"".join(encode_frame(seed("ab12", 7), 2, 1001, 1000, b"body")) == expected


def test_golden_ledger() -> None:
    """A whole small ledger, byte by byte, as this format has it for ever."""
    disk = MemoryDirectory()
    ledger_file, _, _ = opened(disk)
    ballot = Ballot(1, NodeId(2))
    vote = Vote(Slot(1), ballot, Decree(ballot, 1700000000000, (b"x", b"")))
    write(ledger_file, [[PromisedBallot(ballot)], [vote, Passed(Slot(1), ballot)]])
    expected = """
        5041584c4544470a00010000000000000001000000000000000104356633635ca01addc1f500000028318aaed7020000
        000000000001000000000000000081a662616c6c6f7482a5726f756e6401a56f776e657202c1f50000006de3a8b12703
        0000000000000002000000000000000183a4736c6f7401a662616c6c6f7482a5726f756e6401a56f776e657202a66465
        6372656583a662616c6c6f7482a5726f756e6401a56f776e657202a87374616d705f6d73cf0000018bcfe56800a8636f
        6d6d616e647392c40178c400c1f50000002ee0cf5a62040000000000000003000000000000000182a4736c6f7401a662
        616c6c6f7482a5726f756e6401a56f776e657202
    """
    assert disk.read(segment_name(1)).rstrip(b"\0") == bytes.fromhex(expected)


def test_a_header_comes_back() -> None:
    data = encode_header("s" * 255, 3, 2**63)
    assert decode_header("f", data + b"rest", "s" * 255, 3).first_line == 2**63
    assert decode_header("f", data, "s" * 255, 3).size == len(data)
    for size in range(len(data)):
        with pytest.raises(LedgerCorrupt):
            decode_header("f", data[:size], "s" * 255, 3)
    with pytest.raises(InvariantViolation):
        encode_header("s" * 256, 3, 1)


def test_a_frame_is_bound_to_its_storage_and_segment() -> None:
    data = b"".join(encode_frame(seed("a", 1), 2, 5, 4, b"body"))
    size = frame_size(data, 0)
    assert size == len(data)
    assert decode_frame(data, 0, size, seed("a", 1), 0) is not None
    assert decode_frame(data, 0, size, seed("a", 2), 0) is None
    assert decode_frame(data, 0, size, seed("b", 1), 0) is None


def test_positions() -> None:
    assert place(position(3, 2**39)) == (3, 2**39)
    assert position(2, 0) > position(1, 2**39)
