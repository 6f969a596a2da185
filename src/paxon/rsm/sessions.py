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
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from heapq import heappop, heappush
from struct import Struct as Layout
from typing import Final, assert_never

import msgspec
from msgspec import Struct, msgpack

from paxon.errors import ApplyFailed, BadRequest, SnapshotUnusable, check
from paxon.rsm.attempt import Result, attempt
from paxon.rsm.machine import MALFORMED, Batched, ByteMachine, Capturable, Checked, Context, Timed
from paxon.rsm.pieces import begun
from paxon.rsm.session_memory import Session, SessionsCapture, restored_sessions

REPLIES_MAX: Final = 4096
"""How many commands of one session may be unconfirmed: their replies are kept in memory on every member."""

ENDED_MAX: Final = 65_536
"""How many ended sessions are remembered, some 6 MB: enough for the repetitions that are still on their way."""

DUE_SPARE: Final = 64
"""Entries of closed sessions that are not worth tidying up."""

TTL_MS_MAX: Final = 24 * 60 * 60 * 1000
"""The longest life of a session without a command: replies must not be kept for ever."""


class Open(Struct, frozen=True, array_like=True, tag=1):
    """Command: begin a session, or keep it alive.  Its opener drew ``session`` by lot, from 128 bits.

    Opening again what is open is harmless, so this is safe to repeat.
    """

    session: bytes
    ttl_ms: int


class Perform(Struct, frozen=True, array_like=True, tag=2):
    """Command: apply ``command`` as number ``sequence`` of ``session``.

    ``confirmed`` is the first number whose reply the session may still ask for.  Without a
    command the number is used up for nothing: whoever gave up waiting makes sure in this way that
    an earlier ``Perform`` of the number, should it not be decided yet, never takes effect.
    """

    session: bytes
    sequence: int
    confirmed: int
    command: bytes | None


class Close(Struct, frozen=True, array_like=True, tag=3):
    """Command: end a session."""

    session: bytes


class Plain(Struct, frozen=True, array_like=True, tag=4):
    """Command: apply ``command`` without a session: once for every time it is decided."""

    command: bytes


class Tick(Struct, frozen=True, array_like=True, tag=5):
    """Command: let decided time catch up, so that what is due by time happens while nobody else submits anything."""


class Done(Struct, frozen=True, array_like=True, tag=1):
    """The command was applied, now or before, with this ``result``."""

    result: bytes


class Failed(Struct, frozen=True, array_like=True, tag=2):
    """The state machine raised on the command, now or before; the state is as if it had not been."""

    reason: str


class Opened(Struct, frozen=True, array_like=True, tag=3):
    """The session is open; its next command has the number ``sequence``."""

    sequence: int


class Ended(Struct, frozen=True, array_like=True, tag=4):
    """There is no such session, and the command was not applied by this.

    ``sequence`` is the number that would have been next when the session ended: lower ones had
    been applied.  ``None`` if nobody remembers the session.
    """

    sequence: int | None


class Early(Struct, frozen=True, array_like=True, tag=5):
    """Not applied: number ``sequence`` of the session comes first."""

    sequence: int


class Confirmed(Struct, frozen=True, array_like=True, tag=6):
    """The command was applied before, and the session said that it had the reply."""


class Crowded(Struct, frozen=True, array_like=True, tag=7):
    """Not applied: too many replies of the session are not confirmed."""


class Withdrawn(Struct, frozen=True, array_like=True, tag=8):
    """The number is used up, and nothing was applied for it, nor ever will be."""


Request = Open | Perform | Close | Plain | Tick
Answer = Done | Failed | Opened | Ended | Early | Confirmed | Crowded | Withdrawn

_encode: Final = msgpack.Encoder().encode
_decode: Final = msgpack.Decoder(Open | Close | Plain | Tick).decode
_answers: Final[msgpack.Decoder[Answer]] = msgpack.Decoder(Answer)

# Nearly everything that travels is a Perform or its Done.  These have a layout of their own, which costs a third of
# what a MessagePack array around bytes does.  Neither can be taken for one: no array begins with a zero.
_PERFORM: Final = Layout(">xBQQ?")
"""A zero, the length of the session's name, the two numbers, and whether there is a command; then name and command."""
_HEAD: Final = _PERFORM.size
_ALONE: Final = b"\0"
"""Begins one ``Perform``."""
_DONE: Final = b"\0"
"""Begins its answer, if that is a ``Done``; the result is the rest."""
SESSION_BYTES_MAX: Final = 255
"""The longest name of a session."""


def encode(request: Request) -> bytes:
    """A request as a command of ``Sessions``."""
    if isinstance(request, Perform):
        return encode_perform(request.session, request.sequence, request.confirmed, request.command)
    return _encode(request)


def encode_perform(session: bytes, sequence: int, confirmed: int, command: bytes | None) -> bytes:
    """A ``Perform`` as a command of ``Sessions``, without making one."""
    head = _PERFORM.pack(len(session), sequence, confirmed, command is not None)
    return head + session if command is None else head + session + command


_TOGETHER: Final = b"\1"
"""Begins several ``Perform`` of one session in one command, and their answers: they cost the log and its members a
fraction of so many commands."""
_RUN: Final = Layout(">BBQQ")
"""A one, the length of the session's name, the number of the first, and the first that is not confirmed.  The name
follows, and a MessagePack array of the commands; a nil is one that was withdrawn."""
_RUN_HEAD: Final = _RUN.size
_decode_run: Final[Callable[[bytes], list[bytes | None]]] = msgpack.Decoder(list[bytes | None]).decode
_decode_answers: Final = msgpack.Decoder(list[bytes]).decode


def encode_together(session: bytes, first: int, confirmed: int, commands: Sequence[bytes | None]) -> bytes:
    """The commands ``first``, ``first + 1`` and so on of a session as one command of ``Sessions``.

    They are carried out one after the other, each as its own ``Perform`` would be.
    """
    return _RUN.pack(1, len(session), first, confirmed) + session + _encode(commands)


def answers_of(answer: bytes, count: int) -> list[bytes]:
    """The answers to ``count`` requests that were sent together.

    Raises:
        msgspec.DecodeError: if it is no such answer.
    """
    if answer[:1] != _TOGETHER:
        raise msgspec.DecodeError("requests sent together are answered together")
    answers = _decode_answers(answer[1:])
    if len(answers) != count:
        raise msgspec.DecodeError(f"{count} requests have {len(answers)} answers")
    return answers


def is_done(answer: bytes) -> bool:
    """Whether an answer of ``Sessions`` is a ``Done``."""
    return answer[:1] == _DONE


def result_of(done: bytes) -> bytes:
    """The result in an answer that ``is_done``."""
    return done[1:]


def decode_requests(command: bytes) -> list[Request]:
    """The requests in a command of ``Sessions``: the reverse of ``encode`` and of ``encode_together``.

    Raises:
        BadRequest: if there is none.
    """
    if command[:1] == _TOGETHER:
        session, first, confirmed, commands = _read_together(command)
        return [Perform(session, number, confirmed, one) for number, one in enumerate(commands, first)]
    return [_decode_perform(command) if command[:1] == _ALONE else _read(command)]


def exchanges(command: bytes, answer: bytes) -> list[tuple[Request, bytes]]:
    """Each request in a command of ``Sessions`` that was carried out, and the answer to it.

    Raises:
        msgspec.DecodeError: if it is no such answer.
    """
    requests = decode_requests(command)
    answers = answers_of(answer, len(requests)) if answer[:1] == _TOGETHER else [answer]
    return list(zip(requests, answers, strict=True))


def _decode_perform(command: bytes) -> Perform:
    name_bytes, sequence, confirmed, has_command = _unpack(command)
    inner = _HEAD + name_bytes
    return Perform(command[_HEAD:inner], sequence, confirmed, command[inner:] if has_command else None)


def decode_answer(answer: bytes) -> Answer:
    """What ``Sessions`` returned.

    Raises:
        msgspec.DecodeError: if it is no answer.
    """
    return Done(result_of(answer)) if is_done(answer) else _answers.decode(answer)


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
        """Carry out one encoded ``Request``; the result is an encoded ``Answer``.

        Raises:
            BadRequest: if it makes no sense.
            Exception: see ``attempt``.
        """
        self._look_at_due(context)
        if command[:1] == _ALONE:
            return self._perform(command, context)
        if command[:1] == _TOGETHER:
            return self._perform_together(command, context)
        request = _read(command)
        match request:
            case Plain(command=command):
                return _answer(attempt(self._machine, command, context))
            case Open():
                return self._begin(request, context.now_ms)
            case Close():
                return self._end(request.session)
            case Tick():
                return _DONE
            case _:
                assert_never(request)

    def check(self, command: bytes) -> None:
        """See that a command from outside makes sense to this code, before anybody decides on it.

        Raises:
            BadRequest: if it does not.
            RequestError: see the inner machine.
        """
        if command[:1] == _ALONE:
            name_bytes, _, _, has_command = _unpack(command)
            if has_command:
                self._check_inner(command[_HEAD + name_bytes :])
            return
        if command[:1] == _TOGETHER:
            for one in _read_together(command)[-1]:
                if one is not None:
                    self._check_inner(one)
            return
        request = _read(command)
        if isinstance(request, Plain):
            self._check_inner(request.command)
        elif isinstance(request, Open):
            _check_opening(request)

    def _check_inner(self, command: bytes) -> None:
        if self._checked is not None:
            self._checked.check(command)

    def apply_all(self, commands: Sequence[bytes], context: Context) -> list[Result]:
        """See ``Batched``."""
        if commands:
            self._look_at_due(context)
        perform = self._perform
        return [
            perform(command, context)
            if command[:1] == _ALONE and len(command) >= _HEAD
            else attempt(self, command, context)
            for command in commands
        ]

    def _look_at_due(self, context: Context) -> None:
        moment = (context.slot, context.now_ms)
        if moment != self._looked:
            self._looked = moment
            self.on_due(context)

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

    def _begin(self, request: Open, now_ms: int) -> bytes:
        _check_opening(request)
        if request.session in self._ended:
            # A repetition that was overtaken by the session's end must not bring it back to life with its numbers lost.
            return _encode(Ended(self._ended[request.session]))
        session = self._open.get(request.session)
        if session is None:
            session = self._open[request.session] = Session(request.ttl_ms, 0)
        elif self._capture is not None:
            self._capture.before_change(request.session, session)
        session.ttl_ms = request.ttl_ms
        self._keep_alive(request.session, session, now_ms)
        return _encode(Opened(session.sequence))

    def _perform(self, request: bytes, context: Context) -> bytes:
        name_bytes, sequence, confirmed, has_command = _unpack(request)
        inner = _HEAD + name_bytes
        command = request[inner:] if has_command else None
        return self._perform_all(request[_HEAD:inner], sequence, confirmed, [command], context)[0]

    def _perform_together(self, request: bytes, context: Context) -> bytes:
        return _TOGETHER + _encode(self._perform_all(*_read_together(request), context))

    def _perform_all(
        self, name: bytes, first: int, confirmed: int, commands: list[bytes | None], context: Context
    ) -> list[bytes]:
        """Carry out commands of one session, with numbers from ``first`` on; the answer to each."""
        session = self._open.get(name)
        if session is None:
            return [_encode(Ended(self._ended.get(name)))] * len(commands)
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
            return [_encode(Early(due))] * len(commands)
        old = min(due - first, len(commands))
        answers = [replies.get(number) or _encode(Confirmed()) for number in range(first, first + old)]
        room = old + REPLIES_MAX - (due - session.confirmed)
        answers += self._carry_out(name, session, commands[old:room], context)
        answers += [_encode(Crowded()) for _ in commands[room:]]
        return answers

    def _carry_out(self, name: bytes, session: Session, commands: list[bytes | None], context: Context) -> list[bytes]:
        """Use up the next numbers of a session, one for each of ``commands``."""
        ours = Context(context.slot, context.now_ms, name)
        wanted = [command for command in commands if command is not None]
        if self._batched is not None:
            results = self._batched.apply_all(wanted, ours)
        else:
            results = [attempt(self._machine, command, ours) for command in wanted]
        answers = [_DONE + result if type(result) is bytes else _answer(result) for result in results]
        if len(wanted) < len(commands):
            given = iter(answers)
            answers = [_encode(Withdrawn()) if command is None else next(given) for command in commands]
        due = session.sequence
        session.sequence = due + len(answers)
        session.replies.update(zip(range(due, session.sequence), answers, strict=True))
        return answers

    def _end(self, name: bytes) -> bytes:
        session = self._open.pop(name, None)
        if session is not None:
            self._remember(name, session)
        return _encode(Ended(self._ended.get(name)))

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


def _read(command: bytes) -> Open | Close | Plain | Tick:
    try:
        request: Open | Close | Plain | Tick = _decode(command)
    except MALFORMED as error:
        raise BadRequest(f"this is no command for sessions: {error}") from error
    return request


def _read_together(command: bytes) -> tuple[bytes, int, int, list[bytes | None]]:
    """The session, the number of the first, the first unconfirmed one, and the commands."""
    if len(command) < _RUN_HEAD:
        raise BadRequest(f"commands that are sent together have at least {_RUN_HEAD} bytes, not {len(command)}")
    _, name_bytes, first, confirmed = _RUN.unpack_from(command)
    begin = _RUN_HEAD + name_bytes
    try:
        # Looked at before the first is carried out: all or none.
        commands = _decode_run(command[begin:])
    except MALFORMED as error:
        raise BadRequest(f"these are no commands of a session: {error}") from error
    return command[_RUN_HEAD:begin], first, confirmed, commands


def _unpack(perform: bytes) -> tuple[int, int, int, bool]:
    """The length of the session's name, the number, the first unconfirmed one, and whether there is a command."""
    if len(perform) < _HEAD:
        raise BadRequest(f"a command of a session has at least {_HEAD} bytes, not {len(perform)}")
    return _PERFORM.unpack_from(perform)


def _check_opening(request: Open) -> None:
    if len(request.session) > SESSION_BYTES_MAX:
        raise BadRequest(f"the name of a session has up to {SESSION_BYTES_MAX} bytes, not {len(request.session)}")
    if not 0 < request.ttl_ms <= TTL_MS_MAX:
        raise BadRequest(f"a session lives for 1 to {TTL_MS_MAX} ms without a command, not for {request.ttl_ms}")


def _answer(result: Result) -> bytes:
    return _encode(Failed(str(result))) if isinstance(result, ApplyFailed) else _DONE + result
