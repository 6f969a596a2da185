"""What a play tells: members, letters and requests in words that somebody who has only read the paper knows.

Knows: how each thing is said.  Does not know: when anything is worth saying, which ``play`` decides.
"""

from paxon.core.decree import NOOP, Decree, NodeId
from paxon.core.slip import Polling, Trying
from paxon.node.letters import PeerMessage
from paxon.sim.clock import EPOCH_MS
from paxon.sim.script import Script
from paxon.sim.words import ballot_words, decree_words, letter_words
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
                state = f"presides in {ballot_words(ballot)}"
            case Trying(ballot=ballot):
                state = f"tries {ballot_words(ballot)}"
            case _:
                state = "conducts no ballot"
        if member.life.is_paused:
            state = "is asleep"
        told = {"state": state}
        if self._script.world.plan.lease.duration_ms:
            told["lease"] = "leads by lease" if self._script.host(number).leads_by_lease else "leads by no lease"
        if ledger.next_ballot.round:
            told["promise"] = f"promised {ballot_words(ledger.next_ballot)}"
        for slot, vote in sorted(ledger.votes.items()):
            told[f"vote {slot}"] = (
                f"votes for {self._decree(vote.decree)} in slot {slot}, ballot {ballot_words(vote.ballot)}"
            )
        for slot, decree in sorted(ledger.outcomes.items()):
            told[f"passed {slot}"] = f"knows that {self._decree(decree)} passed in slot {slot}"
        return told

    def ending(self, name: str, request: Request) -> str:
        """How a request ended."""
        sees = f", sees all below {request.result}" if isinstance(request.result, int) else ""
        return f"{name} ends: {request.ending}{sees}"

    def message(self, message: PeerMessage) -> str:
        """What a letter says."""
        return letter_words(message, self._decree)

    def _decree(self, decree: Decree) -> str:
        told = decree_words(decree)
        is_stamped = self.tells_stamps and decree != NOOP
        return f"{told} (stamped {decree.stamp_ms - EPOCH_MS})" if is_stamped else told
