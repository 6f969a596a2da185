"""The layers that ship above the log, as the machine of a simulated member: sessions, an assembly, and some parts.

Knows: how these are put together, and what happened in them.  Does not know: what the parts do, or who judges it.

Every attempt to submit something is marked with a number of its own, which is taken off before
``Sessions`` sees it.  So the simulator's oracle can go on demanding of every attempt that it passes
at most once, although the request in it is sent again and again.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from typing import Final

from paxon.rsm.assembly import Assembly
from paxon.rsm.contract import StateMachine
from paxon.rsm.errands import errand
from paxon.rsm.feed import Event
from paxon.rsm.machine import Context as Decided
from paxon.rsm.pieces import begun
from paxon.rsm.session_requests import Answer, Request, decode_answer, exchanges
from paxon.rsm.sessions import Sessions

MARK_BYTES: Final = 8

PLAIN_FROM: Final = 1 << 63
"""Attempts without a session are numbered from here on, apart from all others."""


def marked(attempt: int, request: bytes) -> bytes:
    """A request as an attempt that is unlike any other."""
    return attempt.to_bytes(MARK_BYTES, "big") + request


def unmarked(command: bytes) -> bytes:
    """The request of an attempt."""
    return command[MARK_BYTES:]


class _OneByOne:
    """An assembly without its door for many commands.  Satisfies ``ByteMachine``, ``Timed`` and ``Capturable``."""

    def __init__(self, assembly: Assembly) -> None:
        self.apply = assembly.apply
        self.query = assembly.query
        self.next_due_ms = assembly.next_due_ms
        self.on_due = assembly.on_due
        self.capture = assembly.capture
        self.restore = assembly.restore


class Replica:
    """``Sessions`` around an ``Assembly`` of some parts.

    Satisfies ``ComparedMachine``, ``Capturable`` and ``Caretaker``.
    ``heard`` is told of the requests in every command, what they were answered, and which events came of them.
    Some members carry out commands by the door for one and others by the door for many, and must not differ.
    """

    def __init__(
        self,
        member: str,
        parts: Mapping[str, StateMachine],
        heard: Callable[[list[Request], Decided, list[Answer], list[Event]], None] | None = None,
        *,
        applies_many: bool = False,
    ) -> None:
        self._member = member
        self._heard = heard
        self.assembly = Assembly(parts)
        self.sessions = Sessions(self.assembly if applies_many else _OneByOne(self.assembly))
        self._past = b""
        """A digest of everything that was applied, and of its answers."""

    @property
    def digest(self) -> bytes:
        """See ``ComparedMachine``: of the past, and of what the present state is like."""
        present = b"%d %d" % (len(self.sessions), self.assembly.feed.next_number)
        return self._past + present

    def apply(self, command: bytes, context: Decided) -> bytes:
        """See ``ByteMachine``."""
        request, feed = unmarked(command), self.assembly.feed
        events_before = feed.next_number
        answer = self.sessions.apply(request, context)
        past = b"%s %d %d %s %s" % (self._past, context.slot, context.now_ms, command, answer)
        self._past = hashlib.blake2b(past, digest_size=16).digest()
        if self._heard is not None:
            told = exchanges(request, answer)
            requests, answers = [asked for asked, _ in told], [decode_answer(one) for _, one in told]
            self._heard(requests, context, answers, list(feed.since(events_before)))
        return answer

    def query(self, question: bytes) -> bytes:
        """See ``ByteMachine``."""
        return self.sessions.query(question)

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``: the digest of the past, then the sessions."""
        return begun(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        with closing(self.sessions.capture()) as captured:
            past = self._past
            yield b""
            yield past
            yield from captured

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``."""
        stream = iter(pieces)
        past = next(stream, b"")
        self.sessions.restore(stream)
        self._past = past

    def errand(self, is_leader: bool, now_ms: int) -> bytes | None:
        """See ``Caretaker``."""
        return errand(self.sessions, self.assembly, self._member, is_leader, now_ms)

    def next_due_ms(self) -> int | None:
        """See ``Caretaker``."""
        return self.sessions.next_due_ms()
