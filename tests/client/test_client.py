"""The client: whom it asks next, what it tries again, and what it tells its caller."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from paxon.client import client as client_module
from paxon.client.client import Client
from paxon.errors import (
    ApplyFailed,
    BadRequest,
    ConfigurationError,
    DeadlineExceeded,
    DiskFull,
    LeadershipLost,
    NotLeader,
    OutcomeUnknown,
    Overloaded,
    RequestError,
    TooLarge,
    Unreachable,
)
from paxon.kv.name_server import Compared, Found
from paxon.net.calls import Caller
from paxon.node.consistency import LINEARIZABLE, STALE
from paxon.node.service import Query, Request, Result, Submit
from tests.client.members import FakeMember, breaking, failing, from_name_server, refusing_endpoint, silent, started


def play(script: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await script

    asyncio.run(bounded())


def test_keys_and_values() -> None:
    async def script() -> None:
        async with started(FakeMember()) as endpoints, Client(endpoints) as client:
            assert (await client.put(b"a", b"1")).version == 1
            assert await client.get(b"a") == Found(b"1", 1)
            assert await client.compare_and_put(b"a", b"0", b"2") == Compared(False, 1, b"1")
            assert await client.compare_and_put(b"a", b"1", b"2") == Compared(True, 2, b"1")
            assert (await client.delete(b"a")).existed
            assert not (await client.delete(b"a")).existed
            assert await client.get(b"a", consistency=STALE) == Found(None, 0)

    play(script())


def test_reads_say_which_kind_they_are() -> None:
    async def script() -> None:
        member = FakeMember()
        async with started(member) as endpoints, Client(endpoints) as client:
            await client.get(b"a")
            await client.get(b"a", consistency=STALE)
        assert [query.consistency for query in member.asked if isinstance(query, Query)] == [LINEARIZABLE, STALE]

    play(script())


def test_a_hint_is_followed_and_remembered() -> None:
    async def script() -> None:
        follower, other, leader = FakeMember("n1"), FakeMember("n2"), FakeMember("n3")
        async with started(follower, other, leader) as endpoints, Client(endpoints) as client:
            follower.answer = failing("not_leader", hint=endpoints[2])
            await client.put(b"a", b"1")
            await client.put(b"a", b"2")
        assert [len(member.asked) for member in (follower, other, leader)] == [1, 0, 2]

    play(script())


def test_a_hint_may_name_a_member_the_client_did_not_know() -> None:
    async def script() -> None:
        follower, leader = FakeMember("n1"), FakeMember("n2")
        async with started(follower, leader) as endpoints, Client(endpoints[:1]) as client:
            follower.answer = failing("not_leader", hint=endpoints[1])
            await client.put(b"a", b"1")
        assert len(leader.asked) == 1

    play(script())


@pytest.mark.parametrize("hint", ["", "nonsense", "0.0.0.0:7400"])
@pytest.mark.parametrize("code", ["behind", "not_leader", "stopping"])
def test_without_a_hint_that_helps_the_next_one_is_asked(code: str, hint: str) -> None:
    async def script() -> None:
        first, second = FakeMember("n1", failing(code, hint)), FakeMember("n2")
        async with started(first, second) as endpoints, Client(endpoints) as client:
            await client.put(b"a", b"1")
        assert [len(first.asked), len(second.asked)] == [1, 1]

    play(script())


def test_an_overloaded_member_is_asked_again_after_a_pause() -> None:
    async def script() -> None:
        first, second = FakeMember("n1", failing("overloaded", times=2)), FakeMember("n2")
        async with started(first, second) as endpoints, Client(endpoints) as client:
            await client.put(b"a", b"1")
        assert [len(first.asked), len(second.asked)] == [3, 0]

    play(script())


def test_where_nobody_listens_nothing_was_sent_so_a_write_goes_elsewhere() -> None:
    async def script() -> None:
        member = FakeMember()
        with refusing_endpoint() as nobody:
            async with started(member) as endpoints, Client([nobody, *endpoints]) as client:
                assert (await client.put(b"a", b"1")).version == 1

    play(script())


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bad_request", BadRequest),
        ("too_large", TooLarge),
        ("disk_full", DiskFull),
        ("apply_failed", ApplyFailed),
        ("leadership_lost", LeadershipLost),
        ("deadline", DeadlineExceeded),
        ("of_the_future", OutcomeUnknown),
    ],
)
def test_a_write_is_not_repeated_after(code: str, error: type[RequestError]) -> None:
    async def script() -> None:
        first, second = FakeMember("n1", failing(code)), FakeMember("n2")
        async with started(first, second) as endpoints, Client(endpoints) as client:
            with pytest.raises(error) as caught:
                await client.put(b"a", b"1")
        assert type(caught.value) is error
        assert [len(first.asked), len(second.asked)] == [1, 0]

    play(script())


def test_a_write_whose_connection_breaks_has_an_unknown_outcome() -> None:
    async def script() -> None:
        first, second = FakeMember("n1", breaking), FakeMember("n2")
        async with started(first, second) as endpoints, Client(endpoints) as client:
            with pytest.raises(OutcomeUnknown, match="may have been applied"):
                await client.put(b"a", b"1")
            assert [len(first.asked), len(second.asked)] == [1, 0]
            await client.put(b"a", b"2")
            assert len(second.asked) == 1, "the next request goes to another member"

    play(script())


def test_a_write_without_an_answer_in_time_has_an_unknown_outcome() -> None:
    async def script() -> None:
        first, second = FakeMember("n1", silent), FakeMember("n2")
        async with started(first, second) as endpoints, Client(endpoints) as client:
            with pytest.raises(DeadlineExceeded):
                await client.put(b"a", b"1", timeout=0.2)
        assert [len(first.asked), len(second.asked)] == [1, 0]
        [submit] = first.asked
        assert isinstance(submit, Submit)
        assert 0 < submit.timeout_ms < 200, "the member gives up a little before the client"

    play(script())


def test_a_read_is_repeated_elsewhere_whatever_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ_ATTEMPT_S", 0.1)

    async def script() -> None:
        for answer in (breaking, silent, failing("leadership_lost"), failing("deadline"), failing("not_leader")):
            first, second = FakeMember("n1", answer), FakeMember("n2")
            async with started(first, second) as endpoints, Client(endpoints) as client:
                assert await client.get(b"a") == Found(None, 0)
            assert [len(first.asked), len(second.asked)] == [1, 1]

    play(script())


def test_a_read_that_nobody_answers_is_unreachable_not_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "READ_ATTEMPT_S", 0.05)

    async def script() -> None:
        async with started(FakeMember("n1", silent)) as endpoints, Client(endpoints) as client:
            with pytest.raises(Unreachable, match="no member answered within"):
                await client.get(b"a", timeout=0.3)

    play(script())


def test_a_refusal_that_lasts_is_what_the_caller_hears_in_the_end() -> None:
    async def script() -> None:
        member = FakeMember("n1", failing("not_leader"))
        with refusing_endpoint() as nobody:
            async with started(member) as endpoints, Client([*endpoints, nobody]) as client:
                with pytest.raises(NotLeader, match="not_leader at n1"):
                    await client.put(b"a", b"1", timeout=0.3)
                member.answer = failing("overloaded")
                with pytest.raises(Overloaded):
                    await client.put(b"a", b"1", timeout=0.3)
        assert len(member.asked) > 2

    play(script())


def test_with_nobody_there_every_endpoint_is_named() -> None:
    async def script() -> None:
        with refusing_endpoint() as one, refusing_endpoint() as other:
            async with Client([one, other], timeout=0.2) as client:
                for request in (client.put(b"a", b"1"), client.get(b"a")):
                    with pytest.raises(Unreachable) as caught:
                        await request
                    assert one in str(caught.value)
                    assert other in str(caught.value)

    play(script())


def test_a_member_that_comes_back_is_found_again() -> None:
    async def script() -> None:
        member = FakeMember()
        async with started(member) as endpoints, Client(endpoints) as client:
            await client.put(b"a", b"1")
            member.callers[0].close()
            await member.callers[0].framed.wait_closed()
            await asyncio.sleep(0)
            assert (await client.get(b"a")).value == b"1"
        assert len(member.callers) == 2

    play(script())


def test_requests_share_a_connection_and_replies_may_come_in_any_order() -> None:
    async def script() -> None:
        held: list[tuple[Caller, Request]] = []

        def answer(member: FakeMember, caller: Caller, request: Request) -> None:
            held.append((caller, request))
            if len(held) == 10:
                for waiting, held_request in reversed(held):
                    assert isinstance(held_request, Submit)
                    waiting.reply(Result(held_request.number, 1, held_request.command))

        member = FakeMember("n1", answer)
        async with started(member) as endpoints, Client(endpoints) as client:
            results = await asyncio.gather(*(client.submit(b"%d" % number) for number in range(10)))
        assert [result.body for result in results] == [b"%d" % number for number in range(10)]
        assert len(member.callers) == 1

    play(script())


def test_a_reply_that_comes_too_late_is_nobodys() -> None:
    async def script() -> None:
        held: list[tuple[Caller, Request]] = []
        member = FakeMember("n1", lambda member, caller, request: held.append((caller, request)))
        async with started(member) as endpoints, Client(endpoints) as client:
            with pytest.raises(DeadlineExceeded):
                await client.put(b"a", b"1", timeout=0.1)
            member.answer = from_name_server
            caller, request = held[0]
            from_name_server(member, caller, request)
            assert (await client.get(b"a")).value == b"1"

    play(script())


def test_a_member_that_talks_nonsense_is_left() -> None:
    def answer(member: FakeMember, caller: Caller, request: Request) -> None:
        caller.reply(request)

    async def script() -> None:
        nonsense, sensible = FakeMember("n1", answer), FakeMember("n2")
        async with started(nonsense, sensible) as endpoints, Client(endpoints) as client:
            assert await client.get(b"a") == Found(None, 0)

    play(script())


def test_what_is_refused_before_it_is_sent() -> None:
    async def script() -> None:
        member = FakeMember()
        async with started(member) as endpoints, Client(endpoints) as client:
            with pytest.raises(BadRequest):
                await client.put(b"", b"1")
            with pytest.raises(TooLarge):
                await client.put(b"a", bytes(20 * 1024 * 1024))
        assert member.asked == []

    play(script())


def test_status_asks_everybody_and_the_leader_they_name() -> None:
    async def script() -> None:
        follower, leader = FakeMember("n1"), FakeMember("n2")
        with refusing_endpoint() as nobody:
            async with started(follower, leader) as endpoints, Client([endpoints[0], nobody]) as client:
                follower.leader_endpoint = endpoints[1]
                first, second, third = await client.status()
        assert first.status == follower.status()
        assert second.status is None
        assert second.error is not None
        assert str(second.endpoint) == nobody
        assert third.status == leader.status()

    play(script())


def test_status_waits_for_nobody_for_long() -> None:
    async def script() -> None:
        async with started(FakeMember("n1", silent)) as endpoints, Client(endpoints) as client:
            [report] = await client.status(timeout=0.1)
        assert report.error is not None
        assert "did not answer in time" in report.error

    play(script())


def test_closing_ends_what_is_under_way() -> None:
    async def script() -> None:
        member = FakeMember("n1", silent)
        async with started(member) as endpoints:
            client = Client(endpoints)
            write = asyncio.ensure_future(client.put(b"a", b"1"))
            await member.was_asked.wait()
            await client.close()
            with pytest.raises(OutcomeUnknown):
                await write
            with pytest.raises(RuntimeError, match="closed"):
                await client.get(b"a")

    play(script())


@pytest.mark.parametrize("endpoints", [[], ["nowhere"], ["127.0.0.1:0"]])
def test_endpoints_that_make_no_sense(endpoints: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="endpoint"):
        Client(endpoints)
