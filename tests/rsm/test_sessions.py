"""Sessions: exactly once, in order, and a definite answer once they have ended."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import Slot
from paxon.errors import BadRequest
from paxon.rsm import sessions as sessions_module
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import (
    Answer,
    Close,
    Confirmed,
    Crowded,
    Done,
    Early,
    Ended,
    Failed,
    Open,
    Opened,
    Perform,
    Plain,
    Request,
    Withdrawn,
    answers_of,
    decode_answer,
    encode,
    encode_together,
)
from paxon.rsm.sessions import REPLIES_MAX, TTL_MS_MAX, Sessions

A, B = b"session a", b"session b"
TTL_MS = 1_000


class Tape:
    """Writes down every command; the answer is how many there are.  It raises on ``bad``."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []

    def apply(self, command: bytes, context: Context) -> bytes:
        if command == b"bad":
            raise ValueError("bad command")
        self.commands.append(command)
        return b"%d" % len(self.commands)

    def query(self, question: bytes) -> bytes:
        return b"|".join(self.commands)


class Stage:
    """Sessions around a tape, and a decided time."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.sessions = Sessions(self.tape)
        self.slot = 0
        self.now_ms = 10_000

    def do(self, request: Request, after_ms: int = 1) -> Answer:
        """Have a request applied, so much later than the one before."""
        self.slot += 1
        self.now_ms += after_ms
        return decode_answer(self.sessions.apply(encode(request), Context(Slot(self.slot), self.now_ms)))

    def perform(
        self, sequence: int, command: bytes, confirmed: int = 0, session: bytes = A, after_ms: int = 1
    ) -> Answer:
        """Have a command of a session applied."""
        return self.do(Perform(session, sequence, confirmed, command), after_ms)


@pytest.fixture
def stage() -> Stage:
    """A stage with session A open."""
    made = Stage()
    assert made.do(Open(A, TTL_MS)) == Opened(0)
    return made


def test_a_command_that_is_decided_again_is_answered_and_not_applied_again(stage: Stage) -> None:
    assert [stage.perform(0, b"x") for _ in range(3)] == [Done(b"1")] * 3
    assert stage.perform(1, b"y") == Done(b"2")
    assert stage.perform(0, b"x") == Done(b"1")
    assert stage.tape.commands == [b"x", b"y"]


def test_a_failure_is_an_answer_like_any_other(stage: Stage) -> None:
    assert [stage.perform(0, b"bad") for _ in range(2)] == [Failed("ValueError: bad command")] * 2
    assert stage.perform(1, b"y") == Done(b"1")


def test_commands_of_a_session_are_applied_in_the_order_of_their_numbers(stage: Stage) -> None:
    assert stage.perform(1, b"second") == Early(0)
    assert stage.perform(0, b"first") == Done(b"1")
    assert stage.perform(1, b"second") == Done(b"2")
    assert stage.tape.commands == [b"first", b"second"]


def test_what_was_confirmed_is_forgotten_and_still_not_applied_again(stage: Stage) -> None:
    stage.perform(0, b"x")
    stage.perform(1, b"y", confirmed=1)
    assert stage.perform(0, b"x") == Confirmed()
    assert stage.perform(1, b"y") == Done(b"2")
    assert stage.tape.commands == [b"x", b"y"]


def test_confirming_what_is_yet_to_come_confirms_nothing_more(stage: Stage) -> None:
    assert stage.perform(0, b"x", confirmed=1_000_000) == Done(b"1")
    assert stage.perform(0, b"x") == Done(b"1")
    assert stage.perform(1, b"y") == Done(b"2")


def test_sessions_do_not_meet(stage: Stage) -> None:
    stage.do(Open(B, TTL_MS))
    assert stage.perform(0, b"x") == Done(b"1")
    assert stage.perform(0, b"x", session=B) == Done(b"2")


def test_without_a_session_a_command_is_applied_as_often_as_it_is_decided(stage: Stage) -> None:
    assert [stage.do(Plain(b"x")) for _ in range(2)] == [Done(b"1"), Done(b"2")]
    assert stage.do(Plain(b"bad")) == Failed("ValueError: bad command")


def test_a_session_that_nobody_uses_ends_by_decided_time_and_says_what_had_been_applied(stage: Stage) -> None:
    stage.perform(0, b"x")
    stage.do(Plain(b"time passes"), after_ms=TTL_MS - 2)
    assert stage.perform(1, b"y") == Done(b"3")
    stage.do(Plain(b"time passes"), after_ms=TTL_MS)
    assert stage.perform(1, b"y") == Ended(2)
    assert stage.perform(2, b"z") == Ended(2)
    assert b"z" not in stage.tape.commands
    assert len(stage.sessions) == 0


def test_members_end_a_session_at_the_same_command() -> None:
    members = [Stage() for _ in range(3)]
    for member in members:
        member.do(Open(A, TTL_MS))
    for number, after_ms in enumerate((1, TTL_MS // 2, TTL_MS - 50, TTL_MS - 1, TTL_MS)):
        first, *others = [member.perform(number, b"x", after_ms=after_ms) for member in members]
        assert others == [first, first]


def test_a_session_that_is_used_lives_on(stage: Stage) -> None:
    for number in range(3):
        assert stage.perform(number, b"x", after_ms=TTL_MS - 1) == Done(b"%d" % (number + 1))


def test_opening_again_keeps_alive_and_changes_nothing_else(stage: Stage) -> None:
    stage.perform(0, b"x")
    for _ in range(3):
        assert stage.do(Open(A, TTL_MS), after_ms=TTL_MS - 1) == Opened(1)
    assert stage.perform(0, b"x") == Done(b"1")


def test_a_shorter_life_counts_from_the_moment_it_is_asked_for(stage: Stage) -> None:
    stage.do(Open(A, 10))
    stage.do(Plain(b"time passes"), after_ms=10)
    assert stage.perform(0, b"x") == Ended(0)


def test_a_closed_session_has_ended_and_does_not_come_back_to_life(stage: Stage) -> None:
    stage.perform(0, b"x")
    assert stage.do(Close(A)) == Ended(1)
    assert stage.do(Close(A)) == Ended(1)
    assert stage.do(Open(A, TTL_MS)) == Ended(1)
    assert stage.perform(0, b"x") == Ended(1)
    assert stage.tape.commands == [b"x"]


def test_a_session_that_nobody_heard_of_has_ended_with_nothing_known(stage: Stage) -> None:
    assert stage.perform(0, b"x", session=B) == Ended(None)
    assert stage.do(Close(B)) == Ended(None)


def test_only_so_many_ended_sessions_are_remembered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "ENDED_MAX", 3)
    for number in range(5):
        stage.do(Open(b"%d" % number, TTL_MS))
        stage.do(Close(b"%d" % number))
    assert [stage.do(Close(b"%d" % number)) for number in range(5)] == [Ended(None)] * 2 + [Ended(0)] * 3


def test_unconfirmed_replies_have_a_limit(stage: Stage) -> None:
    for number in range(REPLIES_MAX):
        stage.perform(number, b"x")
    assert stage.perform(REPLIES_MAX, b"x") == Crowded()
    assert stage.perform(0, b"x") == Done(b"1")
    assert stage.perform(REPLIES_MAX, b"x", confirmed=1) == Done(b"%d" % (REPLIES_MAX + 1))


@pytest.mark.parametrize("ttl_ms", [0, -1, TTL_MS_MAX + 1])
def test_a_life_without_end_or_beginning_is_refused(stage: Stage, ttl_ms: int) -> None:
    with pytest.raises(BadRequest, match="a session lives for"):
        stage.do(Open(B, ttl_ms))


@pytest.mark.parametrize("command", [b"", b"\xc1", b"\x91\x09", b"\x91" * 100_000, encode(Open(A, 1))[:-1]])
def test_what_makes_no_sense_is_refused(stage: Stage, command: bytes) -> None:
    with pytest.raises(BadRequest, match="no command for sessions"):
        stage.sessions.apply(command, Context(Slot(9), 9))


def test_memory_does_not_grow_with_sessions_that_were_closed(stage: Stage) -> None:
    for number in range(2_000):
        stage.do(Open(b"%d" % number, TTL_MS_MAX))
        stage.do(Close(b"%d" % number))
    assert len(stage.sessions._due) < 200


def test_the_next_end_is_told_to_whoever_must_let_time_pass(stage: Stage) -> None:
    due_ms = stage.sessions.next_due_ms()
    assert due_ms == stage.now_ms + TTL_MS
    stage.do(Close(A))
    stage.do(Plain(b"time passes"), after_ms=TTL_MS)
    assert stage.sessions.next_due_ms() is None


@given(st.integers(0, 1 << 32), st.integers(1, 3), st.integers(1, 30))
def test_however_often_and_in_whatever_order_commands_are_decided_each_is_applied_once(
    seed: int, clients: int, count: int
) -> None:
    """Clients have several numbers under way and send each until it is answered; any of it may be decided later."""
    chance, stage = random.Random(seed), Stage()
    names = [b"client %d" % number for number in range(clients)]
    confirmed = dict.fromkeys(names, 0)
    answers: dict[tuple[bytes, int], set[Answer]] = {}
    log: list[Perform] = []
    for name in names:
        stage.do(Open(name, TTL_MS_MAX))
    while any(number < count for number in confirmed.values()):
        for name in names:
            under_way = range(confirmed[name], min(count, confirmed[name] + 4))
            log += [Perform(name, n, confirmed[name], b"%s/%d" % (name, n)) for n in under_way if chance.random() < 0.7]
        chance.shuffle(log)
        decided, log = log[: len(log) // 2 + 1], log[len(log) // 2 + 1 :] + chance.sample(log, len(log) // 4)
        for request in decided:
            answer = stage.do(request)
            if isinstance(answer, Done):
                answers.setdefault((request.session, request.sequence), set()).add(answer)
                if request.sequence == confirmed[request.session]:
                    confirmed[request.session] += 1
            else:
                assert isinstance(answer, Early | Confirmed)
    for name in names:
        applied = [command for command in stage.tape.commands if command.startswith(name + b"/")]
        assert applied == [b"%s/%d" % (name, number) for number in range(count)]
    assert all(len(told) == 1 for told in answers.values())


def test_commands_sent_together_are_answered_one_by_one() -> None:
    stage = Stage()
    stage.sessions.apply(encode(Open(A, 1000)), Context(Slot(1), 1))
    together = encode_together(A, 0, 0, [b"x", b"bad", None, b"y"])
    answer = stage.sessions.apply(together, Context(Slot(2), 1))
    answers = [decode_answer(one) for one in answers_of(answer, 4)]
    assert answers == [Done(b"1"), Failed("ValueError: bad command"), Withdrawn(), Done(b"2")]
    assert stage.sessions.apply(together, Context(Slot(3), 1)) == answer
    early = stage.sessions.apply(encode_together(A, 9, 0, [b"z", b"z"]), Context(Slot(4), 1))
    assert [decode_answer(one) for one in answers_of(early, 2)] == [Early(4), Early(4)]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.integers(0, 6),
            st.lists(st.sampled_from((b"x", b"bad", None)), min_size=1, max_size=5),
        ),
        max_size=12,
    )
)
def test_commands_sent_together_do_what_they_would_do_one_by_one(
    drawn: list[tuple[int, int, list[bytes | None]]],
) -> None:
    together, one_by_one = Stage(), Stage()
    for stage in (together, one_by_one):
        stage.sessions.apply(encode(Open(A, 1000)), Context(Slot(1), 1))
    for slot, (first, confirmed, commands) in enumerate(drawn, 2):
        context = Context(Slot(slot), 1)
        answer = together.sessions.apply(encode_together(A, first, confirmed, commands), context)
        singly = [
            one_by_one.sessions.apply(encode(Perform(A, number, confirmed if number == first else 0, command)), context)
            for number, command in enumerate(commands, first)
        ]
        assert answers_of(answer, len(commands)) == singly


def test_too_many_unconfirmed_commands_sent_together_are_sent_again() -> None:
    stage = Stage()
    stage.sessions.apply(encode(Open(A, 1000)), Context(Slot(1), 1))
    commands: list[bytes | None] = [b"x"] * (REPLIES_MAX + 2)
    answers = answers_of(stage.sessions.apply(encode_together(A, 0, 0, commands), Context(Slot(2), 1)), len(commands))
    assert [decode_answer(one) for one in answers[-3:]] == [Done(str(REPLIES_MAX).encode()), Crowded(), Crowded()]
    rest = stage.sessions.apply(encode_together(A, REPLIES_MAX, 2, [b"x", b"x"]), Context(Slot(3), 1))
    assert [decode_answer(one) for one in answers_of(rest, 2)] == [
        Done(str(REPLIES_MAX + number).encode()) for number in (1, 2)
    ]


def test_what_is_no_run_of_commands_changes_nothing() -> None:
    stage = Stage()
    stage.sessions.apply(encode(Open(A, 1000)), Context(Slot(1), 1))
    good = encode(Perform(A, 0, 0, b"x"))
    together = encode_together(A, 0, 0, [b"x", b"y"])
    for bad in (b"\1", together[:17], together[:-1], together + b"x", encode_together(A, 0, 0, [b"x", 5])):  # type: ignore[list-item]
        with pytest.raises(BadRequest):
            stage.sessions.apply(bad, Context(Slot(2), 1))
        with pytest.raises(BadRequest):
            stage.sessions.check(bad)
    assert decode_answer(stage.sessions.apply(good, Context(Slot(3), 1))) == Done(b"1")
