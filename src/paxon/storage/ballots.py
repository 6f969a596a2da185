"""What is kept twice of a ledger: its highest ballots, so that a ledger which forgot a promise is found out.

Knows: the order in which ledger and twin are written.  Does not know: segments.

The twin is written once the records that raised a ballot are durable, and before they are reported so.  A crash can
therefore leave the twin behind the ledger, which is then made good, but never the ledger behind the twin.  It keeps the
last durable line as well, and is written when the ledger is closed and opened too: what was in the ledger then cannot
be lost without notice, although nothing may have been written behind it.
"""

from msgspec import Struct, msgpack

from paxon.codec.values import MALFORMED
from paxon.core.decree import NO_BALLOT, Ballot
from paxon.core.ledger import PromisedBallot, Record, TriedBallot, Vote
from paxon.errors import LedgerCorrupt
from paxon.storage.scan import Scan
from paxon.storage.segment import segment_name

BALLOTS = "ballots"

ADVICE = (
    "This member must not vote with it: replace it by a new member with an empty directory, "
    "and keep this directory for inspection"
)


class Ballots(Struct, frozen=True):
    """The highest ballots of a ledger as of ``line``, which was durable."""

    promised: Ballot = NO_BALLOT
    tried: Ballot = NO_BALLOT
    line: int = 0

    def after(self, record: Record) -> "Ballots":
        """The same with what ``record`` raises; ``line`` is left to whoever knows it."""
        match record:
            case Vote(ballot=ballot) | PromisedBallot(ballot=ballot) if ballot > self.promised:
                return Ballots(ballot, self.tried, self.line)
            case TriedBallot(ballot=ballot) if ballot > self.tried:
                return Ballots(self.promised, ballot, self.line)
        return self

    def is_behind(self, other: "Ballots") -> bool:
        """Whether ``other`` knows of anything that is missing here."""
        return self.promised < other.promised or self.tried < other.tried or self.line < other.line


def decode_ballots(where: str, value: bytes | None) -> Ballots | None:
    """The ballots in a twin.

    Raises:
        LedgerCorrupt: if it holds something else.
    """
    try:
        return None if value is None else msgpack.decode(value, type=Ballots)
    except MALFORMED as error:
        raise LedgerCorrupt(f"the {BALLOTS} in {where} make no sense: {error}. {ADVICE}") from error


def compare(where: str, scan: Scan, found: Ballots, expected: Ballots | None) -> None:
    """Refuse a ledger, scanned to its end and with the ballots ``found``, that is behind what the twin expects.

    Raises:
        LedgerCorrupt: if it is, or if a ledger with records has no twin.
    """
    if expected is None:
        # The twin is first written while the ledger is empty.
        if found.line > 0:
            raise LedgerCorrupt(f"both copies of {BALLOTS} are missing in {where}. {ADVICE}")
    elif not scan.numbers:
        raise LedgerCorrupt(f"there was a ledger in {where}, and it is gone. {ADVICE}")
    elif found.is_behind(expected):
        torn = f"; the bytes from {segment_name(scan.number)} offset {scan.end} on are no record" if scan.torn else ""
        raise LedgerCorrupt(
            f"the ledger in {where} has lost synced records: it ends at line {found.line} with promised ballot "
            f"{_text(found.promised)} and tried ballot {_text(found.tried)}, but line {expected.line} with "
            f"{_text(expected.promised)} and {_text(expected.tried)} was durable{torn}; its last bytes are damaged, "
            f"an older copy was put back, or the disk does not keep what it says is durable. {ADVICE}"
        )


def _text(ballot: Ballot) -> str:
    return f"{ballot.round}.{ballot.owner}"
