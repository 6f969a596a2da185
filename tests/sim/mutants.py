"""Single rules of the shipped code, broken one at a time: each function here patches one away."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from paxon.core.archive import Archive
from paxon.core.decree import NOOP, Decree, NodeId, Slot
from paxon.core.effects import NOTHING, Letter
from paxon.core.ledger import Ledger, PromisedBallot, Record, TriedBallot, Vote
from paxon.core.messages import BeginBallot, LastVote, Message, NextBallot, Present, Voted
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roll import Roll
from paxon.core.roster import Majority
from paxon.core.slip import Polling, Trying
from paxon.core.voter import Voter
from paxon.node.forwarding import Incoming
from paxon.node.outbox import Outbox

Break = Callable[[pytest.MonkeyPatch], None]


def _send_early(patch: pytest.MonkeyPatch, kind: type) -> None:
    original = Pen.send

    def send(self: Pen, to: NodeId, message: Message, after: int = NOTHING) -> None:
        original(self, to, message, NOTHING if isinstance(message, kind) else after)

    patch.setattr(Pen, "send", send)


def promise_sent_before_durable(patch: pytest.MonkeyPatch) -> None:
    """Step 2: ``LastVote`` leaves at once."""
    _send_early(patch, LastVote)


def vote_sent_before_durable(patch: pytest.MonkeyPatch) -> None:
    """Step 4: ``Voted`` leaves at once."""
    _send_early(patch, Voted)


def outbox_holds_nothing(patch: pytest.MonkeyPatch) -> None:
    """The host: every letter leaves at once."""

    def offer(self: Outbox, letters: list[Letter]) -> list[Letter]:
        return letters

    patch.setattr(Outbox, "offer", offer)


def promise_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Step 2: the promise is given and not written down."""
    original = Pen.write

    def write(self: Pen, record: Record) -> None:
        if not isinstance(record, PromisedBallot):
            original(self, record)

    patch.setattr(Pen, "write", write)


def vote_below_promise(patch: pytest.MonkeyPatch) -> None:
    """Step 4: votes in whatever it is asked to, and its ledger does not mind."""

    def on_begin_ballot(self: Voter, sender: NodeId, message: BeginBallot) -> None:
        if self._ledger.knows(message.slot):
            self._archive.hand_out(sender, message.slot)
            return
        vote = self._ledger.votes.get(message.slot)
        if vote is None or vote.ballot < message.ballot:
            self._pen.write(Vote(message.slot, message.ballot, message.decree))
        self._pen.send(sender, Voted(message.ballot, message.slot), after=self._ledger.line)

    original = Ledger.write

    def write(self: Ledger, record: Record) -> None:
        if isinstance(record, Vote) and record.ballot < self.next_ballot:
            self.line += 1
            self.votes[record.slot] = record
            return
        original(self, record)

    patch.setattr(Voter, "on_begin_ballot", on_begin_ballot)
    patch.setattr(Ledger, "write", write)


def ballot_number_not_kept(patch: pytest.MonkeyPatch) -> None:
    """Step 1: ``lastTried`` is only in memory, so a later life may use a number again."""
    original = Pen.write

    def write(self: Pen, record: Record) -> None:
        if isinstance(record, TriedBallot):
            self.ledger.last_tried = record.ballot
        else:
            original(self, record)

    patch.setattr(Pen, "write", write)


def ballot_number_sent_before_durable(patch: pytest.MonkeyPatch) -> None:
    """Step 1: ``NextBallot`` leaves at once, so a crash may forget that the number was used."""
    original = Pen.send_all

    def send_all(self: Pen, recipients: Any, message: Message, after: int = NOTHING) -> None:
        original(self, recipients, message, NOTHING if isinstance(message, NextBallot) else after)

    patch.setattr(Pen, "send_all", send_all)


def _with_votes(trying: Trying, keep: Callable[[list[Vote]], Vote | None]) -> None:
    """Leave of all reported votes in each slot only the one to ``keep``."""
    by_slot: dict[Slot, list[Vote]] = {}
    for promise in trying.promises.values():
        for vote in promise.votes:
            by_slot.setdefault(vote.slot, []).append(vote)
    kept = {slot: keep(sorted(votes, key=lambda vote: vote.ballot)) for slot, votes in by_slot.items()}
    for member, promise in list(trying.promises.items()):
        votes = tuple(vote for vote in promise.votes if kept[vote.slot] is vote)
        trying.promises[member] = structs.replace(promise, votes=votes)


def _start_polling(patch: pytest.MonkeyPatch, keep: Callable[[list[Vote]], Vote | None]) -> None:
    original = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        _with_votes(trying, keep)
        original(self, trying)

    patch.setattr(President, "_start_polling", start_polling)


def lowest_vote_wins(patch: pytest.MonkeyPatch) -> None:
    """Step 3: the earliest of the reported votes is proposed again."""
    _start_polling(patch, lambda votes: votes[0])


def reported_votes_ignored(patch: pytest.MonkeyPatch) -> None:
    """Step 3: a new president proposes what it likes."""
    _start_polling(patch, lambda votes: None)


def gap_left_open(patch: pytest.MonkeyPatch) -> None:
    """Section 3.1: no olive-day decree fills a gap, and nothing else does."""
    original = President._begin

    def begin(self: President, slip: Polling, slot: Slot, decree: Decree) -> None:
        if decree != NOOP:
            original(self, slip, slot, decree)

    patch.setattr(President, "_begin", begin)


def short_vote_quorum(patch: pytest.MonkeyPatch) -> None:
    """Step 5: half of the members, rounded down, are enough."""
    patch.setattr(Majority, "is_vote_quorum", lambda self, present: len(present) >= max(1, len(self.members) // 2))


def short_promise_quorum(patch: pytest.MonkeyPatch) -> None:
    """Step 3: half of the members, rounded down, are enough."""
    patch.setattr(Majority, "is_promise_quorum", lambda self, present: len(present) >= max(1, len(self.members) // 2))


def late_outcomes_not_reported(patch: pytest.MonkeyPatch) -> None:
    """Step 2: outcomes beyond the first gap are left out of ``LastVote``."""
    patch.setattr(Ledger, "passed_ahead", lambda self: ())


def claims_under_the_wrong_ballot(patch: pytest.MonkeyPatch) -> None:
    """Step 6: what a follower knows to have passed is taken for what our own ballot proposed."""
    original = President.on_present

    def on_present(self: President, sender: NodeId, message: Present) -> None:
        original(self, sender, message)
        self._archive.on_claim(sender, message.ballot, message.passed_until)

    patch.setattr(President, "on_present", on_present)


def votes_of_any_ballot_pass(patch: pytest.MonkeyPatch) -> None:
    """Step 6: on the word of one president, votes of every ballot become outcomes."""
    original = Archive.on_claim

    def on_claim(self: Archive, sender: NodeId, ballot: Any, passed_until: Slot) -> None:
        for slot in sorted(self._ledger.votes):
            if slot < passed_until:
                original(self, sender, self._ledger.votes[slot].ballot, Slot(slot + 1))
        original(self, sender, ballot, passed_until)

    patch.setattr(Archive, "on_claim", on_claim)


def read_without_a_roll_call(patch: pytest.MonkeyPatch) -> None:
    """Reads: a president answers from what it knows, without asking whether it still presides."""
    patch.setattr(Roll, "_is_answered", lambda self, slip, roll_call: True)


def read_before_recovery(patch: pytest.MonkeyPatch) -> None:
    """Reads: a new president answers before it knows everything that passed before it."""
    original = Roll._put_questions

    def put_questions(self: Roll, slip: Polling, tokens: list[int]) -> None:
        recovered_until, slip.recovered_until = slip.recovered_until, Slot(1)
        original(self, slip, tokens)
        slip.recovered_until = recovered_until

    patch.setattr(Roll, "_put_questions", put_questions)


def forwards_begun_twice(patch: pytest.MonkeyPatch) -> None:
    """The host: a repeated forward is taken for a new one."""
    original = Incoming.receive

    def receive(self: Incoming, sender: NodeId, message: Any, presiding: Any) -> Any:
        for origin in self._origins.values():
            origin.taken.clear()
        return original(self, sender, message, presiding)

    patch.setattr(Incoming, "receive", receive)


def stamps_from_the_clock_alone(patch: pytest.MonkeyPatch) -> None:
    """Section 3.3.3: a decree carries its proposer's clock, whatever came before."""
    original = President.propose

    def propose(self: President, commands: tuple[bytes, ...], wall_ms: int) -> None:
        if isinstance(self.slip, Polling):
            self.slip.stamp_ms = 0
        original(self, commands, wall_ms)

    patch.setattr(President, "propose", propose)
