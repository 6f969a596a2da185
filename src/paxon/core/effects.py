"""What a legislator asks of its host: the return value of every entrance to the core.

Effects are plain values: a test compares a whole ``Effects`` with the one it expects.
"""

from msgspec import Struct, field

from paxon.core.decree import Decree, NodeId, Slot
from paxon.core.ledger import Record
from paxon.core.messages import Message

NOTHING = 0
"""The ``after`` of a letter that depends on no record."""


class Letter(Struct, frozen=True):
    """``message`` for ``to``, to leave only once the ledger is durable through line ``after``.

    A letter to oneself takes the same way, so a member's own vote counts only when durable.
    """

    to: NodeId
    message: Message
    after: int = NOTHING


class Reading(Struct, frozen=True):
    """The answer to ``read(token)``: a read that has applied every slot below ``passed_until`` is linearizable.

    ``None`` means that this member stopped presiding before it could tell; asking again is safe.
    """

    token: int
    passed_until: Slot | None


class Recall(Struct, frozen=True):
    """A request for the host: send ``to`` the decrees from ``from_slot`` on, which are only in the file."""

    to: NodeId
    from_slot: Slot


class Effects(Struct):
    """Append ``records`` in order; release ``letters`` as their lines become durable; apply ``passed`` in order."""

    records: list[Record] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    passed: list[tuple[Slot, Decree]] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    recalls: list[Recall] = field(default_factory=list)
