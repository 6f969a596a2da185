"""What hosts say to each other on behalf of their clients, beside the core's own messages.

A member that is not the leader forwards commands to it.  Each forward is bound to one ballot
and numbered by its origin, and the owner of that ballot begins each number at most once in it;
so a forward may be repeated to the *same* ballot at will, and goes to another ballot only after
a definite refusal from the first.

A member that lacks decrees which nobody has in full any more fetches a snapshot, part by part.
"""

from msgspec import Struct

from paxon.core.decree import Ballot, Slot
from paxon.core.messages import Message


class Forward(Struct, frozen=True):
    """Commands for the leader of ``ballot``: pairs of the origin's number and the command.

    ``boot`` tells one life of the origin's process from the next.  Numbers below
    ``settled_until`` are settled at the origin: their answers need not be kept.
    """

    ballot: Ballot
    boot: int
    settled_until: int
    commands: tuple[tuple[int, bytes], ...]


class Answers(Struct, frozen=True):
    """Results of forwarded commands: the origin's number, the slot that holds the command, the result."""

    boot: int
    answers: tuple[tuple[int, Slot, bytes], ...]


class Refusals(Struct, frozen=True):
    """Forwarded commands that failed: the origin's number, the error's code, its text.

    The code is that of a ``RequestError``; ``unknown`` and its kind mean maybe applied,
    all others mean that ``ballot`` never began the command and never will.
    """

    boot: int
    ballot: Ballot
    refusals: tuple[tuple[int, str, str], ...]


class AskReading(Struct, frozen=True):
    """A read barrier for another member: may be repeated at will."""

    boot: int
    number: int


class ReadingAt(Struct, frozen=True):
    """The answer: reads that have applied every slot below ``passed_until`` are linearizable; ``None``: ask again."""

    boot: int
    number: int
    passed_until: Slot | None


class SnapshotOffer(Struct, frozen=True):
    """What you lack is not in our ledger any more: here is a file with the state of all slots below ``slot`` (3.3.2).

    Two files with the same three numbers are equal byte for byte, whoever offers them.
    """

    slot: Slot
    size: int
    checksum: int


class AskSnapshot(Struct, frozen=True):
    """Send us the offered file's bytes from ``offset`` on.  May be repeated at will."""

    offer: SnapshotOffer
    offset: int


class SnapshotPart(Struct, frozen=True):
    """The offered file's bytes at ``offset``."""

    offer: SnapshotOffer
    offset: int
    data: bytes


class Known(Struct, frozen=True):
    """From a specialist to everybody: it has applied every slot below ``until``, and whoever asks it may hear so.

    May be lost, repeated and overtaken: what it says stays true.
    """

    until: Slot


HostMessage = Forward | Answers | Refusals | AskReading | ReadingAt | SnapshotOffer | AskSnapshot | SnapshotPart | Known
PeerMessage = Message | HostMessage
