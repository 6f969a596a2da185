"""The machine of a run with sessions: it shows what was applied twice, not at all, or out of order.

Knows: the layers that ship, from sessions to a replicated object.  Does not know: who judges it.

Every attempt to submit something is marked with a number of its own, which is taken off before
``Sessions`` sees it.  So the simulator's oracle can go on demanding of every attempt that it passes
at most once, although the request in it is sent again and again.
"""

import hashlib
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import Final, Literal

from msgspec import Struct, msgpack

from paxon.errors import Rejected
from paxon.rsm.assembly import Assembly, PartCall
from paxon.rsm.assembly import encode as encode_for_part
from paxon.rsm.contract import Context, StateMachine, command, query
from paxon.rsm.errands import errand
from paxon.rsm.machine import Context as Decided
from paxon.rsm.objects import Signature, question, submission
from paxon.rsm.pieces import begun
from paxon.rsm.sessions import Answer, Request, Sessions, answers_of, decode_answer, decode_requests

PART: Final = "tally"
"""The name of the one part."""

MARK_BYTES: Final = 8

Failing = Literal["", "rejects", "breaks"]
"""How a command fails after it has changed the state: not at all, as it may, or as a bug would."""


class Unwanted(Rejected):
    """A command that was to be rejected."""


class Receipt(Struct, frozen=True, array_like=True):
    """What adding a number returns."""

    total: int
    """How many numbers were added by everybody."""
    of_session: int
    """How many of them by this session."""
    digest: bytes
    """Of these, in their order."""


NOTHING_ADDED: Final = Receipt(0, 0, b"")


class Tally(StateMachine):
    """Counts the numbers that it is told, and keeps for each session a digest of its own, so that order shows."""

    def __init__(self) -> None:
        self.total = 0
        self.sheets: dict[bytes, Receipt] = {}

    @command
    def add(self, ctx: Context, number: int, failing: Failing) -> Receipt:
        """Add a number.

        Raises:
            Unwanted: if ``failing`` asks for it, with the number added, and to be taken back.
            ArithmeticError: the same for ``breaks``.
        """
        session = ctx.session or b""
        before = self.sheets.get(session, NOTHING_ADDED)
        digest = hashlib.blake2b(b"%s %d" % (before.digest, number), digest_size=8).digest()
        self.total += 1
        receipt = self.sheets[session] = Receipt(self.total, before.of_session + 1, digest)
        ctx.emit("added", number)
        if failing == "rejects":
            raise Unwanted(number)
        if failing == "breaks":
            raise ArithmeticError(f"number {number} breaks")
        return receipt

    @query
    def count(self) -> int:
        """How many numbers were added."""
        return self.total


SIGNATURE: Final = Signature(Tally)

QUESTION: Final = encode_for_part(PartCall(PART, question(SIGNATURE, Tally.count)[0]))
"""How many numbers were added?"""


def addition(number: int, failing: Failing) -> bytes:
    """The command that adds a number."""
    return encode_for_part(PartCall(PART, submission(SIGNATURE, Tally.add, number, failing)[0]))


def receipt_in(result: bytes) -> Receipt | None:
    """What an addition returned; ``None`` if it was rejected."""
    _, decode = submission(SIGNATURE, Tally.add, 0, "")
    try:
        return decode(result)
    except Unwanted:
        return None


def count_in(answer: bytes) -> int:
    """What ``QUESTION`` was answered."""
    return question(SIGNATURE, Tally.count)[1](answer)


def marked(attempt: int, request: bytes) -> bytes:
    """A request as an attempt that is unlike any other."""
    return attempt.to_bytes(MARK_BYTES, "big") + request


def unmarked(command: bytes) -> bytes:
    """The request of an attempt."""
    return command[MARK_BYTES:]


class SessionedTally:
    """``Sessions`` around an ``Assembly`` around a ``Tally``.

    Satisfies ``ComparedMachine``, ``Capturable`` and ``Caretaker``.
    ``heard`` is told of the requests in every command, what they were answered, and which numbers were added by them.
    Some members carry out commands by the door for one and others by the door for many, and must not differ.
    """

    def __init__(
        self,
        member: str,
        heard: Callable[[list[Request], Decided, list[Answer], list[int]], None] | None = None,
        *,
        applies_many: bool = False,
    ) -> None:
        self._member = member
        self._heard = heard
        self._applies_many = applies_many
        self.tally = Tally()
        self.assembly = Assembly({PART: self.tally})
        self.sessions = Sessions(self.assembly)
        self._past = b""
        """A digest of everything that was applied, and of its answers."""

    @property
    def digest(self) -> bytes:
        """See ``ComparedMachine``: of the past, and of what the present state is like."""
        present = b"%d %d %d" % (len(self.sessions), self.tally.total, self.assembly.feed.next_number)
        return self._past + present

    def apply(self, command: bytes, context: Decided) -> bytes:
        """See ``ByteMachine``."""
        request, feed = unmarked(command), self.assembly.feed
        events_before = feed.next_number
        answer = self._answer(request, context)
        past = b"%s %d %d %s %s" % (self._past, context.slot, context.now_ms, command, answer)
        self._past = hashlib.blake2b(past, digest_size=16).digest()
        if self._heard is not None:
            added = [msgpack.decode(event.body, type=int) for event in feed.since(events_before)]
            requests = decode_requests(request)
            answers = [answer] if len(requests) == 1 else answers_of(answer, len(requests))
            self._heard(requests, context, [decode_answer(one) for one in answers], added)
        return answer

    def _answer(self, request: bytes, context: Decided) -> bytes:
        if not self._applies_many:
            return self.sessions.apply(request, context)
        (result,) = self.sessions.apply_all([request], context)
        if not isinstance(result, bytes):
            raise result
        return result

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
