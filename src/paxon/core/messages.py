"""What legislators say to each other.  Every message may be lost, doubled, reordered or late for hours.

The five messages of section 2.3 carry what section 3.1 adds to them for many slots at once;
``Superseded`` is the notice of section 2.4.  The rest keep attendance (who is present and
who presides, section 2.4's presence messages) and never change what may pass.
"""

from msgspec import Struct

from paxon.core.decree import NO_BALLOT, Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Outcome, Vote


class NextBallot(Struct, frozen=True, omit_defaults=True):
    """Prepare: will you vote in nothing older than ``ballot``?  We know every decree below ``passed_until``.

    ``released`` is the ballot of the president that asked us to take over: it has given up its lease.
    """

    ballot: Ballot
    passed_until: Slot
    line: int = 0
    released: Ballot = NO_BALLOT


class LastVote(Struct, frozen=True, omit_defaults=True):
    """Promise: we will, and this is what we voted for and what we know that you do not.

    ``votes`` is complete for the slots from the asked ``passed_until`` on whose outcome the
    sender does not know.  Every slot below the sender's ``passed_until`` has passed, whether
    its outcome is in ``outcomes`` or, to keep the message finite, only to be asked for.
    ``stamp_ms`` is the highest stamp the sender has seen, in those decrees too.
    """

    ballot: Ballot
    passed_until: Slot
    votes: tuple[Vote, ...]
    outcomes: tuple[Outcome, ...]
    stamp_ms: int
    line: int = 0


class BeginBallot(Struct, frozen=True):
    """Accept: vote for ``decree`` in ``slot``.  Everything below ``passed_until`` has passed (3.2.2)."""

    ballot: Ballot
    slot: Slot
    decree: Decree
    passed_until: Slot


class Voted(Struct, frozen=True, omit_defaults=True):
    """Accepted: we voted in this ballot and slot."""

    ballot: Ballot
    slot: Slot
    line: int = 0


class Success(Struct, frozen=True):
    """Learn: ``outcomes`` passed, and so did our proposals of ``ballot`` in every slot below ``passed_until``."""

    ballot: Ballot
    passed_until: Slot
    outcomes: tuple[Outcome, ...]


class Superseded(Struct, frozen=True):
    """Nack: we promised ``by``, which is above the ``ballot`` you used (the unnamed notice of section 2.4)."""

    ballot: Ballot
    by: Ballot


class Lacking(Struct, frozen=True):
    """Catch-up request: send us decrees from ``from_slot`` on (3.1's request for missing decrees)."""

    from_slot: Slot


class Presence(Struct, frozen=True, omit_defaults=True):
    """Heartbeat: the president of ``ballot`` is here.  ``roll_call`` numbers the calls of one ballot.

    With ``lease_ms`` it asks whoever answers to promise nothing above ``ballot`` for so long.
    """

    ballot: Ballot
    roll_call: int
    passed_until: Slot
    lines: tuple[tuple[NodeId, int], ...] = ()
    lease_ms: int = 0


class Present(Struct, frozen=True, omit_defaults=True):
    """Heartbeat response: we heard call ``roll_call`` and have promised nothing above ``ballot``.

    Nor shall we for ``lease_ms`` from the moment we heard it, by our clock.
    """

    ballot: Ballot
    roll_call: int
    passed_until: Slot
    lease_ms: int = 0


class Canvass(Struct, frozen=True):
    """Pre-vote request: would you follow us?  Raises no ballot, so asking disturbs nobody."""

    canvass: int
    passed_until: Slot


class CanvassReply(Struct, frozen=True):
    """Pre-vote response: whether we miss a president too, and the highest ballot we promised."""

    canvass: int
    supports: bool
    next_ballot: Ballot
    passed_until: Slot


class HandOver(Struct, frozen=True):
    """Leadership transfer: the president of ``ballot`` asks you to start a ballot of your own at once."""

    ballot: Ballot
    passed_until: Slot


Message = (
    NextBallot
    | LastVote
    | BeginBallot
    | Voted
    | Success
    | Superseded
    | Lacking
    | Presence
    | Present
    | Canvass
    | CanvassReply
    | HandOver
)
