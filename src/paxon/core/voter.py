"""The voting part of a legislator: steps 2, 4 and 6 (industry: acceptor and learner).

Knows: the ledger, and to whom we are bound by a lease.  Does not know: who should preside, or any ballot of its own.
"""

from paxon.core.archive import Archive
from paxon.core.decree import NodeId
from paxon.core.lease import Grants
from paxon.core.ledger import PromisedBallot, Vote
from paxon.core.messages import BeginBallot, LastVote, NextBallot, Superseded, Voted
from paxon.core.pen import Pen
from paxon.core.roster import ROSTER_LAG
from paxon.errors import check

LAST_VOTE_BYTES = 256 * 1024
"""How many bytes of passed decrees ride along in a ``LastVote``; the rest is asked for afterwards."""


class Voter:
    """Promises and votes.  Everything it remembers for longer than a lease is in the ledger."""

    def __init__(self, pen: Pen, archive: Archive, grants: Grants) -> None:
        self._pen = pen
        self._ledger = pen.ledger
        self._archive = archive
        self._grants = grants

    def on_next_ballot(self, sender: NodeId, message: NextBallot) -> None:
        """Promise to vote in nothing older, and report what we voted for (step 2).

        Enabled when: no president counts on us to follow nobody else.  The paper knows no such
        word, and not acting is always safe (2.2e); candidates ask again.
        Effects: raises ``next_ballot``; answers with our votes and the outcomes the sender
        lacks.  An older ballot is answered with ``Superseded``.
        """
        ledger = self._ledger
        if message.ballot < ledger.next_ballot:
            # Silence would be safe, but a would-be president would never learn what to outbid (2.4).
            self._pen.send(sender, Superseded(message.ballot, by=ledger.next_ballot))
            return
        if message.ballot > ledger.next_ballot:
            # Only promises are refused, not votes: a later ballot that asks for votes has a promise
            # quorum, and somebody in it was bound like us and is no more, so the lease is over.
            if self._grants.forbid(message.ballot, message.released):
                return
            self._pen.write(PromisedBallot(message.ballot))
        # An equal ballot falls through, because our first answer may be lost: section 2.3 ignores
        # b <= nextBal, the appendix allows b >= nextBal (E2).
        votes = ledger.votes_from(message.passed_until)
        if any(vote.ballot == message.ballot for vote in votes):
            # The appendix's other condition, nextBal > prevBal.  A vote in this ballot took the place
            # of our latest vote below it, so the answer would claim too little and break I7; and
            # nobody waits for it, since that ballot is past step 3.
            return
        # Of what passed, the contiguous part may be cut short, for passed_until accounts for it.
        # What lies beyond our first gap is nowhere else in this answer and must be there in full:
        # a slot reported neither as a vote nor as an outcome is one the president may fill.
        outcomes = ledger.passed_from(message.passed_until, LAST_VOTE_BYTES) + tuple(
            outcome for outcome in ledger.passed_ahead() if outcome.slot >= message.passed_until
        )
        # A promise is worth something only if it outlives a crash: sent before it is inked, we
        # could forget it, vote in an older ballot, and break I7.
        answer = LastVote(message.ballot, ledger.passed_until, votes, outcomes, ledger.stamp_ms)
        self._pen.send(sender, answer, after=ledger.line)

    def on_begin_ballot(self, sender: NodeId, message: BeginBallot) -> None:
        """Vote, unless that breaks a promise (step 4).

        Enabled when: ``ballot >= next_ballot``.  The paper asks for equality; voting in a
        higher ballot than promised makes the promise and the vote in one record, and lets a
        member take part that was away during steps 1 and 2 (E2).
        Effects: a vote, once per ballot and slot; ``Voted`` as often as asked.
        """
        ledger = self._ledger
        if message.ballot < ledger.next_ballot:
            self._pen.send(sender, Superseded(message.ballot, by=ledger.next_ballot))
            return
        if ledger.knows(message.slot):
            # The president lags behind us in this slot: the outcome serves it better than a vote.
            self._archive.hand_out(sender, message.slot)
            return
        if message.slot >= ledger.passed_until + ROSTER_LAG and ledger.is_crowded:
            # Whoever presides knows every decree up to a window below this slot, and thousands that we
            # do not: the others manage without us.  Abstaining is always safe, and keeping all
            # that lies beyond our gap in memory is not.
            return
        vote = ledger.votes.get(message.slot)
        if vote is None or vote.ballot < message.ballot:
            self._pen.write(Vote(message.slot, message.ballot, message.decree))
        else:
            check(vote.ballot == message.ballot, "a vote is never above the promise")
            check(vote.decree == message.decree, f"one decree per ballot and slot (slot {message.slot})")
        self._pen.send(sender, Voted(message.ballot, message.slot), after=ledger.line)
