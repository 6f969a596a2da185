"""The submitting side of sessions against the real ``Sessions``, with answers that get lost."""

from hypothesis import given
from hypothesis import strategies as st

from paxon.core.decree import Slot
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import Close, Done, Ended, Open, Withdrawn, encode
from paxon.rsm.sessions import Sessions
from paxon.rsm.submitter import Submitter

NAME = b"session"


class Recorder:
    """Remembers what was applied."""

    def __init__(self) -> None:
        self.applied: list[bytes] = []

    def apply(self, command: bytes, context: Context) -> bytes:
        """Remember, and say how many there were."""
        self.applied.append(command)
        return b"%d" % len(self.applied)

    def query(self, question: bytes) -> bytes:
        """Nobody asks."""
        return question


def decided(sessions: Sessions, request: bytes, slot: int = 1) -> bytes:
    """One command through the log."""
    return sessions.apply(request, Context(Slot(slot), 1))


def opened() -> tuple[Recorder, Sessions, Submitter]:
    """An open session."""
    recorder = Recorder()
    sessions = Sessions(recorder)
    decided(sessions, encode(Open(NAME, 1000)))
    return recorder, sessions, Submitter(NAME)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=200), st.integers(1, 10))
def test_each_command_is_applied_once_and_in_order_however_often_it_is_sent(
    sendings: list[tuple[int, bool]], count: int
) -> None:
    recorder, sessions, submitter = opened()
    for number in range(count):
        submitter.number(b"%d" % number)
    results: dict[int, bytes] = {}
    for place, answer_arrives in [*sendings, *[(0, True)] * count]:
        unanswered = submitter.unanswered
        if not unanswered:
            break
        sequence = unanswered[place % len(unanswered)]
        answer = decided(sessions, submitter.request(sequence))
        if answer_arrives and isinstance(settled := submitter.on_answer(sequence, answer), Done):
            results[sequence] = settled.result
    assert recorder.applied == [b"%d" % number for number in range(count)]
    assert results == {number: b"%d" % (number + 1) for number in range(count)}
    assert len(submitter) == 0


def test_what_was_withdrawn_before_it_was_decided_never_takes_effect() -> None:
    recorder, sessions, submitter = opened()
    sequence = submitter.number(b"never")
    on_its_way = submitter.request(sequence)
    submitter.withdraw(sequence)
    assert isinstance(submitter.on_answer(sequence, decided(sessions, submitter.request(sequence))), Withdrawn)
    decided(sessions, on_its_way)
    assert recorder.applied == []
    assert isinstance(submitter.on_answer(1, decided(sessions, submitter.request(submitter.number(b"next")))), Done)


def test_what_was_withdrawn_too_late_had_its_effect_once() -> None:
    recorder, sessions, submitter = opened()
    sequence = submitter.number(b"applied")
    decided(sessions, submitter.request(sequence))
    submitter.withdraw(sequence)
    assert submitter.on_answer(sequence, decided(sessions, submitter.request(sequence))) == Done(b"1")
    assert recorder.applied == [b"applied"]


def test_a_session_that_ended_is_told_apart() -> None:
    _, sessions, submitter = opened()
    decided(sessions, encode(Close(NAME)))
    sequence = submitter.number(b"late")
    assert submitter.on_answer(sequence, decided(sessions, submitter.request(sequence))) == Ended(0)
