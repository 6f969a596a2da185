"""Single rules of the shipped code, broken one at a time, for plays to notice.

Those of the catalogue come in here and nowhere else in this directory; below are those that only plays need.
"""

from collections.abc import Callable, Iterable

import pytest
from msgspec import structs

from paxon.core.archive import Archive
from paxon.core.decree import NO_BALLOT, NOOP, Decree, NodeId, Slot
from paxon.core.effects import NOTHING
from paxon.core.ledger import Ledger, Record, Vote
from paxon.core.messages import BeginBallot, LastVote, Message, NextBallot, Success, Voted
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.slip import Polling, Trying
from paxon.core.voter import Voter
from paxon.node.host import Host
from paxon.node.proposals import Batch, Proposals
from paxon.node.requests import Requests
from paxon.sim.clock import SimClock
from tests.mutants import core, host, presidency
from tests.mutants.mutant import Mutant

Patch = pytest.MonkeyPatch

Break = Callable[[Patch], None] | Mutant


def apply(rule: Break, patch: Patch) -> None:
    """Break a rule until ``patch`` is undone."""
    if isinstance(rule, Mutant):
        rule.apply(patch)
    else:
        rule(patch)


def name_of(rule: Break) -> str:
    """A rule's name."""
    return rule.name if isinstance(rule, Mutant) else rule.__name__


ballot_number_not_kept = core.ballot_number_not_kept
ballot_number_sent_before_durable = core.ballot_number_sent_before_durable
canvass_skipped = presidency.canvass_skipped
claims_under_the_wrong_ballot = core.claims_under_the_wrong_ballot
foreign_decree_does_not_end_the_ballot = core.foreign_decree_does_not_end_the_ballot
forward_of_any_ballot_begun = host.forward_of_any_ballot_begun
forwards_begun_twice = host.forwards_begun_twice
gap_left_open = core.gap_left_open
late_outcomes_not_reported = core.late_outcomes_not_reported
lowest_vote_wins = core.lowest_vote_wins
missing_decrees_not_asked_for = presidency.missing_decrees_not_asked_for
outbox_holds_nothing = host.outbox_holds_nothing
pipeline_without_an_end = host.pipeline_without_an_end
promise_forgotten = core.promise_forgotten
promise_of_another_ballot_counted = core.promise_of_another_ballot_counted
promise_repeated_after_a_vote = core.promise_repeated_after_a_vote
promise_sent_before_durable = core.promise_sent_before_durable
read_before_recovery = presidency.read_before_recovery
read_without_a_roll_call = presidency.read_without_a_roll_call
reported_votes_ignored = core.reported_votes_ignored
short_promise_quorum = core.short_promise_quorum
short_vote_quorum = core.short_vote_quorum
stamps_from_the_clock_alone = core.stamps_from_the_clock_alone
superseded_president_stays = presidency.superseded_president_stays
unawaited_records_never_synced = host.unawaited_records_never_synced
vote_below_promise = core.vote_below_promise
vote_of_another_ballot_counted = core.vote_of_another_ballot_counted
vote_sent_before_durable = core.vote_sent_before_durable
votes_of_any_ballot_pass = core.votes_of_any_ballot_pass
weights_ignored = core.weights_ignored


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


def letters_counted_for_voters(patch: Patch) -> None:
    """E10: a second ``Voted`` of one member counts for another one."""
    original = President.on_voted

    def on_voted(self: President, sender: NodeId, message: Voted) -> None:
        if isinstance(self.slip, Polling) and (open_ := self.slip.open.get(message.slot)) is not None:
            others = (member for member in self._electorate() if member not in open_.voters)
            sender = next(others) if sender in open_.voters else sender
        original(self, sender, message)

    patch.setattr(President, "on_voted", on_voted)


def watermark_ignored(patch: Patch) -> None:
    """G8: a new president looks at votes and decrees alone, and not at how far the others say everything has passed."""
    original = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        for member, promise in trying.promises.items():
            trying.promises[member] = structs.replace(promise, passed_until=self._ledger.passed_until)
        original(self, trying)

    patch.setattr(President, "_start_polling", start_polling)


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


def batches_of_one(patch: Patch) -> None:
    """G14: every command has a decree of its own."""
    patch.setattr(Requests, "next_batch", lambda self: self._proposals.take(1))


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
