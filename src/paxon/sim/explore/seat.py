"""One member as a value: what its disk holds, what it believes, and its slip of paper.

Theory of operation.  A legislator is made from a ``Seat``, takes one step, and is read back
into a ``Seat``; so a state of the world can be kept, compared and renamed, and no legislator is ever
copied.  What is *not* in a seat is put to one fixed value before every step, and this is the whole
list, with the reason why no decree can hang on it:

* Every time: ``now_ms`` is 0 in every letter that arrives.  Times are compared in ``on_deadline``
  and in the answer to a ``Canvass`` alone; the search calls the first with chosen times and has
  no letters of the second kind.
* ``Attendance``: it votes and counts nothing.  It decides when a ballot starts, which here is free,
  and it loses slips, which is always possible here (``steps``).  The highest ballot it has heard
  of only bounds from below the number that the next ballot takes; here any free number above the ledger's will do.
* ``Archive``: who claimed what, which decides only when to ask whom; here anybody asks anybody (``Ask``).
* Of ``Polling``: reads, roll calls, standing and hearing (reads and the end of office), ``recovered_until``
  (reads and giving up), ``told_until`` (whether news is worth a letter: here it always is).
* The number of lines: only differences matter, so the durable line is always 0.
* Stamps: every clock shows 0.  Rule 3.3.3 is not explored.
"""

from collections import deque
from collections.abc import Mapping
from typing import TypeVar, cast

from msgspec import Struct, structs

from paxon.core.decree import NO_BALLOT, Ballot, Decree, NodeId, Slot
from paxon.core.ledger import Ledger, Outcome, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import LastVote
from paxon.core.roster import Rosters
from paxon.core.slip import Open, Polling, Slip, Trying
from paxon.core.timing import Timing

FLUSH_MS = 1
"""When a president in need of telling the others flushes its news."""

GIVE_UP_MS = 1_000_000
"""When nobody has been heard for so long that every slip is given up."""

TIMING = Timing(flush_ms=FLUSH_MS)

Value = TypeVar("Value")

Renaming = Mapping[NodeId, NodeId]
"""A permutation of the members; nobody, ``NodeId(0)``, stays nobody."""


class Ink(Struct, frozen=True):
    """What a ledger says, without the count of its lines."""

    last_tried: Ballot = NO_BALLOT
    next_ballot: Ballot = NO_BALLOT
    votes: tuple[Vote, ...] = ()
    outcomes: tuple[Outcome, ...] = ()

    def knows(self, slot: Slot) -> bool:
        """Whether the outcome of ``slot`` is among the outcomes."""
        return any(outcome.slot == slot for outcome in self.outcomes)

    @property
    def passed_until(self) -> Slot:
        """The first slot whose outcome is not known."""
        slot = Slot(1)
        while self.knows(slot):
            slot = Slot(slot + 1)
        return slot


class Tried(Struct, frozen=True):
    """What matters of ``Trying``."""

    ballot: Ballot
    promises: frozenset[tuple[NodeId, LastVote]]


class Polled(Struct, frozen=True):
    """What matters of ``Polling``."""

    ballot: Ballot
    promised: frozenset[NodeId]
    next_slot: Slot
    forced: tuple[tuple[Slot, Decree], ...]
    open: tuple[tuple[Slot, Decree, frozenset[NodeId]], ...]


class Seat(Struct, frozen=True):
    """One member.

    Invariant: unless ``stalled``, everything it wrote is durable.  A stalled member syncs nothing more
    in this life, so the letters that wait for a line never leave and are not kept.
    """

    me: NodeId
    life: int = 0
    stalled: bool = False
    durable: Ink = Ink()
    ledger: Ink = Ink()
    slip: Tried | Polled | None = None


def read_ink(ledger: Ledger) -> Ink:
    """What ``ledger`` says."""
    votes = tuple(ledger.votes[slot] for slot in sorted(ledger.votes))
    outcomes = tuple(Outcome(slot, ledger.outcomes[slot]) for slot in sorted(ledger.outcomes))
    return Ink(ledger.last_tried, ledger.next_ballot, votes, outcomes)


def ledger_of(ink: Ink, line: int = 0) -> Ledger:
    """A ledger that says ``ink``, in so many lines."""
    ledger = Ledger()
    ledger.last_tried, ledger.next_ballot = ink.last_tried, ink.next_ballot
    ledger.votes = {vote.slot: vote for vote in ink.votes}
    ledger.outcomes = {outcome.slot: outcome.decree for outcome in ink.outcomes}
    ledger.passed_until = ink.passed_until
    ledger.known_until = Slot(max((outcome.slot + 1 for outcome in ink.outcomes), default=1))
    ledger.line = line
    return ledger


def legislator_of(seat: Seat, rosters: Rosters) -> Legislator:
    """The real thing, as ``seat`` describes it."""
    ledger = ledger_of(seat.ledger, line=int(seat.stalled))
    legislator = Legislator(seat.me, ledger, rosters, TIMING, now_ms=0, chance=0)
    legislator._president.slip = _slip_of(seat, rosters)
    return legislator


def slip_read(slip: Slip) -> Tried | Polled | None:
    """What matters of a slip."""
    if isinstance(slip, Trying):
        return Tried(slip.ballot, frozenset(slip.promises.items()))
    if isinstance(slip, Polling):
        open_ = tuple((slot, slip.open[slot].decree, frozenset(slip.open[slot].voters)) for slot in sorted(slip.open))
        return Polled(slip.ballot, slip.promised, slip.next_slot, tuple(slip.forced), open_)
    return None


def _slip_of(seat: Seat, rosters: Rosters) -> Slip:
    slip = seat.slip
    if isinstance(slip, Tried):
        return Trying(slip.ballot, until_ms=GIVE_UP_MS, sent_ms=0, promises=dict(sorted(slip.promises)))
    if isinstance(slip, Polled):
        passed_until = seat.ledger.passed_until
        return Polling(
            ballot=slip.ballot,
            promised=slip.promised,
            next_slot=slip.next_slot,
            forced=deque(slip.forced),
            recovered_until=Slot(1),
            stamp_ms=0,
            held_ms=0,
            progress_ms=0,
            progress_until=passed_until,
            open={slot: Open(decree, sent_ms=0, voters=set(voters)) for slot, decree, voters in slip.open},
            flush_at_ms=FLUSH_MS if passed_until > 1 else None,
            heard_ms=dict.fromkeys(rosters.of(passed_until).members, 0),
        )
    return None


# --- the same with other names ---


def renamed(value: Value, renaming: Renaming) -> Value:
    """``value`` with the owners of all ballots in it called otherwise.  Bare member ids are left to the caller."""
    return cast("Value", _renamed(value, renaming))


def _renamed(value: object, renaming: Renaming) -> object:
    if isinstance(value, Ballot):
        return Ballot(value.round, renaming[value.owner])
    if isinstance(value, tuple):
        return tuple(_renamed(part, renaming) for part in value)
    if isinstance(value, Struct):
        return type(value)(*(_renamed(getattr(value, name), renaming) for name in value.__struct_fields__))
    return value


def renamed_seat(seat: Seat, renaming: Renaming) -> Seat:
    """``seat`` as its new name would have it."""
    slip = seat.slip
    if isinstance(slip, Tried):
        promises = frozenset((renaming[member], renamed(promise, renaming)) for member, promise in slip.promises)
        slip = Tried(renamed(slip.ballot, renaming), promises)
    elif isinstance(slip, Polled):
        slip = Polled(
            renamed(slip.ballot, renaming),
            _renamed_members(slip.promised, renaming),
            slip.next_slot,
            renamed(slip.forced, renaming),
            tuple(
                (slot, renamed(decree, renaming), _renamed_members(voters, renaming))
                for slot, decree, voters in slip.open
            ),
        )
    return structs.replace(
        seat,
        me=renaming[seat.me],
        durable=renamed(seat.durable, renaming),
        ledger=renamed(seat.ledger, renaming),
        slip=slip,
    )


def _renamed_members(members: frozenset[NodeId], renaming: Renaming) -> frozenset[NodeId]:
    return frozenset(renaming[member] for member in members)
