"""The client port's service, with the node and the connection played by the test."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from msgspec.structs import replace

from paxon import errors
from paxon.errors import NotLeader, OutcomeUnknown, Overloaded, ProtocolError, RequestError
from paxon.node.consistency import LINEARIZABLE, STALE, Consistency
from paxon.node.proposals import Applied
from paxon.node.service import (
    CLIENT_KINDS,
    ERRORS,
    ClientService,
    Events,
    Failure,
    Query,
    Reply,
    Result,
    StatusReply,
    StatusRequest,
    Submit,
    Unwatch,
    Watch,
    error_of,
    failure_of,
)
from paxon.node.status import MemberStatus, Role
from paxon.node.watching import BYTES_AT_ONCE
from paxon.rsm.feed import Feed

STATUS = MemberStatus("n1", Role.LEADER, 65537, 7, 0, 4096, "0.1.0", 42, "127.0.0.1:7400", "n1", "127.0.0.1:7400")


class ScriptedNode:
    """Keeps every future for the test to settle."""

    def __init__(self) -> None:
        self.futures: list[asyncio.Future[Applied]] = []
        self.refusal: Exception | None = None
        self.feed = Feed()
        self.leader = STATUS.leader

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
        return replace(STATUS, leader=self.leader)


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


def told(node: ScriptedNode, *topics: str) -> None:
    for topic in topics:
        node.feed.append(9, "bell", topic, b"")


def test_a_watch_is_answered_with_what_there_is_and_is_asked_for() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        told(node, "rung/a", "mended", "rung/b")
        node.feed.append(9, "other", "rung/c", b"")
        service.on_request(caller, Watch(1, 1, "bell", "rung/", 60_000))
        await settle()
        [reply] = caller.told
        assert isinstance(reply, Events)
        assert (reply.number, reply.next_number) == (1, 5)
        assert [event.number for event in reply.events] == [1, 3]

    play(script)


def test_a_watch_waits_for_the_first_wanted_event() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        service.on_request(caller, Watch(1, 1, "bell", "rung", 60_000))
        await settle()
        told(node, "mended")
        await settle()
        assert caller.told == []
        told(node, "rung")
        await settle()
        [reply] = caller.told
        assert isinstance(reply, Events)
        assert (reply.next_number, [event.number for event in reply.events]) == (3, [2])

    play(script)


def test_a_watch_from_now_on_is_told_at_once_where_that_is() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        told(node, "rung", "rung")
        service.on_request(caller, Watch(1, None, "bell", "rung", 60_000))
        await settle()
        assert caller.told == [Events(1, 3, ())]

    play(script)


def test_an_unwatch_answers_the_watch_with_how_far_it_came_and_nothing_else() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        told(node, "mended")
        service.on_request(caller, Unwatch(7))
        service.on_request(caller, Watch(1, 1, "bell", "rung", 60_000))
        await settle()
        service.on_request(caller, Unwatch(1))
        await settle()
        assert caller.told == [Events(1, 2, ())]

    play(script)


def test_a_watch_that_missed_events_fails_and_so_does_one_of_a_number_in_use() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        node.feed.replace(5, [])
        service.on_request(caller, Watch(1, 2, "bell", "", 60_000))
        service.on_request(caller, Watch(2, 5, "bell", "", 60_000))
        service.on_request(caller, Watch(2, 5, "bell", "", 60_000))
        await settle()
        assert [(reply.number, reply.code) for reply in caller.told if isinstance(reply, Failure)] == [
            (1, "compacted"),
            (2, "bad_request"),
        ]
        service.on_closed(caller)
        await settle()
        assert len(caller.told) == 2

    play(script)


def test_a_member_without_a_leader_sends_its_watchers_elsewhere_but_not_before_it_told_what_it_knows() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        node.leader = ""
        told(node, "rung")
        service.on_request(caller, Watch(1, 1, "bell", "rung", 60_000))
        service.on_request(caller, Watch(2, 2, "bell", "rung", 1))
        while len(caller.told) < 2:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
        events, failure = caller.told
        assert isinstance(events, Events)
        assert isinstance(failure, Failure)
        assert (failure.number, failure.code) == (2, "not_leader")

    play(script)


def test_one_answer_to_a_watch_is_bounded_and_the_next_goes_on_from_there() -> None:
    async def script(node: ScriptedNode, service: ClientService, caller: Replies) -> None:
        for _ in range(5):
            node.feed.append(9, "bell", "rung", bytes(BYTES_AT_ONCE // 2))
        since = 1
        while since < 6:
            service.on_request(caller, Watch(1, since, "bell", "rung", 60_000))
            await settle()
            reply = caller.told[-1]
            assert isinstance(reply, Events)
            assert 0 < len(reply.events) <= 2
            assert [event.number for event in reply.events] == list(range(since, reply.next_number))
            since = reply.next_number

    play(script)
