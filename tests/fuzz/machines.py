"""Targets: what clients send to the state machines around a user's own: sessions, and calls of a replicated object."""

from collections.abc import Mapping

from paxon.core.decree import Slot
from paxon.errors import BadRequest, LedgerTooNew
from paxon.kv import name_server
from paxon.kv.name_server import NameServer
from paxon.rsm import session_requests
from paxon.rsm.assembly import Announce, Assembly, PartCall
from paxon.rsm.assembly import encode as encode_part
from paxon.rsm.machine import Context
from paxon.rsm.objects import ReplicatedObject, Signature, question, submission
from paxon.rsm.session_requests import Close, Open, Perform, Plain, decode_answer
from paxon.rsm.sessions import Sessions
from tests.fuzz.oracle import Draw, Target, refusing
from tests.rsm.inventory import Inventory


def sessions_kept(data: bytes) -> None:
    """A command is refused in words or has an answer that can be read, whatever came before it."""
    machine = Sessions(NameServer())
    draw = Draw(data)
    now_ms = 0
    while not draw.is_empty:
        now_ms += draw.byte()
        command = draw.take(draw.byte())
        with refusing(BadRequest) as watch:
            answer = machine.apply(command, Context(Slot(1), now_ms))
        if not watch.is_refused:
            _read(command, answer)


def objects(data: bytes) -> None:
    """A call that is no call is refused; one that passes the door is carried out, or the user's own method raises."""
    replica = ReplicatedObject(Inventory())
    draw = Draw(data)
    while not draw.is_empty:
        call = draw.take(draw.byte())
        with refusing(BadRequest) as watch:
            replica.check(call)
        # ``reckless`` raises, as users' code does; and a call that nobody let in may be of a later release.
        with refusing(LookupError, *((BadRequest, LedgerTooNew) if watch.is_refused else ())):
            replica.apply(call, Context(Slot(1), 0))
        with refusing(BadRequest):
            replica.query(call)


def door(data: bytes) -> None:
    """What passes the door of a member is answered by every member, in words that can be read."""
    assembly = Assembly({"inventory": Inventory(), "names": NameServer()})
    assembly.apply(encode_part(Announce("a", assembly.abilities)), Context(Slot(1), 0))
    machine = Sessions(assembly)
    machine.apply(session_requests.encode(Open(b"s", 1000)), Context(Slot(1), 0))
    draw = Draw(data)
    while not draw.is_empty:
        command = draw.take(draw.byte())
        with refusing(BadRequest) as watch:
            machine.check(command)
        if not watch.is_refused:
            _read(command, machine.apply(command, Context(Slot(1), 0)))


def _read(command: bytes, answer: bytes) -> None:
    for _, one in session_requests.exchanges(command, answer):
        decode_answer(one)


def _spelled(*parts: bytes) -> bytes:
    return b"".join(bytes((len(part),)) + part for part in parts)


_SIGNATURE = Signature(Inventory)
_CALLS = (
    submission(_SIGNATURE, Inventory.supply, "bolt", amount=3)[0],
    submission(_SIGNATURE, Inventory.reserve, "bolt", order="o-1")[0],
    submission(_SIGNATURE, Inventory.reckless, "bolt")[0],
    submission(_SIGNATURE, Inventory.draw)[0],
    question(_SIGNATURE, Inventory.left, "bolt")[0],
)

_SESSION: list[session_requests.Request] = [
    Open(b"s", 1000),
    Perform(b"s", 0, 0, name_server.put(b"k", b"v")),
    Perform(b"s", 1, 1, name_server.delete(b"k")),
    Plain(name_server.put(b"k", b"v")),
]
_REQUESTS = (
    *map(session_requests.encode, _SESSION),
    session_requests.encode_together(b"s", 2, 1, [name_server.put(b"k", b"v"), None]),
    session_requests.encode(Close(b"s")),
)

_PARTS = (
    *(encode_part(PartCall("inventory", call)) for call in _CALLS),
    encode_part(PartCall("names", name_server.put(b"k", b"v"))),
    encode_part(PartCall("nowhere", b"")),
    encode_part(Announce("b", {})),
)
_DOOR = (
    *(session_requests.encode(Perform(b"s", number, 0, call)) for number, call in enumerate(_PARTS)),
    *(session_requests.encode(Plain(call)) for call in _PARTS),
    session_requests.encode(Open(b"t", 1)),
    session_requests.encode(Open(b"t", 0)),
    session_requests.encode(Perform(b"s", 0, 0, None)),
    session_requests.encode_together(b"s", 0, 0, [*_PARTS[:2], None]),
    session_requests.encode(Close(b"s")),
)

TARGETS: Mapping[str, Target] = {
    "sessions": Target(sessions_kept, (b"".join(b"\1" + _spelled(request) for request in _REQUESTS),)),
    "door": Target(door, (_spelled(*_DOOR), *map(_spelled, _DOOR))),
    "objects": Target(objects, (_spelled(*_CALLS), *map(_spelled, _CALLS))),
}
