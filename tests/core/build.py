"""Short ways to the values and states that the core's tests start from.

Every state is reached through the legislator's own door, so no test rests on a state that
cannot happen.
"""

from collections.abc import Iterable
from itertools import combinations

from paxon.core.decree import FIRST_SLOT, Ballot, Decree, NodeId, Slot
from paxon.core.effects import Effects, Letter
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.ledger import Ledger, Outcome, Record, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import HandOver, LastVote, Message, NextBallot, Presence
from paxon.core.roster import Majority, QuorumSystem, Roster, Rosters
from paxon.core.slip import Polling, Trying
from paxon.core.timing import Timing

M1, M2, M3, M4, M5 = (NodeId(number) for number in range(1, 6))
THREE = Majority((M1, M2, M3))
FIVE = Majority((M1, M2, M3, M4, M5))
ALONE = Majority((M1,))
TIMING = Timing()
S1, S2, S3, S4, S5 = (Slot(number) for number in range(1, 6))


def ballot(round_: int, owner: int) -> Ballot:
    """A ballot by its two numbers."""
    return Ballot(round_, NodeId(owner))


def decree(text: str, first: Ballot | None = None, stamp_ms: int = 0) -> Decree:
    """A decree of one command, first proposed in ballot 1.1 unless another is named."""
    return Decree(first or ballot(1, 1), stamp_ms, (text.encode(),))


def outcomes(texts: str, from_slot: int = 1) -> tuple[Outcome, ...]:
    """One outcome for each letter of ``texts``, in consecutive slots."""
    return tuple(Outcome(Slot(from_slot + number), decree(text)) for number, text in enumerate(texts))


def rosters(quorums: QuorumSystem = THREE) -> Rosters:
    """The same roster for every slot."""
    return Rosters(Roster(quorums))


def written(*records: Record) -> Ledger:
    """A ledger that says just this."""
    ledger = Ledger()
    for record in records:
        ledger.write(record)
    return ledger


def state_of(ledger: Ledger) -> dict[str, object]:
    """Everything a ledger holds, to be compared."""
    return dict(vars(ledger))


def idle(
    me: NodeId = M1,
    *records: Record,
    quorums: QuorumSystem = THREE,
    timing: Timing = TIMING,
    now_ms: int = 0,
    chance: int = 0,
    terms: LeaseTerms = NO_LEASE,
    forgotten_ms: int = 0,
) -> Legislator:
    """A legislator that holds no slip."""
    return Legislator(me, written(*records), rosters(quorums), timing, now_ms, chance, terms, forgotten_ms)


def stand(member: Legislator, now_ms: int = 0, *, above: int = 0) -> Effects:
    """Make ``member`` start a ballot, as the president's request to take over does: no canvass is needed.

    The round of the new ballot is one above the member's promise, or above ``above`` if that is more.
    """
    promised = member.ledger.next_ballot
    asker = NodeId(member.me + 1 if promised.owner <= member.me else promised.owner)
    request = Ballot(max(promised.round, above), asker)
    return member.receive(asker, HandOver(request, member.ledger.passed_until), now_ms)


def trying(
    me: NodeId = M1,
    *records: Record,
    quorums: QuorumSystem = THREE,
    timing: Timing = TIMING,
    above: int = 0,
    now_ms: int = 0,
    terms: LeaseTerms = NO_LEASE,
) -> Legislator:
    """A legislator in steps 1 and 2, with its own promise given but its own answer still on the way."""
    member = idle(me, *records, quorums=quorums, timing=timing, now_ms=now_ms, terms=terms)
    stand(member, now_ms, above=above)
    own = trying_slip(member).ballot
    member.receive(me, NextBallot(own, member.ledger.passed_until), now_ms)
    return member


def promise(
    of: Ballot,
    votes: Iterable[Vote] = (),
    known: Iterable[Outcome] = (),
    passed_until: Slot = FIRST_SLOT,
    stamp_ms: int | None = None,
) -> LastVote:
    """A ``LastVote``.  Unless told otherwise, its sender has seen no stamp but those of what it reports."""
    cast, told = tuple(votes), tuple(known)
    stamps = [vote.decree.stamp_ms for vote in cast] + [outcome.decree.stamp_ms for outcome in told]
    return LastVote(of, passed_until, cast, told, max(stamps, default=0) if stamp_ms is None else stamp_ms)


def own_promise(member: Legislator, of: Ballot) -> LastVote:
    """What ``member`` answers itself."""
    ledger = member.ledger
    return promise(of, ledger.votes_from(ledger.passed_until), (), ledger.passed_until, ledger.stamp_ms)


def polling(
    me: NodeId = M1,
    *records: Record,
    answers: dict[NodeId, LastVote] | None = None,
    quorums: QuorumSystem = THREE,
    timing: Timing = TIMING,
    above: int = 0,
    now_ms: int = 0,
    terms: LeaseTerms = NO_LEASE,
) -> Legislator:
    """A president.  Its own answer comes first, then those of as many others as it takes, or just ``answers``."""
    member = trying(me, *records, quorums=quorums, timing=timing, above=above, now_ms=now_ms, terms=terms)
    own = trying_slip(member).ballot
    mine = own_promise(member, own)
    others = {other: promise(own) for other in quorums.members if other != me} if answers is None else answers
    for other, answer in {me: mine, **others}.items():
        if isinstance(member.slip, Trying):
            member.receive(other, answer, now_ms)
    polling_slip(member)
    return member


def trying_slip(member: Legislator) -> Trying:
    """The slip of a member in steps 1 and 2."""
    assert isinstance(member.slip, Trying)
    return member.slip


def polling_slip(member: Legislator) -> Polling:
    """The slip of a president."""
    assert isinstance(member.slip, Polling)
    return member.slip


def to(recipients: Iterable[NodeId], message: Message, after: int = 0) -> list[Letter]:
    """The same letter to each."""
    return [Letter(recipient, message, after) for recipient in recipients]


def presence(member: Legislator) -> Presence:
    """The roll call that ``member`` has under way."""
    slip = polling_slip(member)
    return Presence(slip.ballot, slip.roll_call, member.ledger.passed_until)


def subsets(members: Iterable[NodeId]) -> list[frozenset[NodeId]]:
    """Every set of some of ``members``."""
    every = list(members)
    return [frozenset(some) for size in range(len(every) + 1) for some in combinations(every, size)]
