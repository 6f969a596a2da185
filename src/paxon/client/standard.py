"""The parts that every cluster has, and the name server's commands and questions as those of one part.

Knows: their names, and how a command that belongs to no session is spelled.  Does not know: how
anything travels.
"""

from collections.abc import Mapping
from typing import Final, TypeVar

from paxon.collections import STANDARD
from paxon.errors import ApplyFailed, ProtocolError
from paxon.kv import name_server
from paxon.kv.name_server import Compared, Deleted, Found, NameServer, Written
from paxon.rsm.assembly import PartCall
from paxon.rsm.assembly import encode as encode_part
from paxon.rsm.contract import StateMachine
from paxon.rsm.machine import MALFORMED, ByteMachine
from paxon.rsm.session_requests import Done, Failed, Plain, decode_answer, encode

ReplyT = TypeVar("ReplyT", Written, Deleted, Compared, Found)

NAMES: Final = "paxon.names"
"""The part that ``paxon put`` and its kin are about."""


def standard_parts(own: Mapping[str, type[StateMachine]] | None = None) -> dict[str, StateMachine | ByteMachine]:
    """New, empty parts for a member: those of a user, and those that every cluster has."""
    parts: dict[str, StateMachine | ByteMachine] = {name: kind() for name, kind in (own or {}).items()}
    parts[NAMES] = NameServer()
    return parts | {name: kind() for name, kind in STANDARD.items()}


def name_command(command: bytes) -> bytes:
    """A command of the name server, without a session: applied once for every time it is decided."""
    return encode(Plain(encode_part(PartCall(NAMES, command))))


def name_question(question: bytes) -> bytes:
    """A question of the name server."""
    return encode_part(PartCall(NAMES, question))


def read_name_answer(body: bytes, expected: type[ReplyT]) -> ReplyT:
    """The name server's reply in the answer to a ``name_command``.

    Raises:
        ApplyFailed: if it raised.
        BadRequest: if it refused.
        ProtocolError: if ``body`` is no such answer: the other side speaks another language.
    """
    try:
        answer = decode_answer(body)
    except MALFORMED as error:
        raise ProtocolError(f"the answer is not one of sessions: {error}") from error
    match answer:
        case Done(result=result):
            return name_server.read_reply(result, expected)
        case Failed(reason=reason):
            raise ApplyFailed(reason)
        case _:
            raise ProtocolError(f"the answer to a command without a session is a {type(answer).__name__}")
