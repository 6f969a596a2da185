"""Members for client tests: real sockets and frames, and whatever answers the test wants."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator

from paxon.client.standard import NAMES
from paxon.core.decree import FIRST_SLOT
from paxon.kv.name_server import NameServer
from paxon.net.calls import Caller, CallServer
from paxon.node.service import (
    CALL_LIMITS,
    CLIENT_VOCABULARY,
    Events,
    Failure,
    Query,
    Reply,
    Request,
    Result,
    StatusReply,
    StatusRequest,
    Submit,
    Unwatch,
    Watch,
)
from paxon.node.settings import Address
from paxon.node.status import MemberStatus, Role
from paxon.rsm.assembly import Assembly
from paxon.rsm.machine import Context
from paxon.rsm.sessions import Sessions

Answer = Callable[["FakeMember", Caller, Request], None]


class FakeMember:
    """Answers each request as ``answer`` says, and keeps what it was asked."""

    def __init__(self, name: str = "n1", answer: Answer | None = None) -> None:
        self.name = name
        self.answer = answer or from_name_server
        self.machine = Sessions(Assembly({NAMES: NameServer()}))
        self.asked: list[Request] = []
        self.was_asked = asyncio.Event()
        self.leader_endpoint = ""
        self.callers: list[Caller] = []
        self._server: CallServer | None = None
        self.endpoint = Address("127.0.0.1", 1)

    async def start(self) -> None:
        self._server = CallServer(
            listen=("127.0.0.1", 0),
            vocabulary=CLIENT_VOCABULARY,
            on_request=self._on_request,
            on_closed=lambda caller: None,
            limits=CALL_LIMITS,
        )
        await self._server.start()
        self.endpoint = Address(*self._server.address)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.close()
            self._server = None

    def status(self) -> MemberStatus:
        return MemberStatus(
            self.name, Role.FOLLOWER, 65537, 7, 0, 4096, "0.1.0", 42, str(self.endpoint), "nx", self.leader_endpoint
        )

    def _on_request(self, caller: Caller, message: object) -> None:
        assert isinstance(message, Request)
        if caller not in self.callers:
            self.callers.append(caller)
        self.asked.append(message)
        self.was_asked.set()
        self.answer(self, caller, message)


def from_name_server(member: FakeMember, caller: Caller, request: Request) -> None:
    """What a cluster of one would answer."""
    reply: Reply
    match request:
        case Submit(number=number, command=command):
            reply = Result(number, 1, member.machine.apply(command, Context(FIRST_SLOT, 0)))
        case Query(number=number, question=question):
            reply = Result(number, 1, member.machine.query(question))
        case StatusRequest(number=number):
            reply = StatusReply(number, member.status())
        case Watch(number=number):
            reply = Events(number, 1, ())
        case Unwatch():
            return
    caller.reply(reply)


def failing(code: str, hint: str = "", times: int | None = None) -> Answer:
    """The failure ``code``, the first ``times`` times; after that as the name server."""
    left = [-1 if times is None else times]

    def answer(member: FakeMember, caller: Caller, request: Request) -> None:
        if left[0] == 0:
            from_name_server(member, caller, request)
        else:
            left[0] -= 1
            caller.reply(Failure(request.number, code, f"{code} at {member.name}", hint))

    return answer


def breaking(member: FakeMember, caller: Caller, request: Request) -> None:
    """Takes the request and closes the connection."""
    caller.close()


def silent(member: FakeMember, caller: Caller, request: Request) -> None:
    """Takes the request and says nothing."""


@contextlib.asynccontextmanager
async def started(*members: FakeMember) -> AsyncIterator[list[str]]:
    """The members, listening; gives their endpoints."""
    try:
        for member in members:
            await member.start()
        yield [str(member.endpoint) for member in members]
    finally:
        await asyncio.gather(*(member.stop() for member in members))


@contextlib.contextmanager
def refusing_endpoint() -> Iterator[str]:
    """An endpoint where connections are refused, for as long as the context lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"
