"""Where a ledger begins, once its oldest segments have made room for a snapshot (section 3.3.2).

Knows: the order in which this note is written and segments are removed.  Does not know: snapshots.

The note is kept twice, and durable before the first segment goes.  So a crash leaves more segments than it speaks of,
which mean nothing and are removed, and never fewer.
"""

from msgspec import Struct, msgpack

from paxon.codec.values import MALFORMED
from paxon.core.ledger import FOUNDING, Beginning
from paxon.errors import LedgerCorrupt
from paxon.storage.ballots import ADVICE
from paxon.storage.directory import Directory
from paxon.storage.segment import segment_name, segment_numbers

BEGINNING = "beginning"


class Trimmed(Struct, frozen=True):
    """The first segment that is needed, and what the ledger starts from when it is read from there."""

    segment: int = 1
    ledger: Beginning = FOUNDING


UNTRIMMED = Trimmed()


def decode_trimmed(where: str, value: bytes | None) -> Trimmed:
    """The note in a twin.

    Raises:
        LedgerCorrupt: if it holds something else.
    """
    try:
        return UNTRIMMED if value is None else msgpack.decode(value, type=Trimmed)
    except MALFORMED as error:
        raise LedgerCorrupt(f"the {BEGINNING} of the ledger in {where} makes no sense: {error}. {ADVICE}") from error


def remove_segments(directory: Directory, below: int) -> int:
    """Remove the segments with numbers below ``below``, oldest first; how many bytes they had.

    Raises:
        OSError: as the disk does; the rest can be removed later.
    """
    removed = 0
    for number in segment_numbers(directory.names()):
        if number >= below:
            break
        name = segment_name(number)
        size = directory.size(name)
        directory.remove(name)
        removed += size
    return removed
