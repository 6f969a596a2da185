"""Parties, barriers, limiters, and what all share: counters, maps and sets."""

import asyncio
import math

import pytest

from paxon.collections.counters import Counted
from paxon.collections.maps import Entry, Put
from paxon.collections.parties import Member, Parties
from paxon.collections.refusals import Changed, OverBurst
from paxon.collections.sets import Added
from paxon.errors import NotGranted
from paxon.testing import Cluster
from tests.client.recipes.running import WHOLE, in_a_cluster, until


def values(members: tuple[Member, ...]) -> list[str]:
    return [one.value for one in members]


@in_a_cluster
async def test_everybody_sees_who_joins_and_leaves(cluster: Cluster) -> None:
    seen: asyncio.Queue[list[str]] = asyncio.Queue()

    async def watch() -> None:
        async for members in cluster[3].party("web").watch():
            seen.put_nowait(values(members))

    watching = asyncio.ensure_future(watch())
    assert await seen.get() == []
    async with cluster[1].party("web", ttl=WHOLE).join("one") as one:
        assert one.is_valid
        assert await seen.get() == ["one"]
        async with cluster[2].party("web", ttl=WHOLE).join("two"):
            assert await seen.get() == ["one", "two"]
            await one.set_value("uno")
            assert await seen.get() == ["uno", "two"]
        assert await seen.get() == ["uno"]
    assert await seen.get() == []
    watching.cancel()


@in_a_cluster
async def test_a_member_that_was_taken_for_dead_comes_back_by_itself(cluster: Cluster) -> None:
    party = cluster[1].party("web", ttl=1.0, clock_error=0.0)

    async def is_there() -> bool:
        return values(await cluster[2].party("web").members()) == ["one"]

    async with party.join("one") as one:
        assert await cluster[2].submit(Parties.leave, "web", one.member)
        assert not await is_there()
        await until(is_there)
    assert not await is_there()


@in_a_cluster
async def test_parties_of_a_barrier_go_on_together_again_and_again(cluster: Cluster) -> None:
    passed: list[tuple[int, int]] = []

    async def work(number: int) -> None:
        barrier = cluster[number].barrier("start", 3, ttl=WHOLE, timeout=math.inf)
        for _ in range(2):
            before = len(passed)
            generation = await barrier.wait()
            passed.append((generation, before))

    await asyncio.gather(*(work(number) for number in (1, 2, 3)))
    first, second = sorted({generation for generation, _ in passed})
    assert first < second
    assert [generation for generation, _ in passed].count(first) == 3
    assert await cluster[1].barrier("start", 3).waiting() == 0


@in_a_cluster
async def test_a_party_that_waits_in_vain_does_not_count_afterwards(cluster: Cluster) -> None:
    with pytest.raises(NotGranted, match="1 of 2 were at 'start' within"):
        await cluster[1].barrier("start", 2, timeout=0.1).wait()
    assert await cluster[2].barrier("start", 2).waiting() == 0
    waiting = asyncio.ensure_future(cluster[2].barrier("start", 2, timeout=math.inf).wait())

    async def one_waits() -> bool:
        return await cluster[1].barrier("start", 2).waiting() == 1

    await until(one_waits)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not await one_waits()


@in_a_cluster
async def test_a_limiter_gives_its_burst_and_then_its_rate_to_all_together(cluster: Cluster) -> None:
    slow = [cluster[number].rate_limiter("mail", 1, 2, per=WHOLE, timeout=0) for number in (1, 2)]
    await slow[0].take()
    assert await slow[1].try_take()
    assert not await slow[0].try_take()
    with pytest.raises(NotGranted, match="1 of 'mail' will not be there within 0 s"):
        await slow[1].take()
    with pytest.raises(OverBurst):
        await slow[0].take(3)
    quick = cluster[3].rate_limiter("quick", 50, 1)
    for _ in range(5):
        await quick.take()


@in_a_cluster
async def test_what_all_share_is_typed_and_watched(cluster: Cluster) -> None:
    counter, same = cluster[1].counter("hits"), cluster[2].counter("hits")
    assert await counter.add() == 1
    assert await same.add(4) == 5
    assert await same.set(7) == 5
    await same.compare_and_set(7, 8)
    with pytest.raises(Changed):
        await same.compare_and_set(7, 9)
    assert await counter.get() == 8
    counted = [(await anext(counter.watch(since=1))).event]
    assert counted == [Counted("hits", 1)]

    flags = cluster[1].map("flags")
    version = await flags.put("dark", True)
    assert await cluster[2].map("flags").get("dark") == Entry(True, version)
    version = await flags.compare_and_put("dark", False, version)
    with pytest.raises(Changed):
        await flags.compare_and_delete("dark", version - 1)
    assert [item async for item in flags.items()] == [("dark", Entry(False, version))]
    assert isinstance((await anext(cluster[3].map("flags").watch(since=1))).event, Put)
    assert await flags.compare_and_delete("dark", version) == Entry(False, version)
    await flags.put("light", 1)
    assert await flags.delete("dark") is None
    assert await flags.size() == 1
    assert await flags.clear() == 1

    hosts = cluster[1].set("hosts")
    assert await hosts.add("b")
    assert not await cluster[2].set("hosts").add("b")
    await hosts.add("a")
    assert [element async for element in hosts.members()] == ["a", "b"]
    assert (await anext(cluster[3].set("hosts").watch(since=1))).event == Added("hosts", "b")
    assert await hosts.contains("a")
    assert await hosts.discard("a")
    assert await hosts.size() == 1


@in_a_cluster
async def test_all_pages_are_met(cluster: Cluster) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("paxon.client.recipes.map.PAGE", 2)
        patch.setattr("paxon.client.recipes.set.PAGE", 2)
        keys = [f"k{number}" for number in range(5)]
        for key in keys:
            await cluster[1].map("pages").put(key, key)
            await cluster[1].set("pages").add(key)
        assert [key async for key, _ in cluster[2].map("pages").items()] == keys
        assert [key async for key in cluster[2].set("pages").members()] == keys
