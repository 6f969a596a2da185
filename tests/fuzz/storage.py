"""Targets: the files of a data directory, as somebody else or a broken disk may have left them."""

from collections.abc import Callable, Iterator, Mapping

from paxon.codec.records import encode_record
from paxon.core.decree import NODE_ID_MAX, ROUND_MAX, Ballot, NodeId, Slot
from paxon.core.ledger import Ledger, PromisedBallot, Record
from paxon.errors import InvariantViolation, LedgerCorrupt, LedgerError
from paxon.storage import inspect
from paxon.storage.ballots import BALLOTS
from paxon.storage.identity import IDENTITY, PEERS, DataDirectory
from paxon.storage.scan import CHUNK_BYTES
from paxon.storage.segment import encode_frame, encode_header, seed, segment_name
from paxon.storage.twin import COPY, Twin
from tests.codec.examples import RECORDS
from tests.fuzz.oracle import Draw, Target, refusing
from tests.storage.disk import MemoryDirectory
from tests.storage.scripts import SEGMENT, STORAGE, flat, groups, opened, write

LINES_MAX = 64
"""Records in one made-up ledger."""

_NAMES = (IDENTITY, PEERS, BALLOTS)

_MEMBER = ("cluster", "a", NodeId(1), STORAGE)


def _made() -> MemoryDirectory:
    directory = MemoryDirectory()
    DataDirectory.open(directory, *_MEMBER).close()
    write(opened(directory)[0], groups())
    return directory


USED = _made()
"""A member's directory in good order."""
_SEGMENT = USED.read(segment_name(1))
_HEADER = encode_header(STORAGE, 1, 1)


def _look(directory: MemoryDirectory) -> None:
    """The operator's view: the two programs that only read."""
    with refusing(LedgerError):
        inspect.verify(directory)
    with refusing(LedgerError):
        for line in inspect.show(directory):
            assert line.term is None or line.term >= 0


def _open(directory: MemoryDirectory) -> None:
    """The member's view: whatever is accepted is taken up, written to, and the same at the next start."""
    records: list[Record] = []
    ledger = Ledger()

    def take(record: Record) -> None:
        ledger.write(record)
        records.append(record)

    with refusing(LedgerError) as watch:
        data = DataDirectory.open(directory, *_MEMBER)
        file = data.ledger(SEGMENT)
        try:
            file.replay(take)
        except InvariantViolation:
            # Whole records that contradict each other are no disk's doing: the member does not start either.
            raise LedgerCorrupt("the records contradict each other") from None
    if watch.is_refused:
        return
    for slot in (0, 1, ledger.passed_until, ledger.known_until):
        assert all(outcome.slot >= slot for outcome in file.recall(Slot(slot), 1000))
    more = PromisedBallot(Ballot(ROUND_MAX, NodeId(NODE_ID_MAX)))
    file.append([more])
    file.sync()
    again: list[Record] = []
    data.close()
    DataDirectory.open(directory, *_MEMBER).ledger(SEGMENT).replay(again.append)
    assert again == [*records, more], "what was accepted is not what is there at the next start"


def _segment(directory: MemoryDirectory, data: bytes) -> None:
    directory.put(segment_name(1), data)


def _damaged(directory: MemoryDirectory, data: bytes) -> None:
    """Bytes of a good segment overwritten, and its end cut or extended."""
    draw = Draw(data)
    segment = bytearray(_SEGMENT.rstrip(b"\0"))
    while not draw.is_empty:
        at = (draw.byte() << 8 | draw.byte()) % (len(segment) + 1)
        patch = draw.take(draw.below(32))
        if not patch:
            del segment[at:]
        segment[at : at + len(patch)] = patch
    directory.put(segment_name(1), bytes(segment))


def put_sealed(directory: MemoryDirectory, data: bytes) -> None:
    """Records with good checksums, whatever is in them, beside the twin of another ledger or of an empty one."""
    draw = Draw(data)
    if draw.below(2):
        for name in (BALLOTS, BALLOTS + COPY):
            directory.remove(name)
        Twin(directory, BALLOTS).write(b"\x80")
    directory.put(segment_name(1), _HEADER + b"".join(_frames(draw)))


def _frames(draw: Draw) -> Iterator[bytes]:
    line = 0
    while not draw.is_empty and line < LINES_MAX:
        choice = draw.byte()
        if choice < len(RECORDS):
            kind, body = encode_record(RECORDS[choice])
        elif choice < 64:
            records = flat(groups())
            kind, body = encode_record(records[choice % len(records)])
        else:
            kind, body = draw.byte(), draw.take(draw.byte())
        # Nearly always the next line, now and then another one.
        line += (1, 1, 1, 1, 1, 1, 0, 2)[choice % 8]
        synced = max(0, line - 1 - draw.below(4)) if choice % 16 else draw.byte()
        yield b"".join(encode_frame(seed(STORAGE, 1), kind, line, synced, body))


def _twins(directory: MemoryDirectory, data: bytes) -> None:
    """One of the values that are kept twice: its bytes in a good envelope, or the envelope itself."""
    draw = Draw(data)
    name = _NAMES[draw.below(len(_NAMES))]
    if draw.below(2):
        Twin(directory, name).write(draw.rest())
        return
    directory.put(name, draw.take(draw.byte()))
    if draw.below(2):
        directory.put(name + COPY, draw.rest())


def _in_order() -> bytes:
    """The records of ``groups`` one after the other, as ``put_sealed`` reads them."""
    return b"\1" + b"".join(
        bytes((64 + 16, kind, len(body))) + body + b"\0" for kind, body in map(encode_record, flat(groups()))
    )


BUFFER_BYTES = 8 * CHUNK_BYTES
"""The scan's buffer, a chunk of zeros to compare with, and the disk in memory with two copies of each file."""


def _target(build: Callable[[MemoryDirectory, bytes], None], *seeds: bytes) -> Target:
    """A target that looks at the directory that ``build`` makes, and then opens it."""

    def run(data: bytes) -> None:
        for view in (_look, _open):
            directory = USED.copy()
            build(directory, data)
            view(directory)

    return Target(run, seeds, BUFFER_BYTES)


TARGETS: Mapping[str, Target] = {
    "segment": _target(_segment, _SEGMENT.rstrip(b"\0"), _HEADER, _HEADER + b"\xc1\xf5\xff\xff\xff\xff"),
    "damage": _target(_damaged, b"", b"\0\x40\x01\0", b"\0\x60\0"),
    "sealed": _target(put_sealed, _in_order(), bytes((1, *range(5))), bytes((1, 0x50, 9, 2, 1, 2))),
    "twins": _target(
        _twins,
        *(bytes((which, 1)) + (Twin(USED, name).read() or b"\x80") for which, name in enumerate(_NAMES)),
        bytes((0, 0, 8)) + b"PAXTWIN\n\1",
    ),
}
