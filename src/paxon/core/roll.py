"""The roll of a president: who is present, and the reads that rest on their answers.

Knows: that whoever answers a call has promised nothing above the caller's ballot.  Does not
know: how anything is voted on.  A linearizable read without a decree of its own: stronger
than section 3.3.4 asks of its cheap reads, and cheaper than its decree per inquiry.
"""

from paxon.core.decree import NodeId
from paxon.core.effects import Reading
from paxon.core.lease import Lease, LeaseTerms
from paxon.core.messages import Presence, Present
from paxon.core.pen import Pen
from paxon.core.roster import Rosters
from paxon.core.slip import Polling, Question


class Roll:
    """Calls the roll and keeps the answers on the president's slip."""

    def __init__(self, pen: Pen, rosters: Rosters, terms: LeaseTerms) -> None:
        self._pen = pen
        self._rosters = rosters
        self._terms = terms

    def call(self, slip: Polling) -> None:
        """Tell the others that we preside and how far decrees have passed, and ask them to answer."""
        passed_until = self._pen.ledger.passed_until
        slip.roll_call += 1
        slip.told(passed_until)
        members = self._rosters.of(passed_until).members
        others = (member for member in members if member != self._pen.me)
        lease_ms = 0 if slip.is_lease_released else self._terms.duration_ms
        if lease_ms:
            self._expect_grants(slip)
        self._pen.send_all(others, Presence(slip.ballot, slip.roll_call, passed_until, lease_ms=lease_ms))

    def on_present(self, slip: Polling, sender: NodeId, message: Present) -> None:
        """Note an answer.  Enabled when: it is to a call of this ballot."""
        slip.heard_ms[sender] = self._pen.now_ms
        slip.answered[sender] = max(slip.answered.get(sender, 0), message.roll_call)
        slip.standing[sender] = max(slip.standing.get(sender, message.passed_until), message.passed_until)
        called_ms = slip.called_ms.get(message.roll_call)
        if message.lease_ms and called_ms is not None:
            # Counted from before the question was sent: when it was heard, nobody here knows.
            grant = Lease(called_ms, called_ms + self._terms.usable_ms(message.lease_ms))
            if sender not in slip.grants or slip.grants[sender].until_ms < grant.until_ms:
                slip.grants[sender] = grant
                slip.lease = self._lease_of(slip)

    def lease(self, slip: Polling) -> Lease | None:
        """What we hold by which our own ledger, just as it is, has everything that was announced to anybody.

        That takes more than a quorum that follows nobody else: what passed before this ballot must
        be known here, and what we know beyond a gap may have been told to somebody who could
        apply it.
        """
        ledger = self._pen.ledger
        if slip.is_lease_released or ledger.passed_until < max(ledger.known_until, slip.recovered_until):
            return None
        return slip.lease

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

    def _expect_grants(self, slip: Polling) -> None:
        now_ms = self._pen.now_ms
        oldest = next(iter(slip.called_ms), None)
        while oldest is not None and slip.called_ms[oldest] + self._terms.duration_ms <= now_ms:
            del slip.called_ms[oldest]
            oldest = next(iter(slip.called_ms), None)
        slip.called_ms[slip.roll_call] = now_ms
        # We are bound to ourselves by conducting this ballot: the slip is lost in the step that
        # promises a higher one.  Where nobody else is needed, that is the whole quorum.
        slip.grants[self._pen.me] = Lease(now_ms, now_ms + self._terms.usable_ms(self._terms.duration_ms))
        slip.lease = self._lease_of(slip)

    def _lease_of(self, slip: Polling) -> Lease | None:
        """The latest end that a vote quorum has granted, from the oldest call that it takes."""
        roster = self._rosters.of(slip.next_slot)
        bound = {self._pen.me}
        called_ms = slip.grants[self._pen.me].called_ms
        for member, grant in sorted(slip.grants.items(), key=lambda item: item[1].until_ms, reverse=True):
            bound.add(member)
            called_ms = min(called_ms, grant.called_ms)
            if roster.is_vote_quorum(bound):
                return Lease(called_ms, grant.until_ms)
        return None

    def _is_answered(self, slip: Polling, roll_call: int) -> bool:
        present = {member for member, answered in slip.answered.items() if answered >= roll_call}
        return self._rosters.of(slip.next_slot).is_vote_quorum(present | {self._pen.me})
