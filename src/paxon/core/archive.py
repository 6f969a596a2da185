"""Filling gaps in ledgers: step 6, the requests for missing decrees of section 3.1, and 3.3.5's entries that come late.

A member that hears of passed decrees it does not know asks whoever told it, one chunk at a
time; it keeps asking until it has caught up.  Works between any two members, with or without
a president.
"""

from paxon.core.decree import FIRST_SLOT, NO_BALLOT, Ballot, NodeId, Slot
from paxon.core.effects import Recall
from paxon.core.ledger import Passed
from paxon.core.messages import Lacking, Success
from paxon.core.pen import Pen
from paxon.core.timing import NEVER_MS, Timing

CHUNK_BYTES = 128 * 1024
"""How much one answer to ``Lacking`` carries: large enough to be cheap, small enough not to delay a live write."""

PAUSE_MS = 10
"""Between an answer and the next question: decoding and applying a chunk takes a processor for about 3 ms, and live
votes need that processor too.  With 2 ms their 99th percentile more than doubles on a machine with two."""

HURRY_MS = 2
"""The pause while we lack no less than before.  Decrees being voted on reach us by themselves, so what we lack shrinks
with every answer; where it does not, their ballots are getting lost, and only asking faster ends that."""

ASKED_IN_VAIN = 3
"""After so many unanswered questions we listen to somebody else."""


class Archive:
    """Knows what has passed elsewhere and fetches it; hands out what we know."""

    def __init__(self, pen: Pen, timing: Timing) -> None:
        self._pen = pen
        self._ledger = pen.ledger
        self._timing = timing
        self.claimed_until = FIRST_SLOT
        """Somebody said that everything below has passed."""
        self._source: NodeId | None = None
        """Who said so: whom we ask."""
        self._ask_at_ms: int | None = None
        self._seen_until = FIRST_SLOT
        self._unanswered = 0
        """How often we asked since our ledger last grew."""
        self._missing = 0
        """How many decrees below the claim we did not know after the last answer."""

    def next_deadline(self) -> int:
        """When to ask (again) for missing decrees; ``NEVER_MS`` if there is nothing to ask for."""
        return NEVER_MS if self._ask_at_ms is None else self._ask_at_ms

    def on_success(self, sender: NodeId, message: Success) -> None:
        """Enter what passed (step 6)."""
        passed_until = self._ledger.passed_until
        for outcome in message.outcomes:
            self._pen.learn(outcome.slot, outcome.decree)
        self.on_claim(sender, message.ballot, message.passed_until)
        if message.outcomes and self._ledger.passed_until > passed_until and self._is_lacking():
            # An answer that brought us forward: ask for the next chunk soon.  One that did not would
            # be asked for again and again, as fast as the link allows.
            missing = self.claimed_until - self._ledger.passed_until - self._ledger.ahead
            self._ask_at_ms = self._pen.now_ms + (PAUSE_MS if missing < self._missing else HURRY_MS)
            self._missing = missing

    def on_claim(self, sender: NodeId, ballot: Ballot, passed_until: Slot) -> None:
        """Take note that everything below ``passed_until`` has passed, as the president of ``ballot`` proposed it.

        Enabled when: always.
        Effects: our votes of exactly that ballot become outcomes; what we still lack is asked
        for, unless it is already on its way and arrives first.
        """
        # Only votes of the very ballot will do: what an older president proposed here may not be
        # what passed.  The president of the ballot, in turn, stops claiming anything as soon as
        # a decree passes that it did not propose (President._close_passed).
        votes = self._ledger.votes
        for slot in sorted(votes) if votes else ():
            if slot < passed_until and votes[slot].ballot == ballot:
                self._pen.write(Passed(slot, ballot))
        if passed_until >= self.claimed_until:
            self.claimed_until = passed_until
            self._source = sender
        self._watch()

    def on_lacking(self, sender: NodeId, message: Lacking) -> None:
        """Send what we know from the asked slot on."""
        self.hand_out(sender, message.from_slot)

    def hand_out(self, to: NodeId, from_slot: Slot) -> None:
        """Send decrees from ``from_slot`` on: from memory, or through the host from the file."""
        ledger = self._ledger
        if from_slot < ledger.kept_from:
            self._pen.effects.recalls.append(Recall(to, from_slot))
            return
        outcomes = ledger.passed_from(from_slot, CHUNK_BYTES)
        if not outcomes:
            outcomes = tuple(outcome for outcome in ledger.passed_ahead() if outcome.slot >= from_slot)[:1]
        if outcomes:
            self._pen.send(to, Success(NO_BALLOT, ledger.passed_until, outcomes))

    def on_deadline(self) -> None:
        """Ask (again) if we still lack what we lacked."""
        if self._ask_at_ms is None or self._pen.now_ms < self._ask_at_ms:
            return
        if self._unanswered < ASKED_IN_VAIN:
            self._ask()
            return
        # Whoever made that claim does not answer.  Forget it: the next claim, whoever makes it,
        # names somebody we can ask, and presence messages repeat claims for ever.
        self.claimed_until = self._ledger.passed_until
        self._source = None
        self._unanswered = 0
        self._watch()

    def _is_lacking(self) -> bool:
        return self._ledger.passed_until < self.claimed_until

    def _watch(self) -> None:
        """Arm the question while we lack something; disarm it when we do not; restart it when we get on.

        Decrees being voted on travel another way than the claims, and claims may overtake them.
        While our ledger grows they are evidently coming, and asking would fetch them twice.
        """
        passed_until = self._ledger.passed_until
        if passed_until > self._seen_until:
            self._unanswered = 0
        if passed_until >= self.claimed_until:
            self._ask_at_ms = None
        elif self._ask_at_ms is None or passed_until > self._seen_until:
            self._ask_at_ms = self._pen.now_ms + self._timing.presence_ms // 2
        self._seen_until = passed_until

    def _ask(self) -> None:
        if not self._is_lacking() or self._source is None:
            self._ask_at_ms = None
            return
        self._pen.send(self._source, Lacking(self._ledger.passed_until))
        self._unanswered += 1
        self._ask_at_ms = self._pen.now_ms + self._timing.retransmit_ms
