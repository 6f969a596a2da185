"""The roll of a president: who is present, and the reads that rest on their answers.

Knows: that whoever answers a call has promised nothing above the caller's ballot.  Does not
know: how anything is voted on.  A linearizable read without a decree of its own: stronger
than section 3.3.4 asks of its cheap reads, and cheaper than its decree per inquiry.
"""

from paxon.core.decree import NodeId
from paxon.core.effects import Reading
from paxon.core.messages import Presence, Present
from paxon.core.pen import Pen
from paxon.core.roster import Rosters
from paxon.core.slip import Polling, Question


class Roll:
    """Calls the roll and keeps the answers on the president's slip."""

    def __init__(self, pen: Pen, rosters: Rosters) -> None:
        self._pen = pen
        self._rosters = rosters

    def call(self, slip: Polling) -> None:
        """Tell the others that we preside and how far decrees have passed, and ask them to answer."""
        passed_until = self._pen.ledger.passed_until
        slip.roll_call += 1
        slip.told(passed_until)
        members = self._rosters.of(passed_until).members
        others = (member for member in members if member != self._pen.me)
        self._pen.send_all(others, Presence(slip.ballot, slip.roll_call, passed_until))

    def on_present(self, slip: Polling, sender: NodeId, message: Present) -> None:
        """Note an answer.  Enabled when: it is to a call of this ballot."""
        slip.heard_ms[sender] = self._pen.now_ms
        slip.answered[sender] = max(slip.answered.get(sender, 0), message.roll_call)
        slip.standing[sender] = max(slip.standing.get(sender, message.passed_until), message.passed_until)

    def read(self, slip: Polling, token: int) -> None:
        """Find out from where on a read is linearizable: one quorum round for all who wait.

        Whoever answers a roll call sent *after* the read arrived had then promised nothing above
        our ballot.  The answers are a vote quorum, so they meet every promise quorum: no later
        president had finished step 2, and nothing had passed that our ballot does not know of.
        """
        if all(self._is_answered(slip, question.roll_call) for question in slip.questions):
            self._put_questions(slip, [token])
        else:
            slip.waiting.append(token)
        self.answer(slip)

    def answer(self, slip: Polling) -> None:
        """Answer the reads whose call a quorum has answered, once everything they must see is known."""
        if not slip.questions:
            return
        unanswered = []
        for question in slip.questions:
            if question.passed_until <= self._pen.ledger.passed_until and self._is_answered(slip, question.roll_call):
                self._pen.effects.readings.append(Reading(question.token, question.passed_until))
            else:
                unanswered.append(question)
        slip.questions = unanswered
        if slip.waiting and all(self._is_answered(slip, question.roll_call) for question in unanswered):
            tokens, slip.waiting = slip.waiting, []
            self._put_questions(slip, tokens)
            # A roster of one has answered already.
            self.answer(slip)

    def _put_questions(self, slip: Polling, tokens: list[int]) -> None:
        self.call(slip)
        # Decrees known beyond a gap count too: we may have told somebody who can apply them already.
        until = max(self._pen.ledger.known_until, slip.recovered_until)
        slip.questions.extend(Question(token, slip.roll_call, until) for token in tokens)

    def _is_answered(self, slip: Polling, roll_call: int) -> bool:
        present = {member for member, answered in slip.answered.items() if answered >= roll_call}
        return self._rosters.of(slip.next_slot).is_vote_quorum(present | {self._pen.me})
