"""Letters, lines of a ledger and decrees in words, for whoever has read the paper."""

from collections.abc import Callable, Sequence

from paxon.core.decree import NOOP, Ballot, Decree
from paxon.core.ledger import Jumped, Outcome, Passed, PromisedBallot, Record, Vote
from paxon.core.messages import (
    BeginBallot,
    Canvass,
    CanvassReply,
    HandOver,
    Lacking,
    LastVote,
    NextBallot,
    Presence,
    Present,
    Success,
    Superseded,
    Voted,
)
from paxon.node.letters import (
    Answers,
    AskReading,
    AskSnapshot,
    Forward,
    Known,
    PeerMessage,
    ReadingAt,
    Refusals,
    SnapshotOffer,
    SnapshotPart,
)

SHOWN_BYTES = 12
"""How much of a command is shown that has no number."""

TOLD_MAX = 12
"""How many decrees of one letter are told one by one; the rest are counted."""


def ballot_words(ballot: Ballot) -> str:
    """``4.2`` is the ballot of round 4 that member 2 owns."""
    return f"{ballot.round}.{ballot.owner}"


def command_name(command: bytes) -> str:
    """``c7`` for the seventh command of the clients of a simulated run, or of a script; another's first bytes."""
    match command.split(b" ", 2):
        case [_, token, *_] if token.removeprefix(b"s").isdigit():
            return f"c{token.removeprefix(b's').decode()}"
    return repr(command[:SHOWN_BYTES])[2:-1]


def decree_words(decree: Decree) -> str:
    """The commands of a decree by their names."""
    if decree == NOOP:
        return "a no-op"
    return "+".join(map(command_name, decree.commands))


def record_words(record: Record) -> str:
    """One line of a ledger, as what its writer does."""
    match record:
        case Vote(slot=slot, ballot=ballot, decree=decree):
            return f"votes for {decree_words(decree)} in slot {slot}, ballot {ballot_words(ballot)}"
        case Passed(slot=slot, ballot=ballot):
            return f"knows that its vote of ballot {ballot_words(ballot)} passed in slot {slot}"
        case Outcome(slot=slot, decree=decree):
            return f"knows that {decree_words(decree)} passed in slot {slot}"
        case PromisedBallot(ballot=ballot):
            return f"promised {ballot_words(ballot)}"
        case Jumped(slot=slot):
            return f"has a snapshot of all slots below {slot}"
        case _:
            return f"tries {ballot_words(record.ballot)}"


def letter_words(message: PeerMessage, told: Callable[[Decree], str] = decree_words) -> str:
    """What a letter says.  Up to the first comma, colon or semicolon it says what it is about, and from there on what.

    ``told`` puts a decree into words.
    """
    match message:
        case NextBallot(ballot=ballot, passed_until=until):
            return f"NextBallot {ballot_words(ballot)}, knows all below {until}"
        case LastVote(ballot=ballot, passed_until=until, votes=votes, outcomes=outcomes):
            voted = [
                f"voted for {told(vote.decree)} in slot {vote.slot}, ballot {ballot_words(vote.ballot)}"
                for vote in votes
            ]
            heading = f"LastVote {ballot_words(ballot)}, knows all below {until}"
            return "; ".join([heading, *_few(voted), *_few(_outcomes(outcomes, told))])
        case BeginBallot(ballot=ballot, slot=slot, decree=decree):
            return f"BeginBallot {ballot_words(ballot)} slot {slot}: {told(decree)}"
        case Voted(ballot=ballot, slot=slot):
            return f"Voted {ballot_words(ballot)} slot {slot}"
        case Success(passed_until=until, outcomes=outcomes):
            return "; ".join([f"Success, all below {until} passed", *_few(_outcomes(outcomes, told))])
        case Superseded(ballot=ballot, by=by):
            return f"Superseded {ballot_words(ballot)} by {ballot_words(by)}"
        case _:
            return _attendance_words(message)


def _attendance_words(message: PeerMessage) -> str:
    """Letters about who is present, who should preside, who lacks what, and who asks for what."""
    name = type(message).__name__
    match message:
        case Presence(ballot=ballot, passed_until=until, lease_ms=lease_ms):
            asked = f", asks for a lease of {lease_ms} ms" if lease_ms else ""
            return f"{name} {ballot_words(ballot)}, knows all below {until}{asked}"
        case Present(ballot=ballot, passed_until=until, lease_ms=lease_ms):
            granted = f", follows nobody else for {lease_ms} ms" if lease_ms else ""
            return f"{name} {ballot_words(ballot)}, knows all below {until}{granted}"
        case Canvass(passed_until=until):
            return f"{name}, knows all below {until}"
        case CanvassReply(supports=supports, passed_until=until):
            return f"{name}: {'yes' if supports else 'no'}, knows all below {until}"
        case Lacking(from_slot=slot):
            return f"{name} from slot {slot} on"
        case HandOver(ballot=ballot):
            return f"{name} of {ballot_words(ballot)}"
        case Forward(ballot=ballot, commands=commands):
            names = "+".join(command_name(command) for _, command in commands)
            return f"{name} to {ballot_words(ballot)}: {names or 'nothing new'}"
        case Answers(answers=answers):
            return f"{name}: {', '.join(f'passed in slot {slot}' for _, slot, _ in answers[:TOLD_MAX])}"
        case Refusals(refusals=refusals):
            return f"{name}: {', '.join(code for _, code, _ in refusals[:TOLD_MAX])}"
        case AskReading(number=number):
            return f"{name} {number}"
        case ReadingAt(number=number, passed_until=until):
            return f"{name} {number}: {'nothing, ask again' if until is None else f'all below {until}'}"
        case SnapshotOffer(slot=slot, size=size):
            return f"{name} of all slots below {slot}, {size} bytes"
        case AskSnapshot(offer=offer, offset=offset) | SnapshotPart(offer=offer, offset=offset):
            return f"{name} of all slots below {offer.slot}, from byte {offset}"
        case Known(until=until):
            return f"{name}: all below {until}"
        case _:
            return name


def _outcomes(outcomes: Sequence[Outcome], told: Callable[[Decree], str]) -> list[str]:
    return [f"{told(outcome.decree)} passed in slot {outcome.slot}" for outcome in outcomes]


def _few(told: list[str]) -> list[str]:
    """The first of them, and how many more there are."""
    return told if len(told) <= TOLD_MAX else [*told[:TOLD_MAX], f"and {len(told) - TOLD_MAX} more"]
