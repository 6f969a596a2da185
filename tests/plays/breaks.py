"""Single rules of the shipped code, broken one at a time, for plays to notice.

Those of ``tests.sim.mutants`` come in here and nowhere else in this directory.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from msgspec import structs

from paxon.core.archive import Archive
from paxon.core.attendance import Attendance
from paxon.core.decree import NO_BALLOT, NOOP, Decree, NodeId, Slot
from paxon.core.effects import NOTHING
from paxon.core.ledger import Ledger, Record, Vote
from paxon.core.messages import BeginBallot, LastVote, Message, NextBallot, Success, Superseded, Voted
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roster import Weighted
from paxon.core.slip import Polling, Trying
from paxon.core.voter import Voter
from paxon.node.forwarding import Incoming
from paxon.node.host import Host
from paxon.node.proposals import Batch, Proposals
from paxon.node.requests import Requests
from paxon.sim.clock import SimClock
from tests.sim import mutants

Break = mutants.Break

Patch = pytest.MonkeyPatch

ballot_number_not_kept = mutants.ballot_number_not_kept
ballot_number_sent_before_durable = mutants.ballot_number_sent_before_durable
claims_under_the_wrong_ballot = mutants.claims_under_the_wrong_ballot
forwards_begun_twice = mutants.forwards_begun_twice
gap_left_open = mutants.gap_left_open
late_outcomes_not_reported = mutants.late_outcomes_not_reported
lowest_vote_wins = mutants.lowest_vote_wins
outbox_holds_nothing = mutants.outbox_holds_nothing
promise_forgotten = mutants.promise_forgotten
promise_sent_before_durable = mutants.promise_sent_before_durable
read_before_recovery = mutants.read_before_recovery
read_without_a_roll_call = mutants.read_without_a_roll_call
reported_votes_ignored = mutants.reported_votes_ignored
short_promise_quorum = mutants.short_promise_quorum
short_vote_quorum = mutants.short_vote_quorum
stamps_from_the_clock_alone = mutants.stamps_from_the_clock_alone
vote_below_promise = mutants.vote_below_promise
vote_sent_before_durable = mutants.vote_sent_before_durable
votes_of_any_ballot_pass = mutants.votes_of_any_ballot_pass


# --- promises and votes ---


def vote_makes_no_promise(patch: Patch) -> None:
    """E2: a vote above the promise leaves the promise where it was."""
    original = Ledger.write

    def write(self: Ledger, record: Record) -> None:
        next_ballot = self.next_ballot
        original(self, record)
        if isinstance(record, Vote):
            self.next_ballot = next_ballot

    patch.setattr(Ledger, "write", write)


def equal_question_ignored(patch: Patch) -> None:
    """E2: a second ``NextBallot`` of the same number is ignored, as section 2.3 has it."""
    original = Voter.on_next_ballot

    def on_next_ballot(self: Voter, sender: NodeId, message: NextBallot) -> None:
        if message.ballot != self._ledger.next_ballot:
            original(self, sender, message)

    patch.setattr(Voter, "on_next_ballot", on_next_ballot)


def promise_repeated_after_a_vote(patch: Patch) -> None:
    """E2: a second ``NextBallot`` is answered even after a vote in its ballot."""
    original = Voter.on_next_ballot

    def on_next_ballot(self: Voter, sender: NodeId, message: NextBallot) -> None:
        own = {slot: vote for slot, vote in self._ledger.votes.items() if vote.ballot == message.ballot}
        for slot in own:
            del self._ledger.votes[slot]
        original(self, sender, message)
        self._ledger.votes.update(own)

    patch.setattr(Voter, "on_next_ballot", on_next_ballot)


def null_vote_taken_for_a_vote(patch: Patch) -> None:
    """E6: a member that never voted reports a vote for a no-op in the lowest ballot of all."""
    original = Ledger.votes_from

    def votes_from(self: Ledger, slot: Slot) -> tuple[Vote, ...]:
        return original(self, slot) or (Vote(slot, NO_BALLOT, NOOP),)

    patch.setattr(Ledger, "votes_from", votes_from)


def step_4_without_its_slash(patch: Patch) -> None:
    """E9: ``BeginBallot`` is ignored when it is for the very ballot that was promised."""
    original = Voter.on_begin_ballot

    def on_begin_ballot(self: Voter, sender: NodeId, message: BeginBallot) -> None:
        if message.ballot != self._ledger.next_ballot:
            original(self, sender, message)

    patch.setattr(Voter, "on_begin_ballot", on_begin_ballot)


def vote_outlives_its_slot(patch: Patch) -> None:
    """G15: a vote stays in the ledger when another decree has passed in its slot."""
    original = Ledger._enter

    def enter(self: Ledger, slot: Slot, decree: Decree) -> None:
        vote = self.votes.get(slot)
        original(self, slot, decree)
        if vote is not None and vote.decree != decree:
            self.votes[slot] = vote

    patch.setattr(Ledger, "_enter", enter)


# --- conducting a ballot ---


def choice_over_more_than_the_quorum(patch: Patch) -> None:
    """E1, as printed: the latest vote of everybody who answered, while the quorum is some of them.

    Where there is a vote to choose, one answer more than a quorum is waited for, so that somebody is in the one set and
    not in the other.
    """
    original = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        quorum = list(trying.promises)
        if any(promise.votes for promise in trying.promises.values()):
            quorum.pop()
        if self._rosters.of(self._ledger.passed_until).is_promise_quorum(set(quorum)):
            original(self, trying)
            if isinstance(self.slip, Polling):
                self.slip.promised = frozenset(quorum)

    patch.setattr(President, "_start_polling", start_polling)


def vote_of_another_ballot_counted(patch: Patch) -> None:
    """E10: a vote counts for the ballot under way, whatever ballot it was cast in."""
    original = President.on_voted

    def on_voted(self: President, sender: NodeId, message: Voted) -> None:
        if isinstance(self.slip, Polling):
            message = structs.replace(message, ballot=self.slip.ballot)
        original(self, sender, message)

    patch.setattr(President, "on_voted", on_voted)


def letters_counted_for_voters(patch: Patch) -> None:
    """E10: a second ``Voted`` of one member counts for another one."""
    original = President.on_voted

    def on_voted(self: President, sender: NodeId, message: Voted) -> None:
        if isinstance(self.slip, Polling) and (open_ := self.slip.open.get(message.slot)) is not None:
            others = (member for member in self._electorate() if member not in open_.voters)
            sender = next(others) if sender in open_.voters else sender
        original(self, sender, message)

    patch.setattr(President, "on_voted", on_voted)


def promise_of_another_ballot_counted(patch: Patch) -> None:
    """Section 2.3: an answer to an older ``NextBallot`` counts for the ballot under way."""
    original = President.on_last_vote

    def on_last_vote(self: President, sender: NodeId, message: LastVote) -> None:
        if isinstance(self.slip, Trying):
            message = structs.replace(message, ballot=self.slip.ballot)
        original(self, sender, message)

    patch.setattr(President, "on_last_vote", on_last_vote)


def superseded_president_stays(patch: Patch) -> None:
    """Section 2.4: a president that is told of a higher promise goes on."""

    def on_superseded(self: President, message: Superseded) -> None:
        pass

    patch.setattr(President, "on_superseded", on_superseded)


def foreign_decree_does_not_end_the_ballot(patch: Patch) -> None:
    """Section 3.1: a president that hears of a decree it never proposed goes on."""

    def close_passed(self: President, slip: Polling) -> bool:
        for slot in [slot for slot in slip.open if self._ledger.knows(slot)]:
            del slip.open[slot]
        return True

    patch.setattr(President, "_close_passed", close_passed)


def watermark_ignored(patch: Patch) -> None:
    """G8: a new president looks at votes and decrees alone, and not at how far the others say everything has passed."""
    original = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        for member, promise in trying.promises.items():
            trying.promises[member] = structs.replace(promise, passed_until=self._ledger.passed_until)
        original(self, trying)

    patch.setattr(President, "_start_polling", start_polling)


def weights_ignored(patch: Patch) -> None:
    """Section 2.2: heads are counted where weights are meant."""

    def is_promise_quorum(self: Weighted, present: Any) -> bool:
        return 2 * len(set(self.members) & set(present)) > len(self.members)

    patch.setattr(Weighted, "is_promise_quorum", is_promise_quorum)


# --- letters ---


def success_sent_at_once(patch: Patch) -> None:
    """Section 3.2.2: news of what passed waits for no letter to ride on."""
    original = President.follow_up

    def follow_up(self: President) -> None:
        original(self)
        if isinstance(self.slip, Polling) and self.slip.told_until < self._ledger.passed_until:
            self.slip.told(self._ledger.passed_until)
            self._pen.send_all(self._others(), Success(self.slip.ballot, self._ledger.passed_until, ()))

    patch.setattr(President, "follow_up", follow_up)


def begin_ballot_waits_for_the_disk(patch: Patch) -> None:
    """Section 3.2.2, G14: the president writes its own vote before it asks the others for theirs."""
    original = Pen.send_all

    def send_all(self: Pen, recipients: Iterable[NodeId], message: Message, after: int = NOTHING) -> None:
        original(self, recipients, message, self.ledger.line + 1 if isinstance(message, BeginBallot) else after)

    patch.setattr(Pen, "send_all", send_all)


def outcomes_left_out_of_the_promise(patch: Patch) -> None:
    """Section 3.1: ``LastVote`` brings no decrees."""
    original = Pen.send

    def send(self: Pen, to: NodeId, message: Message, after: int = NOTHING) -> None:
        if isinstance(message, LastVote):
            message = structs.replace(message, outcomes=())
        original(self, to, message, after)

    patch.setattr(Pen, "send", send)


def nothing_handed_out(patch: Patch) -> None:
    """Section 3.1: nobody is sent what it lacks."""
    patch.setattr(Archive, "hand_out", lambda self, to, from_slot: None)


def missing_decrees_not_asked_for(patch: Patch) -> None:
    """Section 3.1, G9: a member that lacks decrees waits for somebody to bring them."""
    patch.setattr(Archive, "_ask", lambda self: setattr(self, "_ask_at_ms", None))


def canvass_skipped(patch: Patch) -> None:
    """Section 3.3.1: whoever hears of no president stands at once."""
    patch.setattr(Attendance, "_ask_around", Attendance._stand)


def applied_as_it_is_learned(patch: Patch) -> None:
    """Section 3.3.2: a decree is applied when it is learned, whatever lies before it."""
    original = Pen.learn

    def learn(self: Pen, slot: Slot, decree: Decree) -> None:
        is_news = not self.ledger.knows(slot)
        original(self, slot, decree)
        if is_news and slot >= self.ledger.passed_until:
            self.effects.passed.append((slot, decree))

    patch.setattr(Pen, "learn", learn)


# --- the host ---


def failed_sync_shrugged_off(patch: Patch) -> None:
    """G2: a sync that failed is taken for one that went well."""

    def on_sync_failed(self: Host, error: OSError) -> None:
        self._on_synced(self.legislator.ledger.line)

    patch.setattr(Host, "_on_sync_failed", on_sync_failed)


def unawaited_records_never_synced(patch: Patch) -> None:
    """What no letter waits for is never made durable."""
    patch.setattr(Host, "_sync_lazily", lambda self: None)


def pipeline_without_an_end(patch: Patch) -> None:
    """G13: a president opens as many slots as there are commands."""

    def may_propose(self: Host) -> bool:
        return self._requests.are_waiting and self.legislator.may_propose

    patch.setattr(Host, "_may_propose", may_propose)


def batches_of_one(patch: Patch) -> None:
    """G14: every command has a decree of its own."""
    patch.setattr(Requests, "next_batch", lambda self: self._proposals.take(1))


def forward_of_any_ballot_begun(patch: Patch) -> None:
    """G4: a president takes a request meant for another of its terms."""
    original = Incoming.receive

    def receive(self: Incoming, sender: NodeId, message: Any, presiding: Any) -> Any:
        return original(self, sender, message, message.ballot if presiding else None)

    patch.setattr(Incoming, "receive", receive)


def requests_not_passed_on(patch: Patch) -> None:
    """Section 3.2.2: requests given to a member that does not preside stay there."""
    patch.setattr(Requests, "forward", lambda self, leader: None)


def beaten_by_our_own_next_ballot(patch: Patch) -> None:
    """A decree is given up as soon as its proposer proposes another one in its slot."""
    original = Proposals.begin

    def begin(self: Proposals, slot: Slot, batch: Batch) -> None:
        earlier = self._open.pop(slot, [])
        original(self, slot, batch)
        for beaten in earlier:
            self._count(beaten, -1)
            self.add_again(beaten.pendings)

    patch.setattr(Proposals, "begin", begin)


def hourglass_follows_the_wall_clock(patch: Patch) -> None:
    """G23: time that passes is read off a clock that people may set.

    Only forward: set back, a deadline that a timer has come for would lie ahead again, and the timer fire for ever.
    """
    original = SimClock.monotonic_ms
    patch.setattr(SimClock, "monotonic_ms", lambda self: original(self) + max(0, self._quartz.wall_error_ms))
