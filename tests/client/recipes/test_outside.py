"""Recipes for programs outside of the cluster: the same, through whichever member can be reached."""

import asyncio
import math

import paxon
from paxon.testing import Cluster
from tests.client.recipes.running import WHOLE, in_a_cluster


@in_a_cluster
async def test_a_lock_goes_from_a_member_to_a_program_outside_and_to_the_next(cluster: Cluster) -> None:
    tokens = []
    endpoints = cluster.endpoints

    async def work(caller: paxon.Caller) -> None:
        async with caller.lock("nightly", ttl=WHOLE, timeout=math.inf) as hold:
            tokens.append(hold.token)
            await caller.lock("nightly").waiting()

    async with paxon.connect(endpoints) as one, paxon.connect(endpoints) as two:
        await asyncio.gather(*(work(caller) for caller in (cluster[1], one, two) for _ in range(3)))
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 9


@in_a_cluster
async def test_a_program_outside_keeps_its_lock_when_its_member_stops(cluster: Cluster) -> None:
    async with paxon.connect(cluster.endpoints) as client, client.lock("nightly", ttl=5.0) as hold:
        stopped = next(number for number in cluster.running if cluster.endpoints[number - 1] == client.endpoint)
        await cluster.stop(stopped)
        seat = await client.lock("nightly").holder()
        assert seat is not None
        assert seat.token == hold.token
        hold.check()


@in_a_cluster
async def test_work_waits_for_a_program_outside(cluster: Cluster) -> None:
    async with paxon.connect(cluster.endpoints) as client:

        async def work() -> object:
            async with client.queue("mail").claim(timeout=math.inf) as item:
                return item.body

        working = asyncio.ensure_future(work())
        await client.queue("mail").size()
        await cluster[1].queue("mail").put("to ada")
        assert await working == "to ada"
