"""Letters, lines of a ledger and decrees in words, for whoever has read the paper."""

from collections.abc import Sequence

from paxon.core.decree import NOOP, Ballot, Decree
from paxon.core.ledger import Outcome, Passed, PromisedBallot, Record, Vote
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
from paxon.node.letters import Answers, AskReading, Forward, PeerMessage, ReadingAt, Refusals

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
        case _:
            return f"tries {ballot_words(record.ballot)}"


def message_words(message: PeerMessage) -> str:
    """What a letter of the paper's six steps says.  The others have only their names here: no vote depends on them."""
    match message:
        case NextBallot(ballot=ballot, passed_until=until):
            return f"NextBallot {ballot_words(ballot)}, knows all below {until}"
        case LastVote(ballot=ballot, passed_until=until, votes=votes, outcomes=outcomes):
            told = [
                f"voted for {decree_words(vote.decree)} in slot {vote.slot}, ballot {ballot_words(vote.ballot)}"
                for vote in votes
            ]
            heading = f"LastVote {ballot_words(ballot)}, knows all below {until}"
            return "; ".join([heading, *_few(told), *_few(_outcomes(outcomes))])
        case BeginBallot(ballot=ballot, slot=slot, decree=decree):
            return f"BeginBallot {ballot_words(ballot)} slot {slot}: {decree_words(decree)}"
        case Voted(ballot=ballot, slot=slot):
            return f"Voted {ballot_words(ballot)} slot {slot}"
        case Success(passed_until=until, outcomes=outcomes):
            return "; ".join([f"Success, all below {until} passed", *_few(_outcomes(outcomes))])
        case Superseded(ballot=ballot, by=by):
            return f"Superseded {ballot_words(ballot)} by {ballot_words(by)}"
        case _:
            return type(message).__name__


def letter_words(message: PeerMessage) -> str:
    """What any letter says."""
    match message:
        case Lacking(from_slot=slot):
            return f"Lacking all from slot {slot} on"
        case Presence(ballot=ballot, roll_call=roll_call):
            return f"Presence {ballot_words(ballot)}, roll call {roll_call}"
        case Present(ballot=ballot, roll_call=roll_call):
            return f"Present {ballot_words(ballot)}, roll call {roll_call}"
        case Canvass():
            return "Canvass"
        case CanvassReply(supports=supports):
            return f"CanvassReply: {'yes' if supports else 'no'}"
        case HandOver(ballot=ballot):
            return f"HandOver {ballot_words(ballot)}"
        case Forward(ballot=ballot, commands=commands):
            names = "+".join(command_name(command) for _, command in commands)
            return f"Forward to ballot {ballot_words(ballot)}: {names or 'nothing new'}"
        case Answers(answers=answers):
            return f"Answers: {', '.join(f'passed in slot {slot}' for _, slot, _ in answers[:TOLD_MAX])}"
        case Refusals(refusals=refusals):
            return f"Refusals: {', '.join(code for _, code, _ in refusals[:TOLD_MAX])}"
        case AskReading(number=number):
            return f"AskReading {number}"
        case ReadingAt(number=number, passed_until=until):
            return f"ReadingAt {number}: {'ask again' if until is None else f'apply all below {until}'}"
        case _:
            return message_words(message)


def _outcomes(outcomes: Sequence[Outcome]) -> list[str]:
    return [f"{decree_words(outcome.decree)} passed in slot {outcome.slot}" for outcome in outcomes]


def _few(told: list[str]) -> list[str]:
    """The first of them, and how many more there are."""
    return told if len(told) <= TOLD_MAX else [*told[:TOLD_MAX], f"and {len(told) - TOLD_MAX} more"]
