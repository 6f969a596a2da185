"""A way through a world in words: each move a line, in the order it happened."""

from collections.abc import Iterator

from paxon.core.decree import NOOP, Ballot, Decree, Slot
from paxon.core.ledger import Jumped, Outcome, Passed, PromisedBallot, Record, Vote
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Success, Voted
from paxon.errors import InvariantViolation
from paxon.sim.explore.post import Posted, Sent, Spoken
from paxon.sim.explore.search import Report
from paxon.sim.explore.steps import Ask, Crash, Deliver, Event, Propose, Step, Tell, Try
from paxon.sim.explore.world import Chain, State, World


def story(world: World, report: Report) -> list[str]:
    """How the rule in ``report`` comes to be broken.

    The path is made of canonical states, in which members may have changed names from one to the next.
    Here each of them keeps its name from the beginning to the end.
    """
    lines: list[str] = []
    state = world.start
    for target in report.path[1:]:
        who, chain, state = next(way for way in world.moves(state) if world.canonical(way[2]) == target)
        lines += told(world, who, chain)
    if report.violation is not None:
        who, chain, violation = _breach(world, state)
        lines += [*told(world, who, chain), f"broken: {violation}"]
    return [f"{number:>3}. {line}" for number, line in enumerate(lines, 1)]


def _breach(world: World, state: State) -> tuple[int, Chain, str]:
    for who, chain, after in world.moves(state):
        try:
            world.check(who, chain, after)
        except InvariantViolation as violation:
            return who, chain, str(violation)
    raise LookupError("no rule is broken here")


def told(world: World, who: int, chain: Chain) -> Iterator[str]:
    """One chain of moves of one member."""
    for move in chain:
        for step in move.steps:
            yield f"member {world.members[who]} {_happened(step.event)}{_written(step)}{_sent(step.posted)}"


def _happened(event: Event) -> str:
    match event:
        case Deliver(letter=Sent(sender=sender, message=message)):
            return f"receives {_said(message)} from {sender}"
        case Try(round=round_):
            return f"starts a ballot of its own in round {round_}"
        case Propose():
            return "proposes a new decree"
        case Tell():
            return "tells the news"
        case Ask(asker=asker, from_slot=from_slot):
            return f"is asked by {asker} for decrees from slot {from_slot} on"
        case Crash():
            return "crashes, loses what was not durable, and is back"


def _written(step: Step) -> str:
    if not step.records:
        return ""
    kept = [_record(record) for record in step.records[: step.kept]]
    lost = [_record(record) for record in step.records[step.kept :]]
    return "".join(
        [f"; durable: {', '.join(kept)}" if kept else "", f"; NOT durable: {', '.join(lost)}" if lost else ""]
    )


def _sent(posted: tuple[Posted, ...]) -> str:
    letters: dict[Spoken, list[str]] = {}
    for letter in posted:
        if isinstance(letter, Sent):
            letters.setdefault(letter.message, []).append(str(letter.to))
    return "".join(f"; sends {_said(message)} to {', '.join(to)}" for message, to in letters.items())


def _said(message: Spoken) -> str:
    match message:
        case NextBallot(ballot=ballot, passed_until=passed_until):
            return f"NextBallot {_name(ballot)}{_until(passed_until)}"
        case LastVote(ballot=ballot, passed_until=passed_until, votes=votes, outcomes=outcomes):
            told = [f"vote {_name(vote.ballot)} for {_decree(vote.decree)} in slot {vote.slot}" for vote in votes]
            contents = ", ".join(told + _outcomes(outcomes)) or "no votes"
            return f"LastVote {_name(ballot)}{_until(passed_until)} ({contents})"
        case BeginBallot(ballot=ballot, slot=slot, decree=decree, passed_until=passed_until):
            return f"BeginBallot {_name(ballot)} with {_decree(decree)} in slot {slot}{_until(passed_until)}"
        case Voted(ballot=ballot, slot=slot):
            return f"Voted {_name(ballot)} in slot {slot}"
        case Success(ballot=ballot, passed_until=passed_until, outcomes=outcomes):
            told = _outcomes(outcomes)
            whose = f" {_name(ballot)}" if ballot.owner else ""
            return f"Success{whose}{_until(passed_until)}" + (f" ({', '.join(told)})" if told else "")


def _outcomes(outcomes: tuple[Outcome, ...]) -> list[str]:
    return [f"slot {outcome.slot} passed {_decree(outcome.decree)}" for outcome in outcomes]


def _record(record: Record) -> str:
    match record:
        case Vote(slot=slot, ballot=ballot, decree=decree):
            return f"vote {_name(ballot)} for {_decree(decree)} in slot {slot}"
        case Passed(slot=slot, ballot=ballot):
            return f"slot {slot} passed the vote of {_name(ballot)}"
        case Outcome(slot=slot, decree=decree):
            return f"slot {slot} passed {_decree(decree)}"
        case PromisedBallot(ballot=ballot):
            return f"promise {_name(ballot)}"
        case Jumped(slot=slot):
            return f"a snapshot of all slots below {slot}"
        case _:
            return f"tried {_name(record.ballot)}"


def _decree(decree: Decree) -> str:
    if decree == NOOP:
        return "the no-op"
    life = int(b"".join(decree.commands) or b"0")
    return f"the decree of {_name(decree.ballot)}" + (f" (life {life + 1})" if life else "")


def _until(passed_until: Slot) -> str:
    return f", all below {passed_until} passed" if passed_until > 1 else ""


def _name(ballot: Ballot) -> str:
    return f"{ballot.round}.{ballot.owner}"
