"""What one event does to one member: the real legislator takes the step, and the disk keeps some of it.

Theory of operation.  A step depends on the member alone, so it is taken once for each pair of seat
and event, however many worlds it occurs in.

When is a record durable?  A member syncs right after a step or, in this life, never again: then it
has *stalled*, with any number of the step's records kept.  That reaches every state which syncs at
other times reach.  Take a run that ends in some state, and look at a member's present life: some of its
records are durable at the end and the rest are not.  Let the first be synced as they are written.  Letters
leave earlier, which harms nothing, for they may be delivered as late as before; and the run ends in
the very same state.  A stalled member is only interesting because it may crash (a member that never
crashes never misses what it wrote), so stalling is counted as the crash it leads to.

Losing the slip is no event of its own.  A member without a slip does to its ledger what one
with a slip does to which no vote or promise is delivered, and sends less.  So a slip is lost in a crash and
at the start of a new ballot, and that reaches every ledger.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from msgspec import Struct

from paxon.core.decree import NO_BALLOT, Ballot, Decree, NodeId, Slot
from paxon.core.effects import Effects, Letter
from paxon.core.ledger import Outcome, Passed, Record, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import BeginBallot, HandOver, Lacking, LastVote, Message, NextBallot, Success, Voted
from paxon.core.roster import Rosters
from paxon.errors import InvariantViolation, check
from paxon.sim.explore.post import Begun, Cast, Learnt, Posted, Sent, Used
from paxon.sim.explore.seat import (
    FLUSH_MS,
    GIVE_UP_MS,
    Ink,
    Polled,
    Seat,
    ledger_of,
    legislator_of,
    read_ink,
    slip_read,
)


class Deliver(Struct, frozen=True):
    """A letter arrives."""

    letter: Sent


class Try(Struct, frozen=True):
    """The member starts a ballot in this round, whatever it was doing."""

    round: int


class Propose(Struct, frozen=True):
    """The president begins a new decree in its next slot."""


class Tell(Struct, frozen=True):
    """The president tells everybody how far decrees have passed."""


class Ask(Struct, frozen=True):
    """``asker`` asks the member for decrees from ``from_slot`` on."""

    asker: NodeId
    from_slot: Slot


class Crash(Struct, frozen=True):
    """Everything that is not durable is lost, and the member starts again."""


Event = Deliver | Try | Propose | Tell | Ask | Crash


class Learns(Struct, frozen=True):
    """The member knows, or tells, that ``decree`` passed in ``slot``."""

    slot: Slot
    decree: Decree


class Chooses(Struct, frozen=True):
    """The owner of ``ballot`` proposes ``decree``, having heard these members."""

    ballot: Ballot
    slot: Slot
    decree: Decree
    responders: frozenset[NodeId]


class Reports(Struct, frozen=True):
    """The member promises, and says what it voted for from ``from_slot`` on."""

    promise: LastVote
    from_slot: Slot


class Claims(Struct, frozen=True):
    """The owner of ``ballot`` says that what it proposed below ``passed_until`` has passed, as everything there has."""

    ballot: Ballot
    passed_until: Slot


Claim = Learns | Chooses | Reports | Claims


class Step(Struct):
    """One way in which an event may end."""

    event: Event
    seat: Seat
    posted: tuple[Posted, ...]
    claims: tuple[Claim, ...]
    records: tuple[Record, ...]
    kept: int
    """How many of the records are durable."""
    broken: str | None = None
    """The rule that the member itself, or its disk, finds broken."""


def steps_of(seat: Seat, event: Event, rosters: Rosters) -> Iterator[Step]:
    """Every way in which ``event`` may end for ``seat``."""
    if isinstance(event, Crash):
        yield Step(event, Seat(seat.me, seat.life + 1, durable=seat.durable, ledger=seat.durable), (), (), (), 0)
        return
    legislator = legislator_of(seat, rosters)
    try:
        effects = _take(legislator, seat, event)
    except InvariantViolation as violation:
        yield Step(event, seat, (), (), (), 0, f"member {seat.me} itself: {violation}")
        return
    records = tuple(effects.records)
    if seat.stalled:
        yield _ending(seat, event, legislator, effects, 0)
        return
    for kept in range(len(records), -1, -1):
        yield _ending(seat, event, legislator, effects, kept)


def own_events(seat: Seat, rounds: int, slots: int) -> Iterator[Event]:
    """What may happen at ``seat`` without a letter."""
    ledger, slip = seat.ledger, seat.slip
    for round_ in range(max(ledger.last_tried.round, ledger.next_ballot.round) + 1, rounds + 1):
        yield Try(round_)
    if isinstance(slip, Polled):
        if slip.next_slot <= slots:
            yield Propose()
        if ledger.passed_until > 1:
            yield Tell()
    if seat.stalled or ledger != seat.durable:
        yield Crash()


def _take(legislator: Legislator, seat: Seat, event: Event) -> Effects:
    """Do ``event`` through the door of the core."""
    match event:
        case Deliver(letter=letter):
            return legislator.receive(letter.sender, letter.message, 0)
        case Try(round=round_):
            if legislator.slip is None:
                return legislator.receive(*_suggestion(seat, round_), 0)
            effects = legislator.on_deadline(GIVE_UP_MS, chance=0)
            # Who is a quorum alone misses nobody and goes on; then nothing comes of the suggestion.
            return _joined(effects, legislator.receive(*_suggestion(seat, round_), 0))
        case Propose():
            # Named after the life, so that a number used by two lives shows.  Between ballots and
            # slots the ballot in the decree tells them apart; what it says is nothing to the core.
            return legislator.propose((b"%d" % seat.life,), 0, 0) if legislator.may_propose else Effects()
        case Tell():
            return legislator.on_deadline(FLUSH_MS, chance=0)
        case Ask(asker=asker, from_slot=from_slot):
            return legislator.receive(asker, Lacking(from_slot), 0)
        case _:
            raise TypeError(event)


def _suggestion(seat: Seat, round_: int) -> tuple[NodeId, HandOver]:
    """The letter that makes a member without a slip start a ballot in ``round_``."""
    below = seat.ledger.next_ballot
    if below.round < round_ - 1 or below == NO_BALLOT:
        below = Ballot(round_ - 1, seat.me)
    return below.owner, HandOver(below, Slot(1))


def _joined(first: Effects, second: Effects) -> Effects:
    return Effects(first.records + second.records, first.letters + second.letters)


def _ending(seat: Seat, event: Event, legislator: Legislator, effects: Effects, kept: int) -> Step:
    """The step with ``kept`` of its records durable."""
    records = tuple(effects.records)
    durable = seat.durable
    if kept:
        ledger = ledger_of(seat.durable)
        for record in records[:kept]:
            ledger.write(record)
        durable = read_ink(ledger)
    stalled = seat.stalled or kept < len(records)
    after = Seat(seat.me, seat.life, stalled, durable, read_ink(legislator.ledger), slip_read(legislator.slip))
    left = [letter for letter in effects.letters if letter.after <= kept]
    posted: list[Posted] = [
        Cast(seat.me, record.ballot, record.slot, record.decree)
        for record in records[:kept]
        if isinstance(record, Vote)
    ]
    claims: list[Claim] = list(_learnt(seat.ledger, records))
    breaches = [
        *_breaches(partial(_check_disk, seat.durable, durable, records[:kept])),
        *(breach for letter in left for breach in _breaches(partial(_check_covered, seat.me, letter.message, durable))),
    ]
    for letter in left:
        _post(seat, event, letter, after, posted, claims)
    posted.extend(Learnt(claim.slot, claim.decree) for claim in claims if isinstance(claim, Learns))
    return Step(
        event,
        after,
        tuple(dict.fromkeys(posted)),
        tuple(dict.fromkeys(claims)),
        records,
        kept,
        breaches[0] if breaches else None,
    )


def _learnt(before: Ink, records: Sequence[Record]) -> Iterator[Learns]:
    """The outcomes in ``records``, written after ``before``."""
    decrees = {(vote.slot, vote.ballot): vote.decree for vote in before.votes}
    for record in records:
        match record:
            case Vote(slot=slot, ballot=ballot, decree=decree):
                decrees[slot, ballot] = decree
            case Passed(slot=slot, ballot=ballot):
                yield Learns(slot, decrees[slot, ballot])
            case Outcome(slot=slot, decree=decree):
                yield Learns(slot, decree)
            case _:
                pass


def _breaches(look: Callable[[], None]) -> Iterator[str]:
    """What ``look`` objects to.  The step happens all the same: with only agreement at stake, the walk goes on."""
    try:
        look()
    except InvariantViolation as violation:
        yield str(violation)


def _check_disk(before: Ink, after: Ink, records: Sequence[Record]) -> None:
    """What is durable only grows, and no vote is below a promise."""
    promised = before.next_ballot
    for record in records:
        if isinstance(record, Vote):
            check(record.ballot >= promised, "I7: no vote below a durable promise")
            promised = record.ballot
    check(after.next_ballot >= before.next_ballot, "a promise never falls")
    check(after.last_tried >= before.last_tried, "lastTried never falls")


def _check_covered(me: NodeId, message: Message, durable: Ink) -> None:
    """I2 and I7: a letter leaves once a crash can no longer take back what it says."""
    match message:
        case NextBallot(ballot=ballot):
            check(durable.last_tried >= ballot, "I7: NextBallot leaves once its ballot is durably tried")
        case LastVote(ballot=ballot):
            check(durable.next_ballot >= ballot, "I7: LastVote leaves once the promise is durable")
        case BeginBallot(ballot=ballot, slot=slot, passed_until=passed_until):
            check(ballot.owner == me, "I2: a ballot is begun by its owner")
            check(durable.last_tried >= ballot, "I2: a ballot is begun once its number is durable")
            check(slot >= passed_until, "no slot is begun below the president's own passed_until")
        case Voted(ballot=ballot, slot=slot):
            voted = any(vote.slot == slot and vote.ballot == ballot for vote in durable.votes)
            check(voted, "I7: Voted leaves once the vote is durable")
        case _:
            pass


def _post(seat: Seat, event: Event, letter: Letter, after: Seat, posted: list[Posted], claims: list[Claim]) -> None:
    """One letter leaves: what the gods see of it, and what it claims."""
    message = letter.message
    match message:
        case NextBallot(ballot=ballot):
            posted.append(Used(ballot))
        case LastVote(outcomes=outcomes):
            if isinstance(event, Deliver) and isinstance(event.letter.message, NextBallot):
                claims.append(Reports(message, event.letter.message.passed_until))
            claims.extend(Learns(outcome.slot, outcome.decree) for outcome in outcomes)
        case BeginBallot(ballot=ballot, slot=slot, decree=decree, passed_until=passed_until):
            posted.append(Begun(ballot, slot, decree))
            if isinstance(after.slip, Polled):
                claims.append(Chooses(ballot, slot, decree, after.slip.promised))
            claims.append(Claims(ballot, passed_until))
        case Success(ballot=ballot, passed_until=passed_until, outcomes=outcomes):
            claims.append(Claims(ballot, passed_until))
            claims.extend(Learns(outcome.slot, outcome.decree) for outcome in outcomes)
        case Voted():
            pass
        case _:
            return
    posted.append(Sent(seat.me, letter.to, message))
