"""Single rules of the shipped core, broken one at a time."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from msgspec import structs

from paxon.core.archive import Archive
from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.effects import NOTHING
from paxon.core.ledger import Ledger, PromisedBallot, Record, TriedBallot, Vote
from paxon.core.messages import BeginBallot, LastVote, Message, NextBallot, Voted
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roster import Majority
from paxon.core.slip import Trying
from paxon.core.voter import Voter

Break = Callable[[pytest.MonkeyPatch], None]


def _leaves_at_once(patch: pytest.MonkeyPatch, kind: type) -> None:
    send, send_all = Pen.send, Pen.send_all

    def hasty_send(self: Pen, to: NodeId, message: Message, after: int = NOTHING) -> None:
        send(self, to, message, NOTHING if isinstance(message, kind) else after)

    def hasty_send_all(self: Pen, recipients: Iterable[NodeId], message: Message, after: int = NOTHING) -> None:
        send_all(self, recipients, message, NOTHING if isinstance(message, kind) else after)

    patch.setattr(Pen, "send", hasty_send)
    patch.setattr(Pen, "send_all", hasty_send_all)


def promise_leaves_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """Step 2."""
    _leaves_at_once(patch, LastVote)


def vote_leaves_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """Step 4."""
    _leaves_at_once(patch, Voted)


def number_leaves_before_it_is_durable(patch: pytest.MonkeyPatch) -> None:
    """Step 1."""
    _leaves_at_once(patch, NextBallot)


def promise_is_not_written(patch: pytest.MonkeyPatch) -> None:
    """Step 2."""
    write = Pen.write

    def forgetful(self: Pen, record: Record) -> None:
        if not isinstance(record, PromisedBallot):
            write(self, record)

    patch.setattr(Pen, "write", forgetful)


def number_is_used_again_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    """Step 1: ``lastTried`` is in memory only."""
    write = Pen.write

    def forgetful(self: Pen, record: Record) -> None:
        if isinstance(record, TriedBallot):
            self.ledger.last_tried = record.ballot
        else:
            write(self, record)

    patch.setattr(Pen, "write", forgetful)


def vote_below_the_promise(patch: pytest.MonkeyPatch) -> None:
    """Step 4: votes in whatever it is asked to, and its ledger does not mind."""
    write = Ledger.write

    def vote(self: Voter, sender: NodeId, message: BeginBallot) -> None:
        before = self._ledger.votes.get(message.slot)
        if not self._ledger.knows(message.slot) and (before is None or before.ballot < message.ballot):
            self._pen.write(Vote(message.slot, message.ballot, message.decree))
            self._pen.send(sender, Voted(message.ballot, message.slot), after=self._ledger.line)

    def tolerant(self: Ledger, record: Record) -> None:
        if isinstance(record, Vote) and record.ballot < self.next_ballot:
            self.line += 1
            self.votes[record.slot] = record
        else:
            write(self, record)

    patch.setattr(Voter, "on_begin_ballot", vote)
    patch.setattr(Ledger, "write", tolerant)


def promise_is_given_after_a_vote_in_the_ballot(patch: pytest.MonkeyPatch) -> None:
    """Step 2: an old ``NextBallot`` is answered although a vote in its ballot took the place of the one to report."""
    answer = Voter.on_next_ballot

    def blurt(self: Voter, sender: NodeId, message: NextBallot) -> None:
        votes = self._ledger.votes
        self._ledger.votes = {slot: vote for slot, vote in votes.items() if vote.ballot != message.ballot}
        answer(self, sender, message)
        self._ledger.votes = votes

    patch.setattr(Voter, "on_next_ballot", blurt)


def _considers(patch: pytest.MonkeyPatch, keep: Callable[[list[tuple[NodeId, Vote]]], Vote | None]) -> None:
    """Of the reported votes in each slot, step 3 sees one."""
    start = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        votes: dict[Slot, list[tuple[NodeId, Vote]]] = {}
        for member, promise in trying.promises.items():
            for vote in promise.votes:
                votes.setdefault(vote.slot, []).append((member, vote))
        kept = {slot: keep(reported) for slot, reported in votes.items()}
        for member, promise in list(trying.promises.items()):
            seen = tuple(vote for vote in promise.votes if vote == kept[vote.slot])
            trying.promises[member] = structs.replace(promise, votes=seen)
        start(self, trying)

    patch.setattr(President, "_start_polling", start_polling)


def lowest_vote_wins(patch: pytest.MonkeyPatch) -> None:
    """Step 3."""
    _considers(patch, lambda votes: min((vote for _, vote in votes), key=lambda vote: vote.ballot))


def one_responder_is_listened_to(patch: pytest.MonkeyPatch) -> None:
    """Step 3: no maximum over the responders; the vote of the first name counts."""
    _considers(patch, lambda votes: min(votes, key=lambda reported: reported[0])[1])


def reported_votes_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """Step 3."""
    _considers(patch, lambda votes: None)


def _half(self: Majority, present: Iterable[NodeId]) -> bool:
    return 2 * len(set(present)) >= len(self.members) - 1


def half_of_the_votes_pass_a_decree(patch: pytest.MonkeyPatch) -> None:
    """Step 5."""
    patch.setattr(Majority, "is_vote_quorum", _half)


def half_of_the_promises_start_a_ballot(patch: pytest.MonkeyPatch) -> None:
    """Step 3."""
    patch.setattr(Majority, "is_promise_quorum", _half)


def outcomes_beyond_a_gap_are_not_reported(patch: pytest.MonkeyPatch) -> None:
    """Step 2, section 3.1."""
    patch.setattr(Ledger, "passed_ahead", lambda self: ())


def foreign_decree_does_not_end_the_ballot(patch: pytest.MonkeyPatch) -> None:
    """Step 6: a president goes on claiming after a decree passed that it did not propose."""
    close = President._close_passed

    def close_passed(self: President, slip: Any) -> bool:
        close(self, slip)
        return True

    patch.setattr(President, "_close_passed", close_passed)


def claim_passes_votes_of_any_ballot(patch: pytest.MonkeyPatch) -> None:
    """Step 6: whoever says that a slot has passed is taken to speak of the vote that is here."""
    on_claim = Archive.on_claim

    def credulous(self: Archive, sender: NodeId, ballot: Ballot, passed_until: Slot) -> None:
        for slot, vote in sorted(self._ledger.votes.items()):
            if slot < passed_until:
                on_claim(self, sender, vote.ballot, Slot(slot + 1))
        on_claim(self, sender, ballot, passed_until)

    patch.setattr(Archive, "on_claim", credulous)
