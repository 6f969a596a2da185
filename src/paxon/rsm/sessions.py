"""Sessions: a command that is repeated until it is answered is applied once.

Knows: sessions, the numbers of their commands, and the replies that may be asked for again.
Does not know: what a command says, who submits it, or how often it was sent.

Theory of operation.  Whoever submits a command and hears nothing cannot know whether it was
decided; the log may hold it twice if it is sent again, and the log cannot tell.  So commands
are numbered within a session, and the replicated state remembers of each session which number
comes next and what the last ones were answered.  A number that was applied is answered from
memory; one that is not the next is refused, so that commands of one session are applied in the
order of their numbers, however they travelled.

Everything here is part of the replicated state and follows from the log alone: time is decided
time, and a session that nobody used for its ``ttl_ms`` of it ends on every member at the same
command.  What ended leaves its number behind, so that a late repetition learns whether the
command had been applied; only the reply is gone.
"""

from collections import OrderedDict
from collections.abc import Generator, Iterable
from contextlib import closing
from heapq import heappop, heappush
from typing import Final, assert_never

from paxon.errors import BadRequest, SnapshotUnusable, check
from paxon.rsm.attempt import attempt
from paxon.rsm.machine import Batched, ByteMachine, Capturable, Checked, Context, Timed
from paxon.rsm.pieces import begun
from paxon.rsm.session_memory import Session, SessionsCapture, restored_sessions
from paxon.rsm.session_requests import (
    SESSION_BYTES_MAX,
    Close,
    Confirmed,
    Crowded,
    Done,
    Early,
    Ended,
    Open,
    Opened,
    Plain,
    Tick,
    Withdrawn,
    decode_other,
    encode_answer,
    encode_answers,
    encode_result,
    run_in,
)

REPLIES_MAX: Final = 4096
"""How many commands of one session may be unconfirmed: their replies are kept in memory on every member."""

ENDED_MAX: Final = 65_536
"""How many ended sessions are remembered, some 6 MB: enough for the repetitions that are still on their way."""

DUE_SPARE: Final = 64
"""Entries of closed sessions that are not worth tidying up."""

TTL_MS_MAX: Final = 24 * 60 * 60 * 1000
"""The longest life of a session without a command: replies must not be kept for ever."""


class Sessions:
    """A state machine around another one.  Satisfies ``rsm.machine.ByteMachine``, and ``Capturable`` if that one does.

    Invariants: no open session's ``expires_ms`` is at or before the decided time; ``_ended``
    holds no open session.
    """

    def __init__(self, machine: ByteMachine) -> None:
        self._machine = machine
        self._batched = machine if isinstance(machine, Batched) else None
        self._timed = machine if isinstance(machine, Timed) else None
        self._checked = machine if isinstance(machine, Checked) else None
        self._open: dict[bytes, Session] = {}
        self._ended: OrderedDict[bytes, int] = OrderedDict()
        self._due: list[tuple[int, bytes]] = []
        """A heap of times at which sessions might end.  One that was used since then has a later entry too.

        No part of the state: what is due ends in an order that does not depend on it."""
        self._capture: SessionsCapture | None = None
        self._looked = (0, 0)
        """The slot and the decided time for which what is due was done: once for all commands of a slot."""

    def __len__(self) -> int:
        return len(self._open)

    def next_due_ms(self) -> int | None:
        """The decided time at which a session may end for want of use, or something is due in the inner machine."""
        ours = self._due[0][0] if self._due else None
        inner = None if self._timed is None else self._timed.next_due_ms()
        if ours is None or inner is None:
            return ours if inner is None else inner
        return min(ours, inner)

    def on_due(self, context: Context) -> None:
        """End what is due, and let the inner machine do the same."""
        now_ms = context.now_ms
        if self._due and self._due[0][0] <= now_ms:
            self._end_what_is_due(now_ms)
        if self._timed is not None:
            due_ms = self._timed.next_due_ms()
            if due_ms is not None and due_ms <= now_ms:
                self._timed.on_due(context)

    def apply(self, command: bytes, context: Context) -> bytes:
        """Carry out one encoded ``Request``, or a run of them; the result is the encoded ``Answer`` or answers.

        Raises:
            BadRequest: if it makes no sense.
            Exception: see ``attempt``.
        """
        moment = (context.slot, context.now_ms)
        if moment != self._looked:
            self._looked = moment
            self.on_due(context)
        run = run_in(command)
        if run is not None:
            return encode_answers(command, self._perform(*run, context))
        request = decode_other(command)
        match request:
            case Plain(command=command):
                return encode_result(attempt(self._machine, command, context))
            case Open():
                return encode_answer(self._begin(request, context.now_ms))
            case Close():
                return encode_answer(self._end(request.session))
            case Tick():
                return encode_answer(Done(b""))
            case _:
                assert_never(request)

    def check(self, command: bytes) -> None:
        """See that a command from outside makes sense to this code, before anybody decides on it.

        Raises:
            BadRequest: if it does not.
            RequestError: see the inner machine.
        """
        run = run_in(command)
        if run is not None:
            for one in run[-1]:
                if one is not None:
                    self._check_inner(one)
            return
        request = decode_other(command)
        if isinstance(request, Plain):
            self._check_inner(request.command)
        elif isinstance(request, Open):
            _check_opening(request)

    def _check_inner(self, command: bytes) -> None:
        if self._checked is not None:
            self._checked.check(command)

    def query(self, question: bytes) -> bytes:
        """See ``ByteMachine``: the inner machine's own."""
        return self._machine.query(question)

    def capture(self) -> Generator[bytes, None, None]:
        """See ``Capturable``.

        Raises:
            SnapshotUnusable: if the inner machine cannot be captured.
            InvariantViolation: while another capture is under way.
            Exception: see the inner machine.
        """
        return begun(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        check(self._capture is None, "one capture of sessions is under way at a time")
        with closing(self._capturable().capture()) as inner:
            self._capture = SessionsCapture(self._open, self._ended)
            try:
                yield b""
                yield from self._capture.pieces()
            finally:
                self._capture = None
            yield from inner

    def restore(self, pieces: Iterable[bytes]) -> None:
        """See ``Capturable``.  If it raises, the state is as before.

        Raises:
            SnapshotUnusable: if the pieces are no capture of sessions, or the inner machine finds its own unusable.
        """
        stream = iter(pieces)
        opened, ended = restored_sessions(stream)
        self._capturable().restore(stream)
        self._open, self._ended = opened, ended
        self._due = self._entries()

    def _capturable(self) -> Capturable:
        if not isinstance(self._machine, Capturable):
            raise SnapshotUnusable(f"{type(self._machine).__name__} has no capture and restore")
        return self._machine

    def _begin(self, request: Open, now_ms: int) -> Opened | Ended:
        _check_opening(request)
        if request.session in self._ended:
            # A repetition that was overtaken by the session's end must not bring it back to life with its numbers lost.
            return self._ending(request.session)
        session = self._open.get(request.session)
        if session is None:
            session = self._open[request.session] = Session(request.ttl_ms, 0)
        elif self._capture is not None:
            self._capture.before_change(request.session, session)
        session.ttl_ms = request.ttl_ms
        self._keep_alive(request.session, session, now_ms)
        return Opened(session.sequence)

    def _perform(
        self, name: bytes, first: int, confirmed: int, commands: list[bytes | None], context: Context
    ) -> list[bytes]:
        """Carry out a ``Run``; the answer to each of its commands."""
        session = self._open.get(name)
        if session is None:
            return [encode_answer(self._ending(name))] * len(commands)
        if self._capture is not None:
            self._capture.before_change(name, session)
        expires_ms = context.now_ms + session.ttl_ms
        if expires_ms >= session.expires_ms:
            # Its entry in the heap comes first and is then made anew: no entry per command.
            session.expires_ms = expires_ms
        else:
            self._keep_alive(name, session, context.now_ms)
        replies = session.replies
        while session.confirmed < confirmed and session.confirmed < session.sequence:
            del replies[session.confirmed]
            session.confirmed += 1
        due = session.sequence
        if first > due:
            return [encode_answer(Early(due))] * len(commands)
        old = min(due - first, len(commands))
        answers = [replies.get(number) or encode_answer(Confirmed()) for number in range(first, first + old)]
        room = old + REPLIES_MAX - (due - session.confirmed)
        answers += self._carry_out(name, session, commands[old:room], context)
        answers += [encode_answer(Crowded()) for _ in commands[room:]]
        return answers

    def _carry_out(self, name: bytes, session: Session, commands: list[bytes | None], context: Context) -> list[bytes]:
        """Use up the next numbers of a session, one for each of ``commands``."""
        ours = Context(context.slot, context.now_ms, name)
        wanted = [command for command in commands if command is not None]
        if self._batched is not None:
            results = self._batched.apply_all(wanted, ours)
        else:
            results = [attempt(self._machine, command, ours) for command in wanted]
        answers = [encode_result(result) for result in results]
        if len(wanted) < len(commands):
            given = iter(answers)
            answers = [encode_answer(Withdrawn()) if command is None else next(given) for command in commands]
        due = session.sequence
        session.sequence = due + len(answers)
        session.replies.update(zip(range(due, session.sequence), answers, strict=True))
        return answers

    def _end(self, name: bytes) -> Ended:
        session = self._open.pop(name, None)
        if session is not None:
            self._remember(name, session)
        return self._ending(name)

    def _ending(self, name: bytes) -> Ended:
        return Ended(self._ended.get(name))

    def _keep_alive(self, name: bytes, session: Session, now_ms: int) -> None:
        was_due_ms = session.expires_ms
        session.expires_ms = now_ms + session.ttl_ms
        if was_due_ms == 0 or session.expires_ms < was_due_ms:
            heappush(self._due, (session.expires_ms, name))

    def _end_what_is_due(self, now_ms: int) -> None:
        while self._due and self._due[0][0] <= now_ms:
            due_ms, name = heappop(self._due)
            session = self._open.get(name)
            if session is None:
                continue
            if session.expires_ms > due_ms:
                # Even if that is due as well: those that expired first end first, whatever is in the heap.
                heappush(self._due, (session.expires_ms, name))
            else:
                del self._open[name]
                self._remember(name, session)

    def _remember(self, name: bytes, session: Session) -> None:
        self._ended[name] = session.sequence
        if len(self._ended) > ENDED_MAX:
            self._ended.popitem(last=False)
        if len(self._due) > 2 * len(self._open) + DUE_SPARE:
            # Closed sessions leave their entries behind: a long ttl must not let them pile up.
            self._due = self._entries()

    def _entries(self) -> list[tuple[int, bytes]]:
        return sorted((session.expires_ms, name) for name, session in self._open.items())


def _check_opening(request: Open) -> None:
    if len(request.session) > SESSION_BYTES_MAX:
        raise BadRequest(f"the name of a session has up to {SESSION_BYTES_MAX} bytes, not {len(request.session)}")
    if not 0 < request.ttl_ms <= TTL_MS_MAX:
        raise BadRequest(f"a session lives for 1 to {TTL_MS_MAX} ms without a command, not for {request.ttl_ms}")
