"""What sessions are asked and what they answer, and how both are spelled in bytes.

Knows: numbers, commands and replies as they travel.  Does not know: which sessions there are; ``sessions`` does.

Nearly everything that travels is a command of a session, or several that follow one another, and the answers to
them.  These have a layout of their own, which costs a third of what a MessagePack array around bytes does.  Their
first byte tells them from everything else: no array begins with a zero or a one.
"""

from collections.abc import Callable, Sequence
from struct import Struct as Layout
from typing import Final

import msgspec
from msgspec import Struct, msgpack

from paxon.errors import ApplyFailed, BadRequest
from paxon.rsm.attempt import Result
from paxon.rsm.machine import MALFORMED


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

Run = tuple[bytes, int, int, list[bytes | None]]
"""Commands of one session that follow one another: its name, the number of the first of them, the first number that
is not confirmed, and the commands, each as it would be in a ``Perform`` of its own."""

SESSION_BYTES_MAX: Final = 255
"""The longest name of a session."""

_encode: Final = msgpack.Encoder().encode
_decode: Final = msgpack.Decoder(Open | Close | Plain | Tick).decode
_answers: Final[msgpack.Decoder[Answer]] = msgpack.Decoder(Answer)

_ALONE: Final = Layout(">xBQQ?")
"""One ``Perform``: a zero, the length of the session's name, the two numbers, and whether there is a command.  Name
and command follow."""

_TOGETHER: Final = Layout(">BBQQ")
"""A run of several: a one, the length of the session's name, and the two numbers.  The name follows, and a MessagePack
array of commands; a nil is one that was withdrawn.  It costs the log and its members a fraction of so many requests."""

_IS_ALONE: Final = b"\0"
_IS_TOGETHER: Final = b"\1"
"""Begins also the answers to a run; a MessagePack array of them follows."""

_DONE: Final = b"\0"
"""Begins a ``Done``; the result is the rest."""

_decode_run: Final[Callable[[bytes], list[bytes | None]]] = msgpack.Decoder(list[bytes | None]).decode
_decode_answers: Final = msgpack.Decoder(list[bytes]).decode


# --- requests ---


def encode(request: Request) -> bytes:
    """A request as a command of ``Sessions``."""
    if isinstance(request, Perform):
        return encode_perform(request.session, request.sequence, request.confirmed, request.command)
    return _encode(request)


def encode_perform(session: bytes, sequence: int, confirmed: int, command: bytes | None) -> bytes:
    """A ``Perform`` as a command of ``Sessions``, without making one."""
    head = _ALONE.pack(len(session), sequence, confirmed, command is not None)
    return head + session if command is None else head + session + command


def encode_together(session: bytes, first: int, confirmed: int, commands: Sequence[bytes | None]) -> bytes:
    """The commands ``first``, ``first + 1`` and so on of a session as one command of ``Sessions``.

    They are carried out one after the other, each as its own ``Perform`` would be.
    """
    return _TOGETHER.pack(_IS_TOGETHER[0], len(session), first, confirmed) + session + _encode(commands)


def run_in(command: bytes) -> Run | None:
    """The one or several commands of a session that a command of ``Sessions`` holds; ``None`` if it is something else.

    Raises:
        BadRequest: if it begins like them and goes on otherwise.
    """
    begins = command[:1]
    if begins == _IS_ALONE:
        if len(command) < _ALONE.size:
            raise BadRequest(f"a command of a session has at least {_ALONE.size} bytes, not {len(command)}")
        name_bytes, first, confirmed, has_command = _ALONE.unpack_from(command)
        end = _ALONE.size + name_bytes
        return command[_ALONE.size : end], first, confirmed, [command[end:] if has_command else None]
    if begins == _IS_TOGETHER:
        if len(command) < _TOGETHER.size:
            raise BadRequest(f"commands sent together have at least {_TOGETHER.size} bytes, not {len(command)}")
        _, name_bytes, first, confirmed = _TOGETHER.unpack_from(command)
        end = _TOGETHER.size + name_bytes
        try:
            # All of them before the first is carried out: all or none.
            return command[_TOGETHER.size : end], first, confirmed, _decode_run(command[end:])
        except MALFORMED as error:
            raise BadRequest(f"these are no commands of a session: {error}") from error
    return None


def decode_other(command: bytes) -> Open | Close | Plain | Tick:
    """The request in a command of ``Sessions`` that has no run in it.

    Raises:
        BadRequest: if there is none.
    """
    try:
        request: Open | Close | Plain | Tick = _decode(command)
    except MALFORMED as error:
        raise BadRequest(f"this is no command for sessions: {error}") from error
    return request


def decode_requests(command: bytes) -> list[Request]:
    """The requests in a command of ``Sessions``: the reverse of ``encode`` and of ``encode_together``.

    Raises:
        BadRequest: if there is none.
    """
    run = run_in(command)
    if run is None:
        return [decode_other(command)]
    session, first, confirmed, commands = run
    return [Perform(session, number, confirmed, one) for number, one in enumerate(commands, first)]


# --- answers ---


def encode_answer(answer: Answer) -> bytes:
    """What ``Sessions`` returns for one request."""
    return _DONE + answer.result if isinstance(answer, Done) else _encode(answer)


def encode_result(result: Result) -> bytes:
    """The same for what the inner machine gave."""
    return _encode(Failed(str(result))) if isinstance(result, ApplyFailed) else _DONE + result


def encode_answers(command: bytes, answers: list[bytes]) -> bytes:
    """What ``Sessions`` returns for a ``command`` with a run in it, given the encoded answers to those."""
    return _IS_TOGETHER + _encode(answers) if command[:1] == _IS_TOGETHER else answers[0]


def decode_answer(answer: bytes) -> Answer:
    """What ``Sessions`` returned for one request.

    Raises:
        msgspec.DecodeError: if it is no answer.
    """
    return Done(result_of(answer)) if is_done(answer) else _answers.decode(answer)


def answers_of(answer: bytes, count: int) -> list[bytes]:
    """The answers to ``count`` requests that were sent together.

    Raises:
        msgspec.DecodeError: if it is no such answer.
    """
    if answer[:1] != _IS_TOGETHER:
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


def exchanges(command: bytes, answer: bytes) -> list[tuple[Request, bytes]]:
    """Each request in a command of ``Sessions`` that was carried out, and the answer to it.

    Raises:
        msgspec.DecodeError: if it is no such answer.
    """
    requests = decode_requests(command)
    answers = answers_of(answer, len(requests)) if answer[:1] == _IS_TOGETHER else [answer]
    return list(zip(requests, answers, strict=True))
