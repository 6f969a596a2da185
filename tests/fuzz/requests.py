"""Targets: what clients send, from the bytes of a connection down to the name server, and what members answer them."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from paxon.codec.frames import FrameReader, encode_frame
from paxon.core.decree import Slot
from paxon.errors import BadRequest, ProtocolError
from paxon.kv import name_server
from paxon.kv.name_server import Compared, Deleted, Found, NameServer, Written, read_reply
from paxon.net.calls import Caller
from paxon.net.framed import Framed
from paxon.node.consistency import Consistency
from paxon.node.proposals import Applied
from paxon.node.service import (
    CALL_LIMITS,
    CLIENT_VOCABULARY,
    ClientService,
    Events,
    Failure,
    Result,
    StatusReply,
    Unwatch,
    Watch,
)
from paxon.node.status import MemberStatus, Role
from paxon.rsm.feed import Feed
from paxon.rsm.machine import Context
from tests.fuzz.examples import CLIENT_MESSAGES
from tests.fuzz.oracle import Draw, Target, refusing
from tests.net.test_framed import Transport

CONTEXT = Context(Slot(1), 0)
PIECES_MAX = 8


class OneMember:
    """A node that decides at once."""

    def __init__(self) -> None:
        self._machine = NameServer()
        self.feed = Feed()

    def submit(self, command: bytes, timeout_ms: int) -> "asyncio.Future[Applied]":
        future: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        future.set_result(Applied(1, self._machine.apply(command, CONTEXT)))
        return future

    async def query(self, question: bytes, timeout_ms: int, consistency: Consistency) -> Applied:
        await asyncio.sleep(0)
        return Applied(1, self._machine.query(question))

    def status(self) -> MemberStatus:
        return MemberStatus("a", Role.LEADER, 1, 1, 0, 0, "0", 1, "", "a", "")


def connection(data: bytes) -> None:
    """Every request gets one reply, or the connection is closed for a broken rule; nothing gets past the protocol."""
    asyncio.run(_connection(data))


async def _connection(data: bytes) -> None:
    draw = Draw(data)
    cuts = [draw.byte() for _ in range(draw.below(PIECES_MAX))]
    stream = draw.rest() if draw.below(2) else _framed(draw)
    service = ClientService(OneMember())
    asked: list[int] = []
    watched: list[int] = []
    closed: list[Exception | None] = []

    def on_request(caller: Caller, message: object) -> None:
        service.on_request(caller, message)
        if isinstance(message, Watch):
            watched.append(message.number)
        if not isinstance(message, Unwatch):
            asked.append(getattr(message, "number"))  # noqa: B009 - whatever is a request has one.

    def on_closed(caller: Caller, error: Exception | None) -> None:
        service.on_closed(caller)
        closed.append(error)

    caller = Caller(CLIENT_VOCABULARY, CALL_LIMITS, on_request, on_closed)
    transport = Transport(caller.framed)
    caller.framed.connection_made(transport)
    at = 0
    for size in [*cuts, len(stream)]:
        caller.framed.data_received(stream[at : at + size])
        at += size
    await asyncio.sleep(0)
    if not closed:
        for number in watched:
            service.on_request(caller, Unwatch(number))
    if waiting := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(waiting)
    await _leave(caller.framed, transport)
    (error,) = closed
    answered = []
    for kind, body in FrameReader(CALL_LIMITS.frame_bytes_max).feed(b"".join(transport.writes)):
        reply = CLIENT_VOCABULARY.decode(kind, body)
        assert isinstance(reply, Result | Failure | StatusReply | Events), reply
        answered.append(reply.number)
    if error is None:
        assert sorted(answered) == sorted(asked)
    else:
        assert isinstance(error, ProtocolError), error


def _framed(draw: Draw) -> bytes:
    """Whole frames with good checksums, whatever is in them."""
    frames = b""
    while not draw.is_empty:
        kind = draw.byte()
        frames += encode_frame(kind, draw.take(draw.byte()))
    return frames


async def _leave(framed: Framed, transport: Transport) -> None:
    await asyncio.sleep(0)
    framed.close()
    await framed.wait_closed()
    assert transport.is_closed


def commands(data: bytes) -> None:
    """The state machine never raises, and its answer to whatever it is given can be read."""
    machine = NameServer()
    draw = Draw(data)
    while not draw.is_empty:
        is_question = bool(draw.below(2))
        words = draw.take(draw.byte())
        reply = machine.query(words) if is_question else machine.apply(words, CONTEXT)
        readers = _READERS[3:] if is_question else _READERS[:3]
        assert any(_is_read(reply, reader) for reader in readers), reply


def _is_read(reply: bytes, reader: Callable[[bytes], object]) -> bool:
    with refusing(ProtocolError) as other, refusing(BadRequest):
        reader(reply)
    return not other.is_refused


def replies(data: bytes) -> None:
    """A client is told what is wrong with a reply, whatever it is."""
    for reader in _READERS:
        with refusing(ProtocolError, BadRequest):
            reader(data)


_READERS: tuple[Callable[[bytes], object], ...] = (
    partial(read_reply, expected=Written),
    partial(read_reply, expected=Deleted),
    partial(read_reply, expected=Compared),
    partial(read_reply, expected=Found),
)
"""What a client reads answers with: to the three commands, then to the question."""

_COMMANDS = [
    name_server.put(b"k", b"v"),
    name_server.compare_and_put(b"k", b"v", b"w"),
    name_server.compare_and_put(b"k", None, b"w"),
    name_server.delete(b"k"),
]
_QUESTION = name_server.get(b"k")


def _spelled(is_question: bool, words: bytes) -> bytes:
    return bytes((is_question, len(words))) + words


def _answers() -> tuple[bytes, ...]:
    machine = NameServer()
    return (*(machine.apply(command, CONTEXT) for command in (*_COMMANDS, b"")), machine.query(_QUESTION))


_BODIES = [CLIENT_VOCABULARY.encode(message) for message in CLIENT_MESSAGES]
_STREAM = b"".join(encode_frame(*body) for body in _BODIES)

TARGETS: Mapping[str, Target] = {
    "connection": Target(
        connection,
        (
            b"\0\1" + b"".join(encode_frame(*body) for body in _BODIES[:3]),
            bytes((3, 1, 9, 200, 1)) + _STREAM,
            *(bytes((0, 0, kind, len(body))) + body for kind, body in _BODIES),
        ),
    ),
    "commands": Target(
        commands, (b"".join(_spelled(False, command) for command in _COMMANDS) + _spelled(True, _QUESTION),)
    ),
    "replies": Target(replies, _answers()),
}
