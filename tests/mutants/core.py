"""Mutants of the core, part one: ballots, promises, votes and what follows from them (sections 2.2, 2.3 and 3.1)."""

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from msgspec import structs

from paxon.core.archive import Archive
from paxon.core.decree import NO_BALLOT, NOOP, Ballot, Decree, NodeId, Slot
from paxon.core.effects import NOTHING
from paxon.core.ledger import Ledger, PromisedBallot, Record, TriedBallot, Vote
from paxon.core.legislator import Legislator
from paxon.core.messages import BeginBallot, LastVote, Message, NextBallot, Present, Success, Superseded, Voted
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roster import ROSTER_LAG, Flexible, Majority, Roster, Weighted
from paxon.core.slip import Polling, Trying
from paxon.core.voter import Voter
from paxon.errors import ConfigurationError
from tests.mutants.mutant import Patch, mutant

# --- what must be durable before it is said ---


def _leaves_at_once(patch: Patch, kind: type) -> None:
    send, send_all = Pen.send, Pen.send_all

    def hasty_send(self: Pen, to: NodeId, message: Message, after: int = NOTHING) -> None:
        send(self, to, message, NOTHING if isinstance(message, kind) else after)

    def hasty_send_all(self: Pen, recipients: Iterable[NodeId], message: Message, after: int = NOTHING) -> None:
        send_all(self, recipients, message, NOTHING if isinstance(message, kind) else after)

    patch.replace(Pen, "send", hasty_send)
    patch.replace(Pen, "send_all", hasty_send_all)


@mutant("2.3 step 2; I7", "tests/paper/test_2_3_basic.py::test_what_a_letter_says_is_durable_before_it_leaves")
def promise_sent_before_durable(patch: Patch) -> None:
    """A promise leaves before it is durable."""
    _leaves_at_once(patch, LastVote)


@mutant("2.3 step 4; I7", "tests/core/test_legislator.py::test_a_repeated_answer_waits_for_the_record_as_well")
def vote_sent_before_durable(patch: Patch) -> None:
    """A vote leaves before it is durable."""
    _leaves_at_once(patch, Voted)


@mutant("2.3 step 1; I2, I7", "tests/core/test_president.py::test_trying_is_durable_before_anybody_hears_of_it")
def ballot_number_sent_before_durable(patch: Patch) -> None:
    """A ballot number leaves before it is durable, so a crash may forget that it was used."""
    _leaves_at_once(patch, NextBallot)


def _never_written(patch: Patch, kind: type, instead: Callable[[Ledger, Any], None]) -> None:
    write = Pen.write

    def forgetful(self: Pen, record: Record) -> None:
        if isinstance(record, kind):
            instead(self.ledger, record)
        else:
            write(self, record)

    patch.replace(Pen, "write", forgetful)


@mutant("2.3 step 2; I7", "tests/paper/test_2_3_basic.py::test_step_2_promises_at_and_above_the_promise")
def promise_forgotten(patch: Patch) -> None:
    """A promise is given and not written down."""
    _never_written(patch, PromisedBallot, lambda ledger, record: None)


@mutant("2.3 step 1; B1, I2", "tests/core/test_president.py::test_trying_is_durable_before_anybody_hears_of_it")
def ballot_number_not_kept(patch: Patch) -> None:
    """The ballot last tried is only in memory, so a later life may use its number again."""

    def in_memory_only(ledger: Ledger, record: TriedBallot) -> None:
        ledger.last_tried = record.ballot

    _never_written(patch, TriedBallot, in_memory_only)


@mutant(
    "core.effects.Letter; I5",
    "tests/core/test_president.py::test_it_passes_with_the_vote_that_completes_a_quorum",
)
def own_vote_counted_before_durable(patch: Patch) -> None:
    """A president counts its own vote as soon as it begins a ballot."""
    begin = President._begin

    def sure_of_itself(self: President, slip: Polling, slot: Slot, decree: Decree) -> None:
        begin(self, slip, slot, decree)
        slip.open[slot].voters.add(self._pen.me)

    patch.replace(President, "_begin", sure_of_itself)


# --- promises and votes ---


@mutant("2.3 step 4; I7", "tests/paper/test_2_3_basic.py::test_a_promise_is_for_every_ballot_below")
def vote_below_promise(patch: Patch) -> None:
    """A member votes in a ballot below its promise."""
    vote, write = Voter.on_begin_ballot, Ledger.write

    def faithless(self: Voter, sender: NodeId, message: BeginBallot) -> None:
        ledger = self._ledger
        promised, latest = ledger.next_ballot, ledger.votes.get(message.slot)
        if latest is None or latest.ballot <= message.ballot:
            ledger.next_ballot = min(promised, message.ballot)
        vote(self, sender, message)
        ledger.next_ballot = max(promised, ledger.next_ballot)

    def tolerant(self: Ledger, record: Record) -> None:
        # A later life replays such a vote; the ledger's own check would only say that it is too late.
        promised = self.next_ballot
        if isinstance(record, Vote):
            self.next_ballot = min(promised, record.ballot)
        write(self, record)
        self.next_ballot = max(promised, self.next_ballot)

    patch.replace(Voter, "on_begin_ballot", faithless)
    patch.replace(Ledger, "write", tolerant)


@mutant(
    "appendix A1, nextBal > prevBal; I7",
    "tests/core/test_voter.py::test_a_promise_is_repeated_until_we_vote_in_its_ballot",
)
def promise_repeated_after_a_vote(patch: Patch) -> None:
    """A promise is given again after a vote in its ballot took the place of the one to report."""
    answer = Voter.on_next_ballot

    def blurt(self: Voter, sender: NodeId, message: NextBallot) -> None:
        votes = self._ledger.votes
        self._ledger.votes = {slot: vote for slot, vote in votes.items() if vote.ballot != message.ballot}
        answer(self, sender, message)
        self._ledger.votes = votes

    patch.replace(Voter, "on_next_ballot", blurt)


@mutant(
    "3.1; docs/protocol.md",
    "tests/core/test_voter.py::test_of_what_passed_the_contiguous_part_may_be_cut_but_not_what_lies_ahead",
)
def late_outcomes_not_reported(patch: Patch) -> None:
    """Outcomes beyond the first gap are left out of ``LastVote``."""
    patch.replace(Ledger, "passed_ahead", lambda self: ())


@mutant("2.4: the unnamed notice", "tests/paper/test_2_2_preliminary.py::test_whoever_asks_in_vain_is_told")
def old_ballots_answered_with_silence(patch: Patch) -> None:
    """Who uses an old ballot is not told which one to outbid."""

    def silent(self: Pen, to: NodeId, message: Message, after: int = NOTHING) -> None:
        if not isinstance(message, Superseded):
            send(self, to, message, after)

    send = Pen.send
    patch.replace(Pen, "send", silent)


# --- what a president proposes ---


def _considers(patch: Patch, keep: Callable[[list[tuple[NodeId, Vote]]], Vote | None]) -> None:
    """Of the reported votes in each slot, step 3 sees the one to ``keep``."""
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

    patch.replace(President, "_start_polling", start_polling)


@mutant("2.3 step 3; B3", "tests/core/test_president.py::test_the_highest_vote_wins_slot_by_slot")
def lowest_vote_wins(patch: Patch) -> None:
    """The earliest of the reported votes is proposed again."""
    _considers(patch, lambda votes: min((vote for _, vote in votes), key=lambda vote: vote.ballot))


@mutant(
    "2.3 step 3 over all responders (erratum E1); B3",
    "tests/paper/test_errata.py::test_e1_our_quorum_is_everyone_whose_vote_was_looked_at",
)
def one_responder_listened_to(patch: Patch) -> None:
    """There is no maximum over the responders: the vote of the first name counts."""
    _considers(patch, lambda votes: min(votes, key=lambda reported: reported[0])[1])


@mutant("2.3 step 3; B3", "tests/core/test_president.py::test_a_vote_of_any_responder_forces_its_decree")
def reported_votes_ignored(patch: Patch) -> None:
    """A new president proposes what it likes."""
    _considers(patch, lambda votes: None)


@mutant("3.1", "tests/core/test_president.py::test_gaps_get_no_ops_before_anything_new")
def gap_left_open(patch: Patch) -> None:
    """No olive-day decree fills a gap, and nothing else does."""
    begin = President._begin

    def fills_nothing(self: President, slip: Polling, slot: Slot, decree: Decree) -> None:
        if decree != NOOP:
            begin(self, slip, slot, decree)

    patch.replace(President, "_begin", fills_nothing)


@mutant("3.1; B1", "tests/core/test_president.py::test_a_forced_slot_that_is_known_by_now_is_not_begun")
def known_forced_slot_begun(patch: Patch) -> None:
    """A forced slot is begun although its outcome became known meanwhile."""
    follow_up = President.follow_up

    def begins_all(self: President) -> None:
        slip = self.slip
        for slot, decree in slip.forced if isinstance(slip, Polling) else ():
            if isinstance(slip, Polling) and self._ledger.knows(slot) and slot not in slip.open:
                self._begin(slip, slot, decree)
        follow_up(self)

    patch.replace(President, "follow_up", begins_all)


@mutant(
    "3.3.6; core.roster.ROSTER_LAG",
    "tests/core/test_president.py::test_no_slot_is_begun_before_the_law_that_governs_it_is_known",
)
def window_one_wider(patch: Patch) -> None:
    """A slot is begun one decree too early: the law that says who votes in it is not known."""

    def may_begin(self: President, slip: Polling, slot: Slot) -> bool:
        quorum = self._rosters.of(slot).is_promise_quorum(slip.promised)
        return slot <= self._ledger.passed_until + ROSTER_LAG and quorum

    patch.replace(President, "_may_begin", may_begin)


@mutant("3.3.3", "tests/core/test_president.py::test_stamps_never_run_backwards_within_a_ballot")
def stamps_from_the_clock_alone(patch: Patch) -> None:
    """A decree carries its proposer's clock, whatever stamps came before."""
    propose = President.propose

    def forgetful(self: President, commands: tuple[bytes, ...], wall_ms: int) -> None:
        if isinstance(self.slip, Polling):
            self.slip.stamp_ms = 0
        propose(self, commands, wall_ms)

    patch.replace(President, "propose", forgetful)


# --- what is counted ---


def _half(self: Majority, present: AbstractSet[NodeId]) -> bool:
    return sum(member in present for member in self.members) >= max(1, len(self.members) // 2)


@mutant("2.2; B2", "tests/core/test_roster.py::test_a_majority_is_more_than_half")
def short_vote_quorum(patch: Patch) -> None:
    """Half of the members, rounded down, pass a decree."""
    patch.replace(Majority, "is_vote_quorum", _half)


@mutant("2.2; B2, I5", "tests/core/test_roster.py::test_a_majority_is_more_than_half")
def short_promise_quorum(patch: Patch) -> None:
    """The promises of half of the members, rounded down, start a ballot."""
    # The shipped rule counts votes as it counts promises; votes are still counted well.
    patch.replace(Majority, "is_vote_quorum", Majority.is_promise_quorum)
    patch.replace(Majority, "is_promise_quorum", _half)


@mutant("2.2: fat priests", "tests/core/test_roster.py::test_weight_and_not_heads_decides")
def weights_ignored(patch: Patch) -> None:
    """More than half of the heads pass a decree, whatever they weigh."""

    def by_heads(self: Weighted, present: AbstractSet[NodeId]) -> bool:
        return 2 * sum(member in present for member in self.weights) > len(self.weights)

    patch.replace(Weighted, "is_vote_quorum", by_heads)


@mutant("2.2: fat priests", "tests/core/test_roster.py::test_weight_and_not_heads_decides")
def weights_of_promises_ignored(patch: Patch) -> None:
    """The promises of more than half of the heads start a ballot, whatever they weigh."""

    def by_heads(self: Weighted, present: AbstractSet[NodeId]) -> bool:
        return 2 * sum(member in present for member in self.weights) > len(self.weights)

    patch.replace(Weighted, "is_vote_quorum", Weighted.is_promise_quorum)
    patch.replace(Weighted, "is_promise_quorum", by_heads)


@mutant("B2; core.roster.Flexible", "tests/core/test_roster.py::test_bad_rosters_are_refused")
def flexible_quorums_need_not_meet(patch: Patch) -> None:
    """Two quorum sizes are accepted whose sum is the number of members."""

    def members_only(self: Roster) -> None:
        if not self.members or len(set(self.members)) != len(self.members):
            raise ConfigurationError("a roster needs at least one member, each named once")

    # msgspec looks this method up once, when the class is made.
    patch.replace_body(Roster.__post_init__, members_only)


@mutant("B2; core.roster.Flexible", "tests/core/test_roster.py::test_flexible_sizes_are_counted_apart")
def flexible_vote_quorum_one_short(patch: Patch) -> None:
    """With flexible quorums, one vote fewer than agreed passes a decree."""

    def one_short(self: Flexible, present: AbstractSet[NodeId]) -> bool:
        return sum(member in present for member in self.members) >= self.votes - 1

    patch.replace(Flexible, "is_vote_quorum", one_short)


@mutant("2.3 step 3; I4", "tests/core/test_president.py::test_promises_for_other_ballots_do_not_count")
def promise_of_another_ballot_counted(patch: Patch) -> None:
    """A promise that comes late, for an earlier ballot of ours, counts for this one."""
    count = President.on_last_vote

    def undiscerning(self: President, sender: NodeId, message: LastVote) -> None:
        slip = self.slip
        count(self, sender, structs.replace(message, ballot=slip.ballot) if slip else message)

    patch.replace(President, "on_last_vote", undiscerning)


@mutant("2.3 step 5; I5", "tests/core/test_president.py::test_signs_of_life_in_another_ballot_do_not")
def vote_of_another_ballot_counted(patch: Patch) -> None:
    """A vote that comes late, in an earlier ballot of ours, counts for this one."""
    count = President.on_voted

    def undiscerning(self: President, sender: NodeId, message: Voted) -> None:
        slip = self.slip
        count(self, sender, structs.replace(message, ballot=slip.ballot) if slip else message)

    patch.replace(President, "on_voted", undiscerning)


@mutant("B1; docs/protocol.md", "tests/core/test_legislator.py::test_what_only_the_owner_of_a_ballot_may_say")
def anybody_conducts_any_ballot(patch: Patch) -> None:
    """Messages of a ballot are taken from members that do not own it."""
    patch.replace(Legislator, "_require_owner", staticmethod(lambda sender, ballot: None))


# --- what passed ---


@mutant(
    "step 6; core.president.President.on_present",
    "tests/sim/test_script.py::test_what_a_follower_knows_to_have_passed_need_not_be_what_its_president_proposed",
)
def claims_under_the_wrong_ballot(patch: Patch) -> None:
    """What a follower knows to have passed is taken for what our own ballot proposed."""
    on_present = President.on_present

    def credulous(self: President, sender: NodeId, message: Present) -> None:
        on_present(self, sender, message)
        self._archive.on_claim(sender, message.ballot, message.passed_until)

    patch.replace(President, "on_present", credulous)


@mutant("step 6; I1", "tests/core/test_voter.py::test_only_votes_of_the_very_ballot_pass_on_its_president_s_word")
def votes_of_any_ballot_pass(patch: Patch) -> None:
    """Whoever says that a slot has passed is taken to speak of the vote that is here."""
    on_claim = Archive.on_claim

    def credulous(self: Archive, sender: NodeId, ballot: Ballot, passed_until: Slot) -> None:
        for slot, vote in sorted(self._ledger.votes.items()):
            if slot < passed_until:
                on_claim(self, sender, vote.ballot, Slot(slot + 1))
        on_claim(self, sender, ballot, passed_until)

    patch.replace(Archive, "on_claim", credulous)


@mutant("step 6; I7", "tests/core/test_president.py::test_another_decree_than_ours_ends_the_ballot_at_once")
def foreign_decree_does_not_end_the_ballot(patch: Patch) -> None:
    """A president goes on claiming after a decree passed that it did not propose."""
    close = President._close_passed

    def close_passed(self: President, slip: Polling) -> bool:
        close(self, slip)
        return True

    patch.replace(President, "_close_passed", close_passed)


# --- what the errata and gaps of the paper leave open; docs/plays.md ---


@mutant("erratum E2", "tests/core/test_ledger.py::test_a_vote_is_a_promise_too")
def vote_makes_no_promise(patch: Patch) -> None:
    """A vote above the promise leaves the promise where it was."""
    original = Ledger.write

    def write(self: Ledger, record: Record) -> None:
        next_ballot = self.next_ballot
        original(self, record)
        if isinstance(record, Vote):
            self.next_ballot = next_ballot

    patch.replace(Ledger, "write", write)


@mutant("erratum E2", "tests/core/test_voter.py::test_a_promise_is_repeated_until_we_vote_in_its_ballot")
def equal_question_ignored(patch: Patch) -> None:
    """A second ``NextBallot`` of the same number is ignored, as section 2.3 has it."""
    original = Voter.on_next_ballot

    def on_next_ballot(self: Voter, sender: NodeId, message: NextBallot) -> None:
        if message.ballot != self._ledger.next_ballot:
            original(self, sender, message)

    patch.replace(Voter, "on_next_ballot", on_next_ballot)


@mutant("erratum E6", "tests/core/test_voter.py::test_a_promise_tells_the_highest_stamp_seen_in_what_it_leaves_out_too")
def null_vote_taken_for_a_vote(patch: Patch) -> None:
    """A member that never voted reports a vote for a no-op in the lowest ballot of all."""
    original = Ledger.votes_from

    def votes_from(self: Ledger, slot: Slot) -> tuple[Vote, ...]:
        return original(self, slot) or (Vote(slot, NO_BALLOT, NOOP),)

    patch.replace(Ledger, "votes_from", votes_from)


@mutant("erratum E9", "tests/paper/test_errata.py::test_e9_step_4_is_refused_where_the_copies_lost_a_slash")
def step_4_without_its_slash(patch: Patch) -> None:
    """``BeginBallot`` is ignored when it is for the very ballot that was promised."""
    original = Voter.on_begin_ballot

    def on_begin_ballot(self: Voter, sender: NodeId, message: BeginBallot) -> None:
        if message.ballot != self._ledger.next_ballot:
            original(self, sender, message)

    patch.replace(Voter, "on_begin_ballot", on_begin_ballot)


@mutant("gap G15", "tests/core/test_ledger.py::test_an_outcome_takes_the_place_of_a_vote")
def vote_outlives_its_slot(patch: Patch) -> None:
    """A vote stays in the ledger when another decree has passed in its slot."""
    original = Ledger._enter

    def enter(self: Ledger, slot: Slot, decree: Decree) -> None:
        vote = self.votes.get(slot)
        original(self, slot, decree)
        if vote is not None and vote.decree != decree:
            self.votes[slot] = vote

    patch.replace(Ledger, "_enter", enter)


@mutant(
    "erratum E1, as printed",
    "tests/plays/test_plays.py::test_a_play_ends_as_it_says[e1_whoever_was_looked_at_is_in_the_quorum]",
)
def choice_over_more_than_the_quorum(patch: Patch) -> None:
    """The latest vote of everybody who answered is chosen, while the quorum is some of them."""
    # Where there is a vote to choose, one answer more than a quorum is waited for, so that somebody is in the one set
    # and not in the other.
    original = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        quorum = list(trying.promises)
        if any(promise.votes for promise in trying.promises.values()):
            quorum.pop()
        if self._rosters.of(self._ledger.passed_until).is_promise_quorum(set(quorum)):
            original(self, trying)
            if isinstance(self.slip, Polling):
                self.slip.promised = frozenset(quorum)

    patch.replace(President, "_start_polling", start_polling)


@mutant("erratum E10", "tests/core/test_president.py::test_it_passes_with_the_vote_that_completes_a_quorum")
def letters_counted_for_voters(patch: Patch) -> None:
    """A second ``Voted`` of one member counts for another one."""
    original = President.on_voted

    def on_voted(self: President, sender: NodeId, message: Voted) -> None:
        if isinstance(self.slip, Polling) and (open_ := self.slip.open.get(message.slot)) is not None:
            others = (member for member in self._electorate() if member not in open_.voters)
            sender = next(others) if sender in open_.voters else sender
        original(self, sender, message)

    patch.replace(President, "on_voted", on_voted)


@mutant("gap G8", "tests/core/test_president.py::test_slots_that_passed_elsewhere_are_fetched_and_not_voted_on")
def watermark_ignored(patch: Patch) -> None:
    """A new president looks at votes and decrees alone, and not at how far the others say everything has passed."""
    original = President._start_polling

    def start_polling(self: President, trying: Trying) -> None:
        for member, promise in trying.promises.items():
            trying.promises[member] = structs.replace(promise, passed_until=self._ledger.passed_until)
        original(self, trying)

    patch.replace(President, "_start_polling", start_polling)


@mutant("3.2.2", "tests/core/test_president.py::test_news_waits_from_the_first_decree_that_passed")
def success_sent_at_once(patch: Patch) -> None:
    """News of what passed waits for no letter to ride on."""
    original = President.follow_up

    def follow_up(self: President) -> None:
        original(self)
        if isinstance(self.slip, Polling) and self.slip.told_until < self._ledger.passed_until:
            self.slip.told(self._ledger.passed_until)
            self._pen.send_all(self._others(), Success(self.slip.ballot, self._ledger.passed_until, ()))

    patch.replace(President, "follow_up", follow_up)


@mutant("3.2.2; gap G14", "tests/paper/test_3_2_protocol_properties.py::test_the_president_s_own_disk_delays_nobody")
def begin_ballot_waits_for_the_disk(patch: Patch) -> None:
    """The president writes its own vote before it asks the others for theirs."""
    original = Pen.send_all

    def send_all(self: Pen, recipients: Iterable[NodeId], message: Message, after: int = NOTHING) -> None:
        original(self, recipients, message, self.ledger.line + 1 if isinstance(message, BeginBallot) else after)

    patch.replace(Pen, "send_all", send_all)


@mutant("3.1", "tests/core/test_voter.py::test_a_promise_reports_what_the_asker_lacks_and_nothing_else")
def outcomes_left_out_of_the_promise(patch: Patch) -> None:
    """``LastVote`` brings no decrees."""
    original = Pen.send

    def send(self: Pen, to: NodeId, message: Message, after: int = NOTHING) -> None:
        if isinstance(message, LastVote):
            message = structs.replace(message, outcomes=())
        original(self, to, message, after)

    patch.replace(Pen, "send", send)
