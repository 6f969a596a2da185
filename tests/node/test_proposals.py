"""Commands on their way through a leader: limits, batches, and the three ways out."""

import pytest

from paxon.core.decree import NO_BALLOT, NOOP, Ballot, Decree, NodeId, Slot
from paxon.errors import (
    ApplyFailed,
    DeadlineExceeded,
    InvariantViolation,
    NotLeader,
    OutcomeUnknown,
    Overloaded,
    RequestError,
    TooLarge,
)
from paxon.node.proposals import NO_DEADLINE_MS, Applied, Batch, Pending, Proposals
from paxon.node.settings import Limits
from tests.node.stage import Answer

B1, B2 = Ballot(1, NodeId(1)), Ballot(2, NodeId(1))
S1, S2 = Slot(1), Slot(2)


def pending(command: bytes = b"x", deadline_ms: int = 1_000) -> Pending:
    return Pending(command, Answer[Applied](), deadline_ms)


def answer(of: Pending) -> Answer[Applied]:
    assert isinstance(of.reply, Answer)
    return of.reply


def commands(pendings: list[Pending]) -> list[bytes]:
    return [one.command for one in pendings]


def decree_of(batch: Batch) -> Decree:
    return Decree(batch.ballot, 0, tuple(commands(batch.pendings)))


def filled(*texts: bytes, limits: Limits | None = None) -> Proposals:
    proposals = Proposals(limits or Limits())
    for text in texts:
        proposals.admit(text)
        proposals.add(pending(text))
    return proposals


def begun(proposals: Proposals, slot: Slot = S1, ballot: Ballot = B1) -> Batch:
    batch = Batch(ballot, proposals.take(1 << 20))
    proposals.begin(slot, batch)
    return batch


# --- limits ---


def test_a_command_may_be_as_large_as_the_limit_and_no_larger() -> None:
    proposals = Proposals(Limits(command_bytes_max=10))
    proposals.admit(b"x" * 10)
    with pytest.raises(TooLarge, match="11 bytes, the limit is 10"):
        proposals.admit(b"x" * 11)


def test_one_command_too_many_is_refused_wherever_the_others_are() -> None:
    limits = Limits(waiting_commands_max=3)
    proposals = filled(b"a", b"b", limits=limits)
    proposals.admit(b"c")
    begun(proposals)
    proposals.admit(b"c")
    with pytest.raises(Overloaded, match="3 commands"):
        proposals.admit(b"c", elsewhere=1)
    proposals.add(pending(b"c"))
    with pytest.raises(Overloaded):
        proposals.admit(b"d")


def test_bytes_count_from_admission_until_the_slot_passes() -> None:
    limits = Limits(command_bytes_max=10, waiting_bytes_max=10)
    proposals = filled(b"xxxxxx", limits=limits)
    with pytest.raises(Overloaded, match="6 bytes"):
        proposals.admit(b"yyyyy")
    batch = begun(proposals)
    with pytest.raises(Overloaded, match="6 bytes"):
        proposals.admit(b"yyyyy")
    proposals.settle(S1, decree_of(batch), [b"r"])
    proposals.admit(b"yyyyyyyyyy")
    assert len(proposals) == 0


def test_bytes_that_are_elsewhere_count() -> None:
    proposals = filled(b"xxx", limits=Limits(command_bytes_max=10, waiting_bytes_max=10))
    proposals.admit(b"yyy", 1, 4)
    with pytest.raises(Overloaded, match="7 bytes"):
        proposals.admit(b"yyyy", 1, 4)


def test_bytes_of_commands_that_come_back_count_again() -> None:
    limits = Limits(command_bytes_max=10, waiting_bytes_max=10)
    proposals = filled(b"xxxxxx", limits=limits)
    taken = proposals.take(1 << 20)
    proposals.admit(b"yyyyy")
    proposals.add_again(taken)
    with pytest.raises(Overloaded, match="6 bytes"):
        proposals.admit(b"yyyyy")
    proposals.take_all_waiting()
    proposals.admit(b"y" * 10)


# --- batches ---


def test_a_batch_takes_what_waits_in_order() -> None:
    proposals = filled(b"a", b"b", b"c")
    assert commands(proposals.take(1 << 20)) == [b"a", b"b", b"c"]
    assert not proposals.are_waiting


def test_a_batch_ends_before_the_command_that_does_not_fit() -> None:
    proposals = filled(b"aaaa", b"bbbb", b"c")
    assert commands(proposals.take(7)) == [b"aaaa"]
    assert commands(proposals.take(8)) == [b"bbbb", b"c"]


def test_a_command_larger_than_a_batch_has_one_to_itself() -> None:
    proposals = filled(b"a" * 100, b"b")
    assert commands(proposals.take(10)) == [b"a" * 100]
    assert commands(proposals.take(10)) == [b"b"]


def test_nobody_proposes_what_nobody_waits_for() -> None:
    proposals = filled(b"a", b"b")
    gone = pending(b"gone")
    answer(gone).is_cancelled = True
    proposals.add_again([gone])
    assert commands(proposals.take(2)) == [b"a", b"b"]


def test_commands_that_come_back_go_first_and_in_their_order() -> None:
    proposals = filled(b"c")
    proposals.add_again([pending(b"a"), pending(b"b")])
    assert commands(proposals.take(100)) == [b"a", b"b", b"c"]


# --- the slot passes ---


def test_our_decree_passed_and_everybody_gets_his_own_result() -> None:
    proposals = filled(b"a", b"b")
    batch = begun(proposals, Slot(7))
    failure = ApplyFailed("ValueError: no")
    assert proposals.settle(Slot(7), decree_of(batch), [b"r", failure]) == []
    first, second = batch.pendings
    assert answer(first).value == Applied(7, b"r")
    assert answer(second).error is failure
    assert (len(proposals), proposals.open_batches) == (0, 0)


@pytest.mark.parametrize(
    "passed", [NOOP, Decree(Ballot(1, NodeId(2)), 0, (b"a",)), Decree(NO_BALLOT, 0, (b"a",))], ids=["noop", "b", "none"]
)
def test_what_passed_was_not_ours_and_ours_comes_back_unanswered(passed: Decree) -> None:
    """Even if it says the same: the same bytes under another ballot are another submitter's."""
    proposals = filled(b"a")
    batch = begun(proposals)
    assert proposals.settle(S1, passed, [b"r"] * len(passed.commands)) == batch.pendings
    assert not answer(batch.pendings[0]).done()
    assert (len(proposals), proposals.open_batches) == (0, 0)


def test_a_slot_we_had_nothing_in_settles_nothing() -> None:
    proposals = filled(b"a")
    batch = begun(proposals)
    assert proposals.settle(S2, decree_of(batch), [b"r"]) == []
    assert not answer(batch.pendings[0]).done()
    assert proposals.open_batches == 1


def test_a_slot_settles_once() -> None:
    proposals = filled(b"a")
    batch = begun(proposals)
    proposals.settle(S1, decree_of(batch), [b"r"])
    assert proposals.settle(S1, NOOP, []) == []
    assert answer(batch.pendings[0]).value == Applied(1, b"r")


def test_results_that_do_not_match_our_commands_are_our_bug() -> None:
    proposals = filled(b"a", b"b")
    batch = begun(proposals)
    with pytest.raises(InvariantViolation, match="holds our commands"):
        proposals.settle(S1, decree_of(batch), [b"r"])


def test_a_submitter_that_left_is_not_answered() -> None:
    proposals = filled(b"a")
    batch = begun(proposals)
    answer(batch.pendings[0]).is_cancelled = True
    proposals.settle(S1, decree_of(batch), [b"r"])
    assert answer(batch.pendings[0]).result is None


def test_two_decrees_in_one_slot_under_one_ballot_are_our_bug() -> None:
    proposals = filled(b"a")
    begun(proposals)
    proposals.add(pending(b"b"))
    with pytest.raises(InvariantViolation, match="one decree per ballot and slot"):
        proposals.begin(S1, Batch(B1, proposals.take(100)))


@pytest.mark.parametrize("winner", [0, 1, None])
def test_of_two_batches_of_ours_in_one_slot_only_the_outcome_says_which_was_beaten(winner: int | None) -> None:
    """A vote for the first may be left somewhere, and a later president may be forced to propose it again."""
    proposals = filled(b"old")
    batches = [begun(proposals)]
    proposals.add(pending(b"new"))
    batches.append(begun(proposals, S1, B2))
    assert not any(answer(batch.pendings[0]).done() for batch in batches)
    assert len(proposals) == 2
    passed = NOOP if winner is None else decree_of(batches[winner])
    beaten = proposals.settle(S1, passed, [b"r"] * len(passed.commands))
    assert commands(beaten) == [[b"new"], [b"old"], [b"old", b"new"]][2 if winner is None else winner]
    for number, batch in enumerate(batches):
        assert answer(batch.pendings[0]).done() == (number == winner)
    assert (len(proposals), proposals.open_batches) == (0, 0)


def test_both_batches_of_ours_in_one_slot_expire_as_unknown() -> None:
    proposals = filled(b"old")
    batches = [begun(proposals)]
    proposals.add(pending(b"new"))
    batches.append(begun(proposals, S1, B2))
    proposals.expire(1_000)
    assert all(isinstance(answer(batch.pendings[0]).error, DeadlineExceeded) for batch in batches)


# --- time ---


def test_a_command_without_a_slot_expires_as_not_applied() -> None:
    proposals = Proposals(Limits())
    late, early = pending(b"late", 2_000), pending(b"early", 1_000)
    proposals.add(late)
    proposals.add(early)
    proposals.expire(999)
    assert not answer(early).done()
    proposals.expire(1_000)
    error = answer(early).error
    assert isinstance(error, NotLeader)
    assert not isinstance(error, OutcomeUnknown)
    assert not answer(late).done()
    assert commands(proposals.take(100)) == [b"late"]


def test_what_expired_is_never_proposed_and_makes_room() -> None:
    proposals = filled(b"aaaa", limits=Limits(command_bytes_max=4, waiting_bytes_max=4, waiting_commands_max=1))
    proposals.expire(1_000)
    proposals.admit(b"bbbb")
    assert proposals.take(100) == []


def test_a_command_in_a_slot_expires_as_unknown() -> None:
    proposals = filled(b"a")
    batch = begun(proposals)
    proposals.expire(1_000)
    assert isinstance(answer(batch.pendings[0]).error, DeadlineExceeded)


def test_what_nobody_waits_for_any_more_does_not_count_however_long_its_slot_stays_open() -> None:
    proposals = filled(b"a", b"b")
    begun(proposals)
    assert (len(proposals), proposals.open_batches) == (2, 1)
    proposals.expire(1_000)
    assert (len(proposals), proposals.open_batches) == (0, 0)


def test_a_slot_that_passes_after_the_deadline_changes_no_answer() -> None:
    proposals = filled(b"a")
    batch = begun(proposals)
    proposals.expire(1_000)
    assert proposals.settle(S1, decree_of(batch), [b"r"]) == []
    assert answer(batch.pendings[0]).result is None
    assert len(proposals) == 0


def test_a_command_that_comes_back_keeps_its_deadline() -> None:
    proposals = Proposals(Limits())
    proposals.expire(500)
    back = pending(b"a", 800)
    proposals.add_again([back])
    proposals.expire(800)
    assert isinstance(answer(back).error, NotLeader)


def test_each_deadline_is_met_however_they_are_ordered() -> None:
    proposals = Proposals(Limits())
    all_ = [pending(b"%d" % at, at) for at in (30, 10, 20)]
    for one in all_:
        proposals.add(one)
    for now in (10, 20, 30):
        proposals.expire(now)
        assert {one.deadline_ms for one in all_ if answer(one).done()} == {at for at in (10, 20, 30) if at <= now}


def test_abandoned_commands_in_slots_get_the_error_and_others_wait() -> None:
    proposals = filled(b"begun")
    batch = begun(proposals)
    waits = pending(b"waits")
    proposals.add(waits)
    error: RequestError = OutcomeUnknown("gone")
    proposals.abandon(error)
    assert answer(batch.pendings[0]).error is error
    assert not answer(waits).done()
    assert proposals.open_batches == 0


def test_everything_that_waits_can_be_taken_away() -> None:
    proposals = filled(b"a", b"b")
    assert commands(proposals.take_all_waiting()) == [b"a", b"b"]
    assert (len(proposals), proposals.are_waiting) == (0, False)


def test_what_another_member_waits_for_is_let_go_some_time_after_a_ballot_was_lost() -> None:
    proposals = Proposals(Limits())
    ours, theirs = pending(b"ours", 5_000), pending(b"theirs", NO_DEADLINE_MS)
    for one in (ours, theirs):
        proposals.add(one)
    begun(proposals)
    proposals.limit_open(2_000)
    proposals.expire(1_999)
    assert len(proposals) == 2
    proposals.expire(2_000)
    assert isinstance(theirs.reply, Answer)
    assert isinstance(theirs.reply.error, DeadlineExceeded)
    assert not ours.reply.done()
    proposals.expire(5_000)
    assert len(proposals) == 0
