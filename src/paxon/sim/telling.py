"""What a play tells: members, letters and requests in words that somebody who has only read the paper knows.

Knows: how each thing is said.  Does not know: when anything is worth saying, which ``play`` decides.
"""

from paxon.core.decree import NOOP, Ballot, Decree, NodeId
from paxon.core.ledger import Outcome, Vote
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
from paxon.core.slip import Polling, Trying
from paxon.node.letters import Forward, PeerMessage, ReadingAt
from paxon.sim.clock import EPOCH_MS
from paxon.sim.script import Script
from paxon.sim.workload import Request


class Teller:
    """Puts a script's world into words."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.requests: list[tuple[str, Request]] = []
        """Every request so far, with the name it has in the play."""
        self.tells_stamps = False
        """Whether decrees are told with their president's clock, in milliseconds since the play began."""

    def member(self, number: int) -> dict[str, str]:
        """Everything about one member that a play may tell, each under a name."""
        member = self._script.world.members[NodeId(number)]
        if member.host is None or member.life is None:
            return {"state": "is down"}
        legislator = self._script.legislator(number)
        ledger = legislator.ledger
        match legislator.slip:
            case Polling(ballot=ballot):
                state = f"presides in {said(ballot)}"
            case Trying(ballot=ballot):
                state = f"tries {said(ballot)}"
            case _:
                state = "conducts no ballot"
        if member.life.is_paused:
            state = "is asleep"
        told = {"state": state}
        if ledger.next_ballot.round:
            told["promise"] = f"promised {said(ledger.next_ballot)}"
        for slot, vote in sorted(ledger.votes.items()):
            told[f"vote {slot}"] = f"votes for {self._decree(vote.decree)} in slot {slot}, ballot {said(vote.ballot)}"
        for slot, decree in sorted(ledger.outcomes.items()):
            told[f"passed {slot}"] = f"knows that {self._decree(decree)} passed in slot {slot}"
        return told

    def ending(self, name: str, request: Request) -> str:
        """How a request ended."""
        sees = f", sees all below {request.result}" if isinstance(request.result, int) else ""
        return f"{name} ends: {request.ending}{sees}"

    def message(self, message: PeerMessage) -> str:
        """What a letter says."""
        match message:
            case NextBallot(ballot=ballot, passed_until=until):
                return f"NextBallot {said(ballot)}, knows all below {until}"
            case LastVote(ballot=ballot, passed_until=until, votes=votes, outcomes=outcomes):
                told = [self._vote(vote) for vote in votes] + [self._outcome(outcome) for outcome in outcomes]
                return "; ".join([f"LastVote {said(ballot)}, knows all below {until}", *told])
            case BeginBallot(ballot=ballot, slot=slot, decree=decree):
                return f"BeginBallot {said(ballot)} slot {slot}: {self._decree(decree)}"
            case Voted(ballot=ballot, slot=slot):
                return f"Voted {said(ballot)} slot {slot}"
            case Success(passed_until=until, outcomes=outcomes):
                return "; ".join([f"Success, all below {until} passed", *map(self._outcome, outcomes)])
            case Superseded(ballot=ballot, by=by):
                return f"Superseded {said(ballot)} by {said(by)}"
            case Forward(ballot=ballot, commands=commands):
                names = "+".join(self._command(command) for _, command in commands)
                return f"Forward {names}, for the president of {said(ballot)}"
            case _:
                return _of_attendance(message)

    def _vote(self, vote: Vote) -> str:
        return f"voted for {self._decree(vote.decree)} in slot {vote.slot}, ballot {said(vote.ballot)}"

    def _outcome(self, outcome: Outcome) -> str:
        return f"{self._decree(outcome.decree)} passed in slot {outcome.slot}"

    def _decree(self, decree: Decree) -> str:
        if decree == NOOP:
            return "a no-op"
        names = "+".join(self._command(command) for command in decree.commands)
        return f"{names} (stamped {decree.stamp_ms - EPOCH_MS})" if self.tells_stamps else names

    def _command(self, command: bytes) -> str:
        names = {request.command: name for name, request in self.requests}
        # A command that was just given is not on the list yet; the script numbers them as we do.
        return names.get(command, f"c{command.split()[1].decode()[1:]}")


def said(ballot: Ballot) -> str:
    """A ballot's number: its round and its owner."""
    return f"{ballot.round}.{ballot.owner}"


def _of_attendance(message: PeerMessage) -> str:
    """Letters about who is present, who should preside and who lacks what."""
    match message:
        case Presence(ballot=ballot, passed_until=until) | Present(ballot=ballot, passed_until=until):
            told = f"{said(ballot)}, knows all below {until}"
        case Canvass(passed_until=until):
            told = f"knows all below {until}"
        case CanvassReply(supports=supports, passed_until=until):
            told = f"{'yes' if supports else 'no'}, knows all below {until}"
        case Lacking(from_slot=slot):
            told = f"from slot {slot} on"
        case HandOver(ballot=ballot):
            told = f"of {said(ballot)}"
        case ReadingAt(passed_until=until):
            told = "nothing, ask again" if until is None else f"all below {until}"
        case _:
            return type(message).__name__
    return f"{type(message).__name__} {told}"
