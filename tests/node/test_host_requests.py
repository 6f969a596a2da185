"""What becomes of requests: limits, forwarding, changes of leader, reads, and a stop."""

from typing import Any

import pytest

from paxon.core.decree import Ballot, Slot
from paxon.core.messages import BeginBallot, HandOver, NextBallot, Presence, Success, Voted
from paxon.core.timing import Timing
from paxon.errors import (
    ApplyFailed,
    Behind,
    DeadlineExceeded,
    LeadershipLost,
    NotLeader,
    OutcomeUnknown,
    Overloaded,
    Stopping,
    TooLarge,
)
from paxon.node.consistency import LINEARIZABLE, STALE, AtLeast, Stale
from paxon.node.host import TICK_MS, URGENT
from paxon.node.letters import AskReading, Forward, ReadingAt, Refusals
from paxon.node.settings import Limits
from paxon.node.status import Role
from tests.node.stage import PATIENCE_MS, Answer, Sent, Stage, m

EVERYBODY = (1, 2, 3)


def led(by: int = 1, members: int = 3, limits: Limits | None = None, timing: Timing | None = None) -> Stage:
    """A stage with a leader that everybody knows."""
    stage = Stage(members, limits=limits, timing=timing)
    stage.elect(by)
    return stage


def run_until_answered(stage: Stage, *answers: Answer[Any]) -> None:
    stage.run_until(lambda: all(answer.done() for answer in answers))


def assert_agreed(stage: Stage, *commands: bytes) -> None:
    """Every member that lives applied just these, in one order."""
    living = [seat for seat in stage.seats.values() if seat.is_alive]
    stage.run_until(lambda: all(len(seat.machine.commands) >= len(commands) for seat in living))
    stage.run_for(2_000)
    for seat in living:
        assert sorted(seat.machine.commands) == sorted(commands)
        assert seat.machine.commands == living[0].machine.commands


# --- the ordinary way ---


@pytest.mark.parametrize("at", EVERYBODY)
def test_a_command_is_answered_wherever_it_is_submitted(at: int) -> None:
    stage = led()
    answer = stage[at].submit(b"x")
    run_until_answered(stage, answer)
    assert (answer.value.slot, answer.value.result) == (1, b"1")
    assert_agreed(stage, b"x")


def test_commands_of_one_submitter_keep_their_order() -> None:
    for at in EVERYBODY:
        stage = led()
        commands = [b"%d" % number for number in range(100)]
        run_until_answered(stage, *[stage[at].submit(command) for command in commands])
        assert_agreed(stage, *commands)
        assert stage[1].machine.commands == commands


def test_commands_that_come_before_there_is_a_leader_wait_for_one() -> None:
    stage = Stage()
    answers = [stage[at].submit(b"%d" % at) for at in EVERYBODY]
    stage.run_for(0)
    assert stage.leader is None
    run_until_answered(stage, *answers)
    assert all(answer.error is None for answer in answers)
    assert_agreed(stage, b"1", b"2", b"3")


@pytest.mark.parametrize("at", EVERYBODY)
def test_a_command_that_raises_is_a_result_for_its_submitter_alone(at: int) -> None:
    """At a follower too: the error travels like any other answer, and says that nothing changed."""
    stage = led()
    bad, good = stage[at].submit(b"raise hell"), stage[at].submit(b"good")
    run_until_answered(stage, bad, good)
    assert type(bad.error) is ApplyFailed
    assert "raise hell" in str(bad.error)
    assert good.value.result == b"1"
    assert_agreed(stage, b"good")


def test_a_lossy_network_applies_every_command_once() -> None:
    """Every third letter is lost, requests and answers alike, and every command is answered in the end."""
    stage = led()
    count = 0

    def every_third(sent: Sent) -> bool:
        nonlocal count
        count += 1
        return count % 3 == 0

    stage.is_lost = every_third
    answers = []
    for number in range(30):
        answers.append(stage[1 + number % 3].submit(b"%d" % number, timeout_ms=PATIENCE_MS))
        stage.run_for(10)
    run_until_answered(stage, *answers)
    stage.heal()
    stage.run_for(5_000)
    commands = stage[1].machine.commands
    assert len(set(commands)) == len(commands)
    assert {b"%d" % number for number in range(30) if answers[number].error is None} <= set(commands)


# --- limits ---


@pytest.mark.parametrize("at", EVERYBODY)
def test_one_command_too_many_is_refused_at_once(at: int) -> None:
    stage = led(limits=Limits(waiting_commands_max=5))
    stage.is_lost = lambda sent: isinstance(sent.message, Voted | Forward)
    for _ in range(5):
        stage[at].submit(b"x")
        stage.run_for(5)
    with pytest.raises(Overloaded):
        stage[at].submit(b"x")


@pytest.mark.parametrize("at", EVERYBODY)
def test_bytes_too_many_are_refused_at_once(at: int) -> None:
    """Also when all of them are with a leader that does not answer."""
    stage = led(limits=Limits(command_bytes_max=50, waiting_bytes_max=100))
    stage.is_lost = lambda sent: isinstance(sent.message, Voted | Forward)
    for _ in range(2):
        stage[at].submit(b"x" * 50)
        stage.run_for(5)
    with pytest.raises(Overloaded):
        stage[at].submit(b"x")


@pytest.mark.parametrize("at", EVERYBODY)
def test_a_command_that_is_too_large_is_refused_at_once(at: int) -> None:
    stage = led(limits=Limits(command_bytes_max=10))
    with pytest.raises(TooLarge):
        stage[at].submit(b"x" * 11)
    run_until_answered(stage, stage[at].submit(b"x" * 10))


@pytest.mark.parametrize("at", EVERYBODY)
def test_room_comes_back_with_every_answer(at: int) -> None:
    stage = led(limits=Limits(waiting_commands_max=5, command_bytes_max=10, waiting_bytes_max=50))
    for _ in range(20):
        answers = [stage[at].submit(b"x" * 10) for _ in range(5)]
        run_until_answered(stage, *answers)
        assert all(answer.error is None for answer in answers)


def test_an_overloaded_leader_says_so_through_the_follower() -> None:
    stage = led(limits=Limits(waiting_commands_max=3))
    stage.is_lost = lambda sent: isinstance(sent.message, Voted)
    for _ in range(3):
        stage[1].submit(b"mine")
    refused = stage[2].submit(b"one too many")
    run_until_answered(stage, refused)
    assert type(refused.error) is Overloaded
    stage.heal()
    assert_agreed(stage, b"mine", b"mine", b"mine")


def test_a_repeated_forward_is_no_larger_than_the_first() -> None:
    """All that is late goes to one ballot: in one message it might be longer than any link takes, for ever."""
    stage = led(limits=Limits(decree_bytes_max=100))
    stage.is_lost = lambda sent: isinstance(sent.message, Forward)
    for _ in range(10):
        stage[2].submit(b"x" * 60)
        stage.run_for(1)
    stage.run_for(2_000)
    forwards = [sent.message for sent in stage.sent if isinstance(sent.message, Forward)]
    assert len(forwards) > 10
    assert max(sum(len(command) for _, command in forward.commands) for forward in forwards) <= 100


# --- deadlines ---


def test_without_a_leader_a_command_ends_as_not_applied_at_its_deadline() -> None:
    stage = Stage()
    stage.isolate(*EVERYBODY)
    answer = stage[1].submit(b"x", timeout_ms=700)
    stage.run_for(699)
    assert not answer.done()
    stage.run_for(1 + TICK_MS)
    assert type(answer.error) is NotLeader
    stage.heal()
    stage.run_for(5_000)
    assert stage[1].machine.commands == []


@pytest.mark.parametrize("at", [1, 2])
def test_without_an_answer_a_command_under_way_ends_as_unknown_at_its_deadline(at: int) -> None:
    stage = led()
    stage.isolate(1)
    answer = stage[at].submit(b"x", timeout_ms=300)
    stage.run_for(299)
    assert not answer.done()
    stage.run_for(1 + TICK_MS)
    assert type(answer.error) is DeadlineExceeded


def test_a_submitter_that_leaves_while_its_command_waits_takes_it_along() -> None:
    stage = Stage()
    answer = stage[1].submit(b"x")
    answer.is_cancelled = True
    stage.elect(1)
    stage.run_for(1_000)
    assert stage[1].machine.commands == []
    assert stage[1].host.open_requests == 0


# --- the leader is lost ---


def test_commands_that_the_lost_leader_may_have_begun_end_as_unknown_and_the_others_go_on() -> None:
    """1. Member 1 leads and begins a command of member 2; its votes are lost.

    2. Member 1 dies.  A second command comes to member 2.
    3. Member 3 is elected: the first command's submitter is told that nobody knows, the second is applied.
    """
    stage = led()
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot)
    first = stage[2].submit(b"first")
    stage.run_for(10)
    stage[1].crash()
    stage.heal()
    stage[2].host.link_lost(m(1))
    second = stage[2].submit(b"second", timeout_ms=PATIENCE_MS)
    run_until_answered(stage, first, second)
    assert type(first.error) is LeadershipLost
    assert second.error is None
    assert_agreed(stage, b"second")


def test_a_command_that_a_majority_voted_for_survives_its_leader() -> None:
    """The submitter is told that nobody knows; the new leader finds the votes."""
    stage = led()
    stage.is_lost = lambda sent: isinstance(sent.message, Voted)
    answer = stage[2].submit(b"x")
    stage.run_until(lambda: stage[2].sent and isinstance(stage[2].sent[-1].message, Voted))
    stage[1].crash()
    stage.heal()
    stage[2].host.link_lost(m(1))
    run_until_answered(stage, answer)
    assert isinstance(answer.error, OutcomeUnknown)
    assert_agreed(stage, b"x")


def test_a_deposed_leader_that_lives_tells_what_became_of_forwarded_commands() -> None:
    """It learns the outcome from its successor, and so nobody needs to hear that it is unknown."""
    stage = led()
    stage.is_lost = lambda sent: isinstance(sent.message, Voted)
    answer = stage[2].submit(b"x")
    stage.run_until(lambda: any(isinstance(sent.message, Voted) for sent in stage[2].sent))
    stage.heal()
    stage.elect(3)
    run_until_answered(stage, answer)
    assert answer.value.result == b"1"
    assert_agreed(stage, b"x")


@pytest.mark.parametrize("at", [1, 2])
def test_commands_that_were_never_begun_go_on_to_the_next_leader_by_themselves(at: int) -> None:
    """1. The one slot that may be open is, and nobody votes: what comes after it waits at the leader.

    2. Member 3 takes over.  What waited is applied under it, whoever submitted it, and once.
    """
    stage = led(limits=Limits(pipeline_depth=1))
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot)
    begun = stage[1].submit(b"begun")
    stage.run_for(1)
    waits = [stage[at].submit(b"waits %d" % number) for number in range(5)]
    stage.run_for(5)
    stage.heal()
    stage.stand(3)
    run_until_answered(stage, begun, *waits)
    assert stage.leader is stage[3]
    assert all(answer.error is None for answer in waits)
    # A command that came from elsewhere goes back there: sent on from hop to hop, nobody would know where it is.
    passed_on = [sent for sent in stage[1].sent if isinstance(sent.message, Forward)]
    assert bool(passed_on) == (at == 1)
    assert_agreed(stage, b"begun", *(b"waits %d" % number for number in range(5)))


def test_a_command_whose_slot_went_to_another_decree_is_proposed_again() -> None:
    """1. Member 1 begins a command that reaches nobody, and is cut off.

    2. Member 3 takes over and passes another command in that slot.
    3. Member 1 comes back, learns that, and sends its own command to member 3.
    """
    stage = led()
    stage.isolate(1)
    lost = stage[1].submit(b"lost its slot", timeout_ms=PATIENCE_MS)
    stage.run_for(10)
    stage.stand(3)
    stage.run_until(lambda: stage[3].host.role is Role.LEADER)
    other = stage[3].submit(b"took it")
    run_until_answered(stage, other)
    assert other.value.slot == 1
    stage.heal()
    run_until_answered(stage, lost)
    assert lost.value.slot == 2
    assert_agreed(stage, b"took it", b"lost its slot")


def test_a_beaten_batch_is_not_tried_again_before_its_slot_has_passed() -> None:
    """Two ballots of one member propose in one slot, and the first proposal comes out of it in the end.

    1. Member 1 of five begins command ``old`` in slot 1; only member 2 hears of it.
    2. Member 1 loses that ballot and wins another with the promises of 3, 4 and 5, before its own promise is durable:
       nobody among them knows of ``old``, so slot 1 is free, and ``new`` is begun there.  Nobody hears of ``new``.
       Had member 1 taken ``old`` for beaten, it would have begun it again in slot 2, and member 3 would vote for it.
    3. Member 5 wins a ballot with the promises of 2 and 3.  It must propose ``old`` in slot 1.
    """
    stage = Stage(5)
    stage.elect(1)
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot) and sent.to != 2
    old = stage[1].submit(b"old", timeout_ms=PATIENCE_MS)
    stage.run_for(5)
    first = stage[1].host.leader
    assert first is not None
    stage.isolate(1, 2)
    stage[1].host.receive(m(5), NextBallot(Ballot(first.round, m(5)), Slot(1)))
    stage.run_for(1)
    assert stage[1].host.role is not Role.LEADER
    stage[1].disk.is_by_hand = True
    stage.is_lost = lambda sent: (
        2 in (sent.sender, sent.to)
        or (isinstance(sent.message, BeginBallot) and (sent.message.slot == 1 or sent.to != 3))
    )
    stage.stand(1)
    stage.run_for(0)
    stage[1].disk.complete()
    stage.run_until(lambda: stage[1].host.role is Role.LEADER)
    new = stage[1].submit(b"new", timeout_ms=PATIENCE_MS)
    stage.run_for(5)
    stage[1].disk.is_by_hand = False
    if stage[1].disk.is_syncing:
        stage[1].disk.complete()
    stage.isolate(1, 4)
    stage.stand(5)
    stage.run_until(lambda: stage[5].host.role is Role.LEADER)
    stage.run_for(50)
    stage.heal()
    run_until_answered(stage, old, new)
    assert_agreed(stage, b"old", b"new")


def test_a_member_that_does_not_know_the_new_leader_yet_does_not_ask_the_old_one_without_end() -> None:
    """The old leader refuses at once, and the way there and back takes a moment: thousands of times until the news."""
    stage = led()
    stage.is_lost = lambda sent: (
        sent.to == 2 and isinstance(sent.message, Presence | BeginBallot | Success | NextBallot)
    )
    stage.stand(3)
    stage.run_until(lambda: stage[1].host.leader == stage[3].host.leader)
    assert stage[2].host.leader != stage[1].host.leader
    answers = [stage[2].submit(b"x"), stage[2].submit(b"y")]
    reader = stage[2].read()
    since = len(stage.sent)
    stage.run_for(400)
    asked = [sent for sent in stage.sent[since:] if sent.sender == 2 and isinstance(sent.message, Forward | AskReading)]
    assert len(asked) <= 2 * (400 // TICK_MS + 1)
    stage.heal()
    run_until_answered(stage, *answers, reader)
    assert [answer.error for answer in answers] == [None, None]
    assert_agreed(stage, b"x", b"y")


def test_a_stopping_leader_is_not_asked_without_end_either() -> None:
    """It refuses forwards, and whom it asked to take over has not heard of it."""
    stage = led()
    stage.is_lost = lambda sent: isinstance(sent.message, HandOver)
    stage[1].host.stop()
    stage[2].submit(b"x")
    since = len(stage.sent)
    stage.run_for(400)
    forwards = [sent for sent in stage.sent[since:] if isinstance(sent.message, Forward)]
    assert len(forwards) <= 400 // TICK_MS + 1
    assert any(isinstance(sent.message, Refusals) for sent in stage[1].sent)


def test_an_owner_that_restarted_admits_that_it_cannot_know() -> None:
    """The forward arrived, was begun and lost with its leader; a repeat must not be taken for new, nor refused."""
    stage = led()
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot)
    answer = stage[2].submit(b"x", timeout_ms=PATIENCE_MS)
    stage.run_for(10)
    stage[1].crash()
    stage[1].start()
    stage.is_lost = lambda sent: isinstance(sent.message, BeginBallot | Presence)
    run_until_answered(stage, answer)
    assert type(answer.error) is LeadershipLost
    assert any(isinstance(sent.message, Refusals) for sent in stage[1].sent)


def test_a_restarted_member_has_everything_it_had_answered_for() -> None:
    stage = led()
    for number in range(10):
        run_until_answered(stage, stage[1].submit(b"%d" % number))
    for seat in stage.seats.values():
        seat.crash()
    for seat in stage.seats.values():
        seat.start()
    reader = stage[2].read(timeout_ms=PATIENCE_MS)
    run_until_answered(stage, reader)
    assert stage[2].machine.commands == [b"%d" % number for number in range(10)]


# --- reads ---


@pytest.mark.parametrize("at", EVERYBODY)
@pytest.mark.parametrize("written_at", EVERYBODY)
def test_a_read_sees_every_write_that_was_answered_before_it(at: int, written_at: int) -> None:
    stage = led()
    for number in range(5):
        written = stage[written_at].submit(b"x")
        run_until_answered(stage, written)
        reader = stage[at].read()
        run_until_answered(stage, reader)
        assert reader.value > written.value.slot
        assert len(stage[at].machine.commands) > number


def test_a_leader_that_is_cut_off_answers_no_read() -> None:
    stage = led()
    stage.isolate(1)
    reader = stage[1].read(timeout_ms=2_000)
    stage.stand(3)
    stage.run_until(lambda: stage[3].host.role is Role.LEADER)
    run_until_answered(stage, stage[3].submit(b"newer"))
    stage.run_until(reader.done)
    assert type(reader.error) is NotLeader


def test_a_read_put_to_a_leader_that_is_gone_is_put_to_the_next() -> None:
    stage = led()
    written = stage[1].submit(b"x")
    run_until_answered(stage, written)
    stage.is_lost = lambda sent: isinstance(sent.message, ReadingAt)
    reader = stage[2].read(timeout_ms=PATIENCE_MS)
    stage.run_for(5)
    stage[1].crash()
    stage.heal()
    run_until_answered(stage, reader)
    assert reader.value > written.value.slot


def test_a_read_at_a_member_that_is_cut_off_is_refused_at_its_deadline() -> None:
    stage = led()
    stage.isolate(2)
    reader = stage[2].read(timeout_ms=300)
    stage.run_for(299)
    assert not reader.done()
    stage.run_for(1 + TICK_MS)
    assert type(reader.error) is NotLeader


def test_a_state_that_a_barrier_confirmed_serves_stale_reads_until_it_is_too_old() -> None:
    stage = led()
    assert not stage[2].host.may_read(Stale(60_000)), "nothing has confirmed this state yet"
    asked_ms = stage.now_ms
    run_until_answered(stage, stage[2].read(consistency=Stale(300)))
    stage.isolate(2)
    stage.run_for(asked_ms + 300 - stage.now_ms)
    assert stage[2].host.may_read(Stale(300))
    stage.run_for(1)
    assert not stage[2].host.may_read(Stale(300))
    assert stage[2].host.may_read(STALE)
    assert not stage[2].host.may_read(LINEARIZABLE)


def test_a_standstill_makes_a_state_too_old_for_any_bound() -> None:
    stage = led()
    run_until_answered(stage, stage[2].read(consistency=Stale(300)))
    assert stage[2].host.may_read(Stale(60_000))
    stage[2].wall_ahead_ms = 3_600_000
    assert not stage[2].host.may_read(Stale(60_000))
    stage.run_for(1)
    run_until_answered(stage, stage[2].read(consistency=Stale(300)))
    assert stage[2].host.may_read(Stale(60_000))


def test_a_read_by_slot_is_answered_by_whoever_has_applied_it() -> None:
    stage = led()
    stage.is_lost = lambda sent: sent.to == 2 and isinstance(sent.message, BeginBallot | Success)
    written = stage[1].submit(b"x")
    run_until_answered(stage, written)
    wanted = AtLeast(Slot(written.value.slot))
    assert stage[1].host.may_read(wanted)
    assert not stage[2].host.may_read(wanted)
    late, in_time = stage[2].read(timeout_ms=300, consistency=wanted), stage[2].read(consistency=wanted)
    run_until_answered(stage, late)
    assert type(late.error) is Behind
    stage.heal()
    run_until_answered(stage, in_time)
    assert stage[2].machine.commands == [b"x"]
    counts = stage[2].host.reads
    assert (counts.at_once, counts.after_slot, counts.after_barrier) == (0, 2, 0)


def test_a_member_that_is_behind_reads_once_it_has_caught_up() -> None:
    stage = led()
    stage.is_lost = lambda sent: sent.to == 2 and isinstance(sent.message, BeginBallot | Success)
    run_until_answered(stage, *[stage[1].submit(b"%d" % number) for number in range(5)])
    reader = stage[2].read(timeout_ms=PATIENCE_MS)
    stage.run_for(1_000)
    assert not reader.done()
    stage.heal()
    run_until_answered(stage, reader)
    assert len(stage[2].machine.commands) == 5


# --- the lanes ---


def test_what_is_urgent_goes_by_the_urgent_lane_and_nothing_that_carries_decrees_does() -> None:
    stage = led()
    run_until_answered(stage, stage[2].submit(b"x"), stage[3].read())
    stage.run_for(500)
    assert {sent.urgent for sent in stage.of(*URGENT)} == {True}
    assert {sent.urgent for sent in stage.sent if type(sent.message) not in URGENT} == {False}
    assert stage.of(Presence, AskReading, ReadingAt)
    assert not set(URGENT) & {BeginBallot, Forward, Success}


# --- stopping ---


def test_a_leader_that_stops_hands_over_without_waiting_for_a_timeout() -> None:
    """Were a timeout needed, it would be that of half an hour."""
    stage = led(timing=Timing(election_timeout_ms=1_800_000))
    run_until_answered(stage, stage[1].submit(b"x"))
    before = stage[1].host.leader
    stage[1].host.stop()
    stage.run_until(lambda: stage[1].host.role is not Role.LEADER)
    stage.run_until(lambda: stage.leader is not None, patience_ms=1_000)
    after = stage.leader
    assert after is not None
    assert after is not stage[1]
    assert before is not None
    assert after.host.leader is not None
    assert after.host.leader.round == before.round + 1
    run_until_answered(stage, stage[2].submit(b"y"), stage[3].submit(b"z"))
    assert_agreed(stage, b"x", b"y", b"z")


def test_writes_at_the_others_notice_nothing_of_a_leader_that_stops() -> None:
    """One after the other, through the whole change: none is refused, none is unknown, each is applied once."""
    stage = led(timing=Timing(election_timeout_ms=1_800_000))
    commands = []
    for number in range(60):
        if number == 20:
            stage[1].host.stop()
        command = b"%d" % number
        answers = [stage[2].submit(command + b"a"), stage[3].submit(command + b"b")]
        commands += [command + b"a", command + b"b"]
        run_until_answered(stage, *answers)
        assert [answer.error for answer in answers] == [None, None]
    assert stage.leader is not stage[1]
    assert_agreed(stage, *commands)


def test_a_stopping_member_takes_in_nothing() -> None:
    for at in (1, 2):
        stage = led()
        stage[at].host.stop()
        with pytest.raises(Stopping):
            stage[at].submit(b"x")
        with pytest.raises(Stopping):
            stage[at].read()


def test_what_waits_at_a_stop_is_refused_and_what_is_under_way_is_answered() -> None:
    stage = led(limits=Limits(pipeline_depth=1))
    begun = stage[1].submit(b"begun")
    stage.run_for(0)
    waits = stage[1].submit(b"waits")
    reader = stage[1].read()
    forwarded = stage[2].submit(b"forwarded")
    stage.run_for(1)
    stage[1].host.stop()
    assert type(waits.error) is Stopping
    assert type(reader.error) is Stopping
    run_until_answered(stage, begun, forwarded)
    assert begun.value.result == b"1"
    assert forwarded.value.result == b"2"
    assert_agreed(stage, b"begun", b"forwarded")


def test_a_follower_that_stops_still_hears_of_what_it_forwarded() -> None:
    stage = led()
    answer = stage[2].submit(b"x")
    stage.run_for(0)
    stage[2].host.stop()
    run_until_answered(stage, answer)
    assert answer.error is None


def test_a_stopping_leader_whose_slot_went_to_another_decree_says_not_applied() -> None:
    stage = led()
    stage.isolate(1)
    lost = stage[1].submit(b"lost", timeout_ms=PATIENCE_MS)
    stage.run_for(10)
    stage[1].host.stop()
    assert not lost.done()
    stage.stand(3)
    stage.run_until(lambda: stage[3].host.role is Role.LEADER)
    run_until_answered(stage, stage[3].submit(b"took it"))
    stage.heal()
    run_until_answered(stage, lost)
    assert type(lost.error) is Stopping
    assert_agreed(stage, b"took it")
