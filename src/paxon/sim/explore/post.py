"""What was said, and what the gods saw: every letter and fact is one bit, and a set of them is one integer.

A letter that was sent stays.  It may be delivered any number of times, in any order, or never, so
loss, doubling, delay and reordering need no moves and no limits of their own.  A fact is what only
an omniscient observer knows, kept for the rules.

Letters that can never again do anything are taken out, so that worlds which differ only in them
are one.  ``is_spent`` says which, and why.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from paxon.core.decree import NO_BALLOT, Ballot, Decree, NodeId, Slot
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Success, Voted
from paxon.sim.explore.seat import Ink, Polled, Renaming, Seat, Tried, renamed

Spoken = NextBallot | LastVote | BeginBallot | Voted | Success
"""The five messages of the protocol.  Of the others, none can change a ledger but through one of these:

``Superseded`` and ``Presence`` make a member lose its slip, ``Lacking`` asks for a ``Success``, and
``HandOver`` starts a ballot; the search does each of these to anybody at any time.  What ``Presence`` claims
is what a ``Success`` of the same ballot claims.  ``Present``, ``Canvass`` and ``CanvassReply`` claim
under ``NO_BALLOT``, in which nobody votes, and carry a number for the next ballot, which is free here.
"""


class Sent(Struct, frozen=True):
    """A letter on its way for ever."""

    sender: NodeId
    to: NodeId
    message: Spoken


class Used(Struct, frozen=True):
    """Somebody may have heard of this ballot."""

    ballot: Ballot


class Begun(Struct, frozen=True):
    """The owner of ``ballot`` proposed ``decree``."""

    ballot: Ballot
    slot: Slot
    decree: Decree


class Cast(Struct, frozen=True):
    """A vote that is durable, or was until something took its place."""

    member: NodeId
    ballot: Ballot
    slot: Slot
    decree: Decree


class Learnt(Struct, frozen=True):
    """Some member once knew this outcome, though it may have crashed since."""

    slot: Slot
    decree: Decree


Fact = Used | Begun | Cast | Learnt
Posted = Sent | Fact


class Post:
    """Numbers for letters and facts."""

    def __init__(self, members: Sequence[NodeId], renamings: Sequence[Renaming]) -> None:
        self.posted: list[Posted] = []
        self.inbox = dict.fromkeys(members, 0)
        """The letters to each member."""
        self.facts = 0
        self.used: dict[Ballot, int] = {}
        self.renamed_bit: list[list[int]] = [[] for _ in renamings]
        """For each renaming, the bit that each bit becomes."""
        self.counted_with: dict[tuple[object, ...], int] = {}
        """The letters that one count on a slip is made of, by ``count_of`` each."""
        self._renamings = renamings
        self._bits: dict[Posted, int] = {}

    def bit(self, posted: Posted) -> int:
        """The bit of a letter or fact.  All its renamings get their bits together."""
        found = self._bits.get(posted)
        if found is not None:
            return found
        versions = [self._renamed(posted, renaming) for renaming in self._renamings]
        for version in versions:
            if version not in self._bits:
                self._number(version)
        for version in dict.fromkeys(versions):
            for number, renaming in enumerate(self._renamings):
                self.renamed_bit[number].append(self._bits[self._renamed(version, renaming)])
        return self._bits[posted]

    def mask(self, posted: Iterable[Posted]) -> int:
        """Several bits."""
        mask = 0
        for one in posted:
            mask |= self.bit(one)
        return mask

    def read(self, mask: int) -> list[Posted]:
        """The letters and facts in ``mask``."""
        found = []
        while mask:
            low = mask & -mask
            found.append(self.posted[low.bit_length() - 1])
            mask ^= low
        return found

    def renamed(self, mask: int, renaming: int) -> int:
        """The same set as another naming has it."""
        table, result = self.renamed_bit[renaming], 0
        while mask:
            low = mask & -mask
            result |= table[low.bit_length() - 1]
            mask ^= low
        return result

    def _number(self, posted: Posted) -> None:
        bit = 1 << len(self.posted)
        self.posted.append(posted)
        self._bits[posted] = bit
        if isinstance(posted, Sent):
            self.inbox[posted.to] |= bit
            if (count := count_of(posted)) is not None:
                self.counted_with[count] = self.counted_with.get(count, 0) | bit
        else:
            self.facts |= bit
            if isinstance(posted, Used):
                self.used[posted.ballot] = bit

    @staticmethod
    def _renamed(posted: Posted, renaming: Renaming) -> Posted:
        match posted:
            case Sent(sender=sender, to=to, message=message):
                return Sent(renaming[sender], renaming[to], renamed(message, renaming))
            case Cast(member=member, ballot=ballot, slot=slot, decree=decree):
                return Cast(renaming[member], renamed(ballot, renaming), slot, renamed(decree, renaming))
            case _:
                return renamed(posted, renaming)


def count_of(letter: Sent) -> tuple[object, ...] | None:
    """What a letter may be counted in: the promises of a ballot, or its votes in one slot."""
    match letter.message:
        case LastVote(ballot=ballot):
            return letter.to, ballot
        case Voted(ballot=ballot, slot=slot):
            return letter.to, ballot, slot
        case _:
            return None


def is_spent(seat: Seat, message: Spoken) -> bool:
    """Whether ``message`` can do nothing to ``seat``, nor to anything that ``seat`` may become, crashes included.

    Each rule rests on what is durable, for that never goes away: promises and ``last_tried`` do not
    fall and outcomes stay.  ``tests/explorer`` compares worlds with and without.
    """
    durable = seat.durable
    match message:
        case NextBallot(ballot=ballot):
            # It would be answered with Superseded.
            return durable.next_ballot > ballot
        case LastVote(ballot=ballot, outcomes=outcomes):
            # Not counted any more, for its ballot was tried before and is not being tried.
            is_counted = isinstance(seat.slip, Tried) and seat.slip.ballot == ballot
            is_known = all(durable.knows(outcome.slot) for outcome in outcomes)
            return is_known and not is_counted and durable.last_tried >= ballot
        case BeginBallot(ballot=ballot, passed_until=passed_until):
            return durable.next_ballot > ballot and _claims_nothing(seat, ballot, passed_until)
        case Voted(ballot=ballot, slot=slot):
            slip = seat.slip
            if slip is None or slip.ballot != ballot:
                return durable.last_tried >= ballot
            return isinstance(slip, Polled) and all(slot != open_ for open_, _, _ in slip.open)
        case Success(ballot=ballot, passed_until=passed_until, outcomes=outcomes):
            is_known = all(durable.knows(outcome.slot) for outcome in outcomes)
            return is_known and _claims_nothing(seat, ballot, passed_until)


def _claims_nothing(seat: Seat, ballot: Ballot, passed_until: Slot) -> bool:
    """Whether no vote of ``ballot`` below ``passed_until`` is here, nor can ever be."""
    if ballot == NO_BALLOT or seat.durable.passed_until >= passed_until:
        return True
    is_over = seat.durable.next_ballot > ballot
    return (
        is_over
        and not _has_vote(seat.durable, ballot, passed_until)
        and not _has_vote(seat.ledger, ballot, passed_until)
    )


def _has_vote(ink: Ink, ballot: Ballot, until: Slot) -> bool:
    return any(vote.ballot == ballot and vote.slot < until for vote in ink.votes)
