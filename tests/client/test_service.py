"""The client port's service, with the node and the connection played by the test."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from paxon import errors
from paxon.errors import NotLeader, OutcomeUnknown, Overloaded, ProtocolError, RequestError
from paxon.node.consistency import LINEARIZABLE, STALE, Consistency
from paxon.node.proposals import Applied
from paxon.node.service import (
    CLIENT_KINDS,
    ERRORS,
    ClientService,
    Failure,
    Query,
    Reply,
    Result,
    StatusReply,
    StatusRequest,
    Submit,
    error_of,
    failure_of,
)
from paxon.node.status import MemberStatus, Role

STATUS = MemberStatus("n1", Role.LEADER, 65537, 7, 0, 4096, "0.1.0", 42, "127.0.0.1:7400", "n1", "127.0.0.1:7400")


class ScriptedNode:
    """Keeps every future for the test to settle."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Applied]] = []
        self.refusal: Exception | None = None

    def submit(self, command: bytes, timeout_ms: int) -> "asyncio.Future[Applied]":
        if self.refusal is not None:
            raise self.refusal
        future: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self.futures.append(future)
        return future

    async def query(self, question: bytes, timeout_ms: int, consistency: Consistency) -> Applied:
        if consistency == STALE:
            return Applied(1, b"stale " + question)
        return await self.submit(question, timeout_ms)

    def status(self) -> MemberStatus:
        return STATUS


class Replies:
    """A caller that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Reply] = []

    def reply(self, message: Reply) -> None:
        self.told.append(message)


def play(script: Callable[[ScriptedNode, ClientService, Replies], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        node = ScriptedNode()
        await script(node, ClientService(node, outstanding_max=3), Replies())

    asyncio.run(main())


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def test_replies_carry_the_number_of_their_request_in_any_order() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        service.on_request(caller, Submit(1, b"a", 100))
        service.on_request(caller, Submit(2, b"b", 100))
        service.on_request(caller, StatusRequest(3))
        node.futures[1].set_result(Applied(5, b"B"))
        await settle()
        node.futures[0].set_result(Applied(6, b"A"))
        await settle()
        assert caller.told == [StatusReply(3, STATUS), Result(2, 5, b"B"), Result(1, 6, b"A")]

    play(script)


def test_queries_are_answered_and_their_errors_too() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        service.on_request(caller, Query(1, b"q", 100, STALE))
        service.on_request(caller, Query(2, b"q", 100, LINEARIZABLE))
        await settle()
        node.futures[0].set_exception(NotLeader("elsewhere", "127.0.0.1:7402"))
        await settle()
        assert caller.told == [Result(1, 1, b"stale q"), Failure(2, "not_leader", "elsewhere", "127.0.0.1:7402")]

    play(script)


def test_a_refusal_at_once_is_a_failure_with_its_code() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        node.refusal = Overloaded("full")
        service.on_request(caller, Submit(1, b"a", 100))
        assert caller.told == [Failure(1, "overloaded", "full", "")]

    play(script)


def test_one_caller_cannot_open_requests_without_end() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        for number in range(3):
            service.on_request(caller, Submit(number, b"a", 100))
        service.on_request(caller, Submit(3, b"a", 100))
        service.on_request(caller, Query(4, b"a", 100, LINEARIZABLE))
        assert [(reply.number, reply.code) for reply in caller.told if isinstance(reply, Failure)] == [
            (3, "overloaded"),
            (4, "overloaded"),
        ]
        service.on_request(other := Replies(), Submit(0, b"a", 100))
        assert other.told == []
        node.futures[0].set_result(Applied(1, b""))
        await settle()
        service.on_request(caller, Submit(5, b"a", 100))
        assert len(node.futures) == 5

    play(script)


@pytest.mark.parametrize("timeout_ms", [0, -1, 10**9])
def test_a_senseless_timeout_is_refused(timeout_ms: int) -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        service.on_request(caller, Submit(1, b"a", timeout_ms))
        [failure] = caller.told
        assert isinstance(failure, Failure)
        assert failure.code == "bad_request"

    play(script)


def test_a_command_the_node_gives_up_on_has_an_unknown_outcome() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        service.on_request(caller, Submit(1, b"a", 100))
        service.on_request(caller, Submit(2, b"a", 100))
        node.futures[0].cancel()
        node.futures[1].set_exception(ZeroDivisionError())
        await settle()
        assert [reply.code for reply in caller.told if isinstance(reply, Failure)] == ["unknown", "unknown"]

    play(script)


def test_closing_forgets_the_queries_but_not_the_commands() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        service.on_request(caller, Submit(1, b"a", 100))
        service.on_request(caller, Query(2, b"q", 100, LINEARIZABLE))
        await settle()
        command, query = node.futures
        service.on_closed(caller)
        service.on_closed(caller)
        await settle()
        assert query.cancelled()
        assert not command.done()
        command.set_result(Applied(1, b""))
        await settle()

    play(script)


def test_a_message_that_is_no_request_closes_the_connection() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        with pytest.raises(ProtocolError, match="Result"):
            service.on_request(caller, Result(1, 1, b""))

    play(script)


def request_errors() -> list[type[RequestError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, RequestError)]


@pytest.mark.parametrize("kind", request_errors())
def test_every_request_error_travels_and_comes_back(kind: type[RequestError]) -> None:
    error = error_of(failure_of(9, kind("what happened")))
    assert type(error) is kind
    assert str(error) == "what happened"


def test_a_hint_travels_and_an_unknown_code_claims_nothing() -> None:
    error = error_of(failure_of(1, NotLeader("elsewhere", "[::1]:7400")))
    assert isinstance(error, NotLeader)
    assert error.hint == "[::1]:7400"
    assert type(error_of(Failure(1, "of_the_future", "text", ""))) is OutcomeUnknown


def test_codes_and_kinds_are_distinct() -> None:
    assert len(ERRORS) == len(request_errors())
    assert len(set(CLIENT_KINDS.values())) == len(CLIENT_KINDS)
