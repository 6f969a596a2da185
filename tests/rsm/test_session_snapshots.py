"""Captured sessions are what they were, and go on as if nothing had happened."""

from collections.abc import Generator, Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paxon.core.decree import Slot
from paxon.errors import InvariantViolation, SnapshotUnusable
from paxon.rsm import pieces as pieces_module
from paxon.rsm import session_memory
from paxon.rsm import sessions as sessions_module
from paxon.rsm.machine import Context
from paxon.rsm.session_memory import FORMAT, Beginning, Head
from paxon.rsm.session_requests import Close, Open, Perform, Plain, Request, encode
from paxon.rsm.sessions import Sessions
from tests.core.steady import steady
from tests.rsm.test_sessions import Tape

NAMES = [b"a", b"b", b"c", b"d"]


class KeptTape(Tape):
    """A tape that can be captured."""

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``."""
        return _each(list(self.commands))

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        self.commands = list(pieces)


def _each(commands: list[bytes]) -> Generator[bytes, None, None]:
    yield from commands


def member() -> Sessions:
    """Sessions around a tape."""
    return Sessions(KeptTape())


requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Open, st.sampled_from(NAMES), st.sampled_from([3, 10, 40])),
    st.builds(
        Perform,
        st.sampled_from(NAMES),
        st.integers(0, 6),
        st.integers(0, 6),
        st.sampled_from([b"x", b"bad", b"y" * 60, None]),
    ),
    st.builds(Perform, st.sampled_from(NAMES), st.integers(0, 6), st.just(0), st.just(b"x")),
    st.builds(Close, st.sampled_from(NAMES)),
    st.builds(Plain, st.just(b"z")),
)
logs = st.lists(st.tuples(requests, st.integers(0, 8)), max_size=25)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few replies, and a short memory of what ended."""
    for module in (pieces_module, session_memory):
        monkeypatch.setattr(module, "PIECE_BYTES", 200)
    monkeypatch.setattr(sessions_module, "ENDED_MAX", 2)


class Log:
    """Commands in the order of one log, for as many members as there are."""

    def __init__(self, *members: Sessions) -> None:
        self.members = list(members)
        self.now_ms = 1000
        self.slot = 0

    def apply(self, entries: Iterable[tuple[Request, int]]) -> None:
        """Have all members carry out the same, each request so much later; they agree on every answer."""
        for request, later_ms in entries:
            self.now_ms += later_ms
            self.slot += 1
            context = Context(Slot(self.slot), self.now_ms)
            assert len({member.apply(encode(request), context) for member in self.members}) == 1


@settings(steady, max_examples=200)
@given(logs, logs, logs, st.integers(0, 12))
def test_what_is_captured_is_what_was_there_at_the_beginning(
    before: Any, during: Any, between: Any, taken: int
) -> None:
    log = Log(member(), member())
    log.apply(before)
    expected = list(log.members[1].capture())
    pieces = log.members[0].capture()
    log.apply(during)
    had = [piece for _, piece in zip(range(taken), pieces, strict=False)]
    log.apply(between)
    had += pieces
    assert had == expected
    restored = member()
    Log(restored).apply([(Open(b"other", 5), 0), (Perform(b"other", 0, 0, b"q"), 0)])
    restored.restore(had)
    assert list(restored.capture()) == had


@settings(steady, max_examples=200)
@given(logs, logs)
def test_a_restored_member_and_one_that_never_stopped_part_in_nothing(before: Any, after: Any) -> None:
    log = Log(member())
    log.apply(before)
    restored = member()
    restored.restore(log.members[0].capture())
    log.members.append(restored)
    log.apply(after)
    assert list(restored.capture()) == list(log.members[0].capture())


def test_a_session_that_changes_while_it_waits_is_written_as_it_was() -> None:
    log = Log(member())
    log.apply([(Open(b"a", 50), 0), (Open(b"b", 50), 0), (Perform(b"b", 0, 0, b"x"), 0)])
    expected = list(log.members[0].capture())
    pieces = log.members[0].capture()
    had = [next(pieces)]
    log.apply([(Open(b"a", 40), 1), (Perform(b"b", 1, 1, b"y"), 1), (Close(b"a"), 0)])
    assert had + list(pieces) == expected


def test_sessions_that_are_due_together_end_in_the_order_in_which_they_expired() -> None:
    """And not in that of a heap that was made anew: what is forgotten first is part of the state."""
    log = Log(member())
    log.apply([(Open(b"a", 10), 0), (Open(b"b", 12), 0), (Perform(b"a", 0, 0, b"x"), 5)])
    restored = member()
    restored.restore(log.members[0].capture())
    log.members.append(restored)
    log.apply([(Open(b"c", 100), 60), (Close(b"c"), 0), (Close(b"a"), 0), (Close(b"b"), 0)])


def test_one_capture_at_a_time_and_one_that_is_given_up_frees_the_inner_one_too() -> None:
    ended: list[int] = []

    class Counted(KeptTape):
        """Says when a capture of it ends."""

        def capture(self) -> Generator[bytes, None, None]:
            """See ``Capturable``."""
            return pieces_module.begun(self._pieces())

        def _pieces(self) -> Generator[bytes, None, None]:
            try:
                yield b""
                yield b"piece"
            finally:
                ended.append(1)

    sessions = Sessions(Counted())
    for taken in range(3):
        pieces = sessions.capture()
        for _ in range(taken):
            next(pieces)
        if taken < 1:
            with pytest.raises(InvariantViolation, match="one capture of sessions"):
                sessions.capture()
        pieces.close()
        assert len(ended) == taken + 1
    assert len(list(sessions.capture())) == 2


def test_a_machine_that_cannot_be_captured_is_told() -> None:
    with pytest.raises(SnapshotUnusable, match="Tape has no capture and restore"):
        Sessions(Tape()).capture()


def test_what_is_no_capture_of_sessions_is_unusable_and_leaves_everything_as_it_was() -> None:
    log = Log(member())
    log.apply([(Open(name, 50), 0) for name in NAMES])
    log.apply([(Perform(name, number, 0, b"x" * 50), 0) for name in NAMES for number in range(4)])
    log.apply([(Close(name), 0) for name in NAMES[:2]])
    sessions = log.members[0]
    pieces = list(sessions.capture())

    def record(*entries: object) -> bytes:
        return b"\x00" + msgspec.msgpack.encode(entries)

    def beginning(opened: int, ended: int, version: int = FORMAT) -> bytes:
        return msgspec.msgpack.encode(Beginning(version, opened, ended))

    for damaged in (
        [],
        [b"\xc1"],
        pieces[:1],
        pieces[:2],
        pieces[1:],
        [beginning(2, 2, FORMAT + 1), *pieces[1:]],
        [beginning(1, 0), record(Head(b"a", 0, 1, 0, 0))],
        [beginning(1, 0), record(Head(b"a", 1, 1, 0, 1))],
        [beginning(1, 0), record(Head(b"a", 1, 1, 1, -1), b"x", b"y")],
        [beginning(1, 0), record(Head(b"a", 1, 1, 1, 0), b"x", b"y")],
        [beginning(1, 0), record(b"x", Head(b"a", 1, 1, 0, 0))],
        [beginning(1, 0), record(Head(b"a", 1, 1, 0, 0), Head(b"b", 1, 1, 0, 0))],
        [beginning(2, 0), record(Head(b"a", 1, 1, 1, 0)), record(Head(b"b", 1, 1, 0, 0))],
        [beginning(2, 0), record(Head(b"a", 1, 1, 0, 0), Head(b"a", 1, 1, 0, 0))],
        [beginning(1, 1), record(Head(b"a", 1, 1, 0, 0)), record((b"a", 0))],
        [beginning(0, 1), record()],
        [beginning(0, 1), record((b"a", 0), (b"b", 0))],
        [beginning(0, 2**62)],
    ):
        with pytest.raises(SnapshotUnusable):
            sessions.restore(damaged)
    assert list(sessions.capture()) == pieces
