"""Commands that go to the leader through another member: each is begun at most once, and a refusal is final."""

import pytest

from paxon.core.decree import NO_BALLOT, Ballot, NodeId, Slot
from paxon.errors import (
    BadRequest,
    DeadlineExceeded,
    DiskFull,
    InvariantViolation,
    LeadershipLost,
    NotLeader,
    OutcomeUnknown,
    Overloaded,
    RequestError,
    TooLarge,
)
from paxon.node.forwarding import FORWARD_BYTES_MAX, FORWARD_COMMANDS_MAX, Incoming, Outgoing, Relay
from paxon.node.letters import Answers, Forward, PeerMessage, Refusals
from paxon.node.proposals import Applied, Pending
from tests.node.stage import Answer

ORIGIN, OWNER, OTHER = NodeId(1), NodeId(2), NodeId(3)
B1, B2, B3 = Ballot(1, OWNER), Ballot(2, OWNER), Ballot(3, OTHER)
BOOT = 77
RETRANSMIT_MS = 200


class Post:
    """Where either side sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[NodeId, PeerMessage]] = []

    def __call__(self, to: NodeId, message: PeerMessage) -> None:
        self.sent.append((to, message))

    def take(self) -> list[tuple[NodeId, PeerMessage]]:
        """What was sent since the last look."""
        sent, self.sent = self.sent, []
        return sent


class Origin:
    """``Outgoing`` and what it says."""

    def __init__(self) -> None:
        self.post = Post()
        self.outgoing = Outgoing(BOOT, RETRANSMIT_MS, self.post)
        self.answers: list[Answer[Applied]] = []

    def forward(self, *texts: str, ballot: Ballot = B1, now_ms: int = 0, deadline_ms: int = 10_000) -> None:
        pendings = []
        for text in texts:
            self.answers.append(Answer())
            pendings.append(Pending(text.encode(), self.answers[-1], deadline_ms))
        self.outgoing.forward(pendings, ballot, now_ms)

    def answered(self, *numbers: int, boot: int = BOOT) -> None:
        self.outgoing.on_answers(Answers(boot, tuple((number, Slot(9), b"r") for number in numbers)))

    def refused(self, number: int, code: str, ballot: Ballot = B1, boot: int = BOOT) -> list[Pending]:
        return self.outgoing.on_refusals(Refusals(boot, ballot, ((number, code, "because"),)))

    def error(self, number: int = 0) -> RequestError:
        error = self.answers[number].error
        assert error is not None, "not refused"
        return error


class Owner:
    """``Incoming`` and what it says."""

    def __init__(self, earlier_lives: Ballot = NO_BALLOT) -> None:
        self.post = Post()
        self.incoming = Incoming(earlier_lives, self.post)
        self.relays: dict[int, Relay] = {}

    def receive(
        self,
        *numbers: int,
        ballot: Ballot = B1,
        presiding: Ballot | None = B1,
        settled_until: int = 0,
        boot: int = BOOT,
        sender: NodeId = ORIGIN,
    ) -> list[bytes]:
        """Get a forward; returns the commands that are new."""
        commands = tuple((number, b"c%d" % number) for number in numbers)
        fresh = self.incoming.receive(sender, Forward(ballot, boot, settled_until, commands), presiding)
        for command, relay in fresh:
            self.relays[int(command[1:])] = relay
        return [command for command, _ in fresh]

    def says(self) -> list[tuple[NodeId, PeerMessage]]:
        self.incoming.flush()
        return self.post.take()


def results(*numbers: int) -> tuple[NodeId, PeerMessage]:
    return ORIGIN, Answers(BOOT, tuple((number, Slot(5), b"r%d" % number) for number in numbers))


def applied(number: int) -> Applied:
    return Applied(5, b"r%d" % number)


# --- the origin ---


def test_commands_go_to_the_owner_of_the_ballot_under_numbers_of_their_own() -> None:
    origin = Origin()
    origin.forward("a", "b")
    origin.forward("c")
    assert origin.post.take() == [
        (OWNER, Forward(B1, BOOT, 0, ((0, b"a"), (1, b"b")))),
        (OWNER, Forward(B1, BOOT, 0, ((2, b"c"),))),
    ]
    assert len(origin.outgoing) == 3
    assert origin.outgoing.bytes == 3


def test_the_first_answer_settles_and_later_ones_are_nothing() -> None:
    origin = Origin()
    origin.forward("a")
    origin.answered(0)
    assert origin.answers[0].value == Applied(9, b"r")
    origin.answered(0)
    assert origin.refused(0, NotLeader.code) == []
    assert (len(origin.outgoing), origin.outgoing.bytes) == (0, 0)


def test_answers_to_an_earlier_life_are_not_ours() -> None:
    origin = Origin()
    origin.forward("a")
    origin.answered(0, boot=BOOT + 1)
    assert origin.refused(0, NotLeader.code, boot=BOOT + 1) == []
    assert not origin.answers[0].done()


def test_a_refusal_for_want_of_a_leader_gives_the_command_back() -> None:
    origin = Origin()
    origin.forward("a", "b")
    assert [one.command for one in origin.refused(0, NotLeader.code)] == [b"a"]
    assert not origin.answers[0].done()
    assert (len(origin.outgoing), origin.outgoing.bytes) == (1, 1)


def test_a_refusal_under_another_ballot_is_not_about_this_command() -> None:
    origin = Origin()
    origin.forward("a")
    assert origin.refused(0, NotLeader.code, ballot=B2) == []
    assert len(origin.outgoing) == 1


@pytest.mark.parametrize("kind", [Overloaded, TooLarge, DiskFull, BadRequest, LeadershipLost, DeadlineExceeded])
def test_other_refusals_are_the_submitters_to_know(kind: type[RequestError]) -> None:
    origin = Origin()
    origin.forward("a")
    assert origin.refused(0, kind.code) == []
    assert type(origin.error()) is kind
    assert str(origin.error()) == "because"


def test_a_refusal_that_nobody_here_knows_claims_nothing() -> None:
    origin = Origin()
    origin.forward("a")
    origin.refused(0, "invented_later")
    assert type(origin.error()) is OutcomeUnknown


def test_what_is_not_answered_is_repeated_to_the_same_ballot() -> None:
    origin = Origin()
    origin.forward("a", "b")
    origin.post.take()
    origin.answered(1)
    origin.outgoing.on_tick(B1, 0, RETRANSMIT_MS - 1)
    assert origin.post.take() == []
    origin.outgoing.on_tick(B3, 0, RETRANSMIT_MS)
    assert origin.post.take() == [(OWNER, Forward(B1, BOOT, 0, ((0, b"a"),)))]
    origin.outgoing.on_tick(B3, 0, RETRANSMIT_MS + 1)
    assert origin.post.take() == []


def test_settled_until_is_the_lowest_number_still_open() -> None:
    origin = Origin()
    origin.forward("a", "b", "c")
    origin.answered(1)
    origin.forward("d")
    assert origin.post.take()[-1] == (OWNER, Forward(B1, BOOT, 0, ((3, b"d"),)))
    origin.answered(0)
    origin.forward("e")
    assert origin.post.take()[-1] == (OWNER, Forward(B1, BOOT, 2, ((4, b"e"),)))
    origin.answered(2, 3, 4)
    origin.forward("f")
    assert origin.post.take()[-1] == (OWNER, Forward(B1, BOOT, 5, ((5, b"f"),)))


def test_one_forward_carries_a_bounded_number_of_commands() -> None:
    origin = Origin()
    origin.forward(*["x"] * (2 * FORWARD_COMMANDS_MAX + 1))
    sizes = [len(message.commands) for _, message in origin.post.take() if isinstance(message, Forward)]
    assert sizes == [FORWARD_COMMANDS_MAX, FORWARD_COMMANDS_MAX, 1]


def test_past_its_deadline_a_forwarded_command_is_unknown() -> None:
    origin = Origin()
    origin.forward("a", deadline_ms=500)
    origin.outgoing.on_tick(B1, 0, 499)
    assert not origin.answers[0].done()
    origin.outgoing.on_tick(B1, 0, 500)
    assert type(origin.error()) is DeadlineExceeded
    assert len(origin.outgoing) == 0


def test_a_submitter_that_left_is_forgotten() -> None:
    origin = Origin()
    origin.forward("a")
    origin.answers[0].is_cancelled = True
    origin.outgoing.on_tick(B1, 0, 50)
    assert len(origin.outgoing) == 0


@pytest.mark.parametrize("leader", [None, B1])
def test_without_a_newer_leader_nothing_is_given_up(leader: Ballot | None) -> None:
    origin = Origin()
    origin.forward("a")
    origin.outgoing.on_link_lost(OWNER)
    origin.outgoing.on_tick(leader, 100_000, 100)
    assert not origin.answers[0].done()


def test_a_leader_that_is_gone_leaves_the_outcome_unknown_at_once() -> None:
    origin = Origin()
    origin.forward("a")
    origin.outgoing.on_link_lost(OTHER)
    origin.outgoing.on_tick(B3, 0, 1)
    assert not origin.answers[0].done()
    origin.outgoing.on_link_lost(OWNER)
    origin.outgoing.on_tick(B3, 0, 2)
    assert type(origin.error()) is LeadershipLost


def test_a_leader_that_was_only_deposed_gets_a_moment_to_answer() -> None:
    origin = Origin()
    origin.forward("a", "b")
    origin.outgoing.on_tick(B3, 2 * RETRANSMIT_MS - 1, 1)
    origin.answered(0)
    assert not origin.answers[1].done()
    origin.outgoing.on_tick(B3, 2 * RETRANSMIT_MS, 2)
    assert origin.answers[0].value == Applied(9, b"r")
    assert type(origin.error(1)) is LeadershipLost


def test_what_was_sent_can_be_abandoned() -> None:
    origin = Origin()
    origin.forward("a", "b")
    origin.outgoing.abandon(OutcomeUnknown("gone"))
    assert [type(origin.error(number)) for number in (0, 1)] == [OutcomeUnknown, OutcomeUnknown]
    assert (len(origin.outgoing), origin.outgoing.bytes) == (0, 0)


# --- the owner ---


def test_a_command_is_taken_in_once_however_often_it_comes() -> None:
    owner = Owner()
    assert owner.receive(0, 1) == [b"c0", b"c1"]
    assert owner.receive(0, 1) == []
    assert owner.receive(1, 2, 0) == [b"c2"]
    assert owner.says() == []


def test_commands_may_arrive_in_any_order() -> None:
    owner = Owner()
    assert owner.receive(2) == [b"c2"]
    assert owner.receive(0) == [b"c0"]
    assert owner.receive(1) == [b"c1"]


def test_answers_of_one_step_leave_together() -> None:
    owner = Owner()
    owner.receive(0, 1, 2)
    for number in (1, 0):
        owner.relays[number].set_result(applied(number))
    assert owner.says() == [results(1, 0)]
    assert owner.says() == []


def test_answers_too_large_for_one_message_leave_in_several() -> None:
    owner = Owner()
    owner.receive(0, 1, 2)
    for number in range(3):
        owner.relays[number].set_result(Applied(9, b"x" * (FORWARD_BYTES_MAX - 1)))
    messages = [message for _, message in owner.says() if isinstance(message, Answers)]
    assert [[number for number, _, _ in message.answers] for message in messages] == [[0], [1], [2]]


def test_a_repeat_gets_the_same_answer_again() -> None:
    """Under any later ballot of ours too, and when we lead no more: the answer does not change."""
    owner = Owner()
    owner.receive(0)
    owner.relays[0].set_result(applied(0))
    assert owner.says() == [results(0)]
    for presiding in (B1, B2, None):
        assert owner.receive(0, presiding=presiding) == []
        assert owner.says() == [results(0)]


def test_a_refusal_is_for_good() -> None:
    """A repeat that finds room again is refused all the same: the origin may have tried elsewhere since."""
    owner = Owner()
    owner.receive(0)
    owner.relays[0].set_exception(Overloaded("full"))
    refusal = (ORIGIN, Refusals(BOOT, B1, ((0, "overloaded", "full"),)))
    assert owner.says() == [refusal]
    assert owner.receive(0) == []
    assert owner.says() == [refusal]


def test_a_repeat_while_the_command_is_under_way_changes_nothing() -> None:
    owner = Owner()
    owner.receive(0)
    assert owner.receive(0, presiding=None) == []
    assert owner.says() == []
    owner.relays[0].set_result(applied(0))
    assert owner.says() == [results(0)]


@pytest.mark.parametrize("presiding", [None, B2])
def test_a_forward_to_an_older_ballot_of_this_life_is_refused_definitely(presiding: Ballot | None) -> None:
    owner = Owner()
    assert owner.receive(0, ballot=B1, presiding=presiding) == []
    ((to, message),) = owner.says()
    assert to == ORIGIN
    assert isinstance(message, Refusals)
    assert (message.ballot, message.refusals[0][:2]) == (B1, (0, NotLeader.code))


@pytest.mark.parametrize("presiding", [None, B2])
def test_a_forward_to_a_ballot_of_an_earlier_life_has_an_unknown_fate(presiding: Ballot | None) -> None:
    """It may have been begun before the restart, and may yet pass: saying no would be a lie."""
    owner = Owner(earlier_lives=B1)
    assert owner.receive(0, ballot=B1, presiding=presiding) == []
    ((_, message),) = owner.says()
    assert isinstance(message, Refusals)
    assert message.refusals[0][:2] == (0, LeadershipLost.code)


def test_after_a_restart_new_ballots_are_served() -> None:
    owner = Owner(earlier_lives=B1)
    assert owner.receive(0, ballot=B2, presiding=B2) == [b"c0"]


def test_what_a_failed_ballot_of_this_life_never_began_is_refused_definitely() -> None:
    owner = Owner(earlier_lives=B1)
    owner.receive(0, ballot=B2, presiding=None)
    ((_, message),) = owner.says()
    assert isinstance(message, Refusals)
    assert message.refusals[0][1] == NotLeader.code


def test_numbers_of_another_life_of_the_origin_are_other_commands() -> None:
    owner = Owner()
    assert owner.receive(0) == [b"c0"]
    assert owner.receive(0, boot=BOOT + 1) == [b"c0"]
    owner.relays[0].set_result(applied(0))
    assert owner.says() == [(ORIGIN, Answers(BOOT + 1, ((0, Slot(5), b"r0"),)))]


def test_numbers_of_another_member_are_other_commands() -> None:
    owner = Owner()
    assert owner.receive(0) == [b"c0"]
    assert owner.receive(0, sender=OTHER) == [b"c0"]
    owner.relays[0].set_result(applied(0))
    assert owner.says() == [(OTHER, Answers(BOOT, ((0, Slot(5), b"r0"),)))]


def test_what_is_settled_at_the_origin_is_never_begun_again() -> None:
    """A duplicate that comes after everything: its command was answered, and the answer is forgotten."""
    owner = Owner()
    owner.receive(0)
    owner.relays[0].set_result(applied(0))
    owner.says()
    owner.receive(5, settled_until=5)
    assert owner.receive(0, settled_until=0) == []
    assert owner.says() == []


def test_a_first_arrival_after_it_was_settled_is_not_begun() -> None:
    """The origin gave it up as unknown, perhaps long ago."""
    owner = Owner()
    owner.receive(5, settled_until=5)
    assert owner.receive(3, settled_until=0) == []
    assert owner.says() == []


def test_settled_until_does_not_fall_when_an_old_forward_comes_late() -> None:
    owner = Owner()
    owner.receive(5, settled_until=5)
    owner.receive(6, settled_until=2)
    assert owner.receive(4, settled_until=2) == []


def test_an_answer_to_what_was_settled_meanwhile_is_not_sent() -> None:
    owner = Owner()
    owner.receive(0)
    owner.receive(1, settled_until=1)
    owner.relays[0].set_result(applied(0))
    owner.relays[1].set_result(applied(1))
    assert owner.says() == [results(1)]


def test_refusals_are_sorted_by_their_ballot() -> None:
    owner = Owner(earlier_lives=B1)
    owner.receive(0, ballot=B1, presiding=B2)
    owner.receive(1, ballot=B2, presiding=B2)
    owner.relays[1].set_exception(TooLarge("long"))
    ballots = [message.ballot for _, message in owner.says() if isinstance(message, Refusals)]
    assert sorted(ballots) == [B1, B2]


def test_an_error_that_is_no_refusal_claims_nothing() -> None:
    owner = Owner()
    owner.receive(0)
    owner.relays[0].set_exception(InvariantViolation("ours"))
    ((_, message),) = owner.says()
    assert isinstance(message, Refusals)
    assert message.refusals[0][1] == OutcomeUnknown.code


def test_a_relay_is_done_once_it_is_answered() -> None:
    owner = Owner()
    owner.receive(0, 1)
    assert not owner.relays[0].done()
    owner.relays[0].set_result(applied(0))
    owner.relays[1].set_exception(NotLeader("gone"))
    assert owner.relays[0].done()
    assert owner.relays[1].done()


def test_the_lives_of_a_member_that_are_remembered_are_bounded_and_the_present_one_is_among_them() -> None:
    owner = Owner()
    for boot in range(1_000):
        assert owner.receive(0, boot=boot) == [b"c0"]
    assert owner.receive(0, boot=999) == []
    assert owner.receive(0, boot=990) == []
    assert len(vars(owner.incoming)["_origins"]) < 100
