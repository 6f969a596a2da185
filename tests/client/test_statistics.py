"""Members and clients say what they did and what they wait for."""

import asyncio
from contextlib import suppress

import pytest

import paxon
from paxon.testing import Cluster
from tests.client.members import FakeMember, silent, started
from tests.client.test_members import Bell, run
from tests.rsm.inventory import Inventory


def test_a_member_counts_its_calls_and_tells_what_it_keeps() -> None:
    async def main() -> None:
        async with Cluster(Inventory, Bell, members=1) as cluster, paxon.connect(cluster.endpoints, Bell) as client:
            member = cluster[1]
            before = member.statistics()
            assert (before.submitted, before.read, before.next_event, before.sessions) == (0, 0, 1, 0)
            await member.submit(Inventory.supply, "sku-1")
            async with member.within(5).session() as session:
                await session.submit(Bell.ring, "one")
            await client.submit(Bell.ring, "two")
            with suppress(paxon.ApplyFailed):
                await member.submit(Inventory.reckless, "none")
            await member.read(Inventory.left, "sku-1")
            after = member.statistics()
            assert (after.submitted, after.read, after.unknown, after.in_flight) == (3, 1, 0, 0)
            assert (after.first_event, after.next_event) == (1, 3)
            assert after.sessions >= 2, "the member's and the client's"
            assert after.apply_failures == {"Inventory": 1}
            assert after.clients == 1
            assert after.queues["commands"] == 0
            seen = client.statistics()
            assert (seen.submitted, seen.endpoint, seen.endpoints) == (1, cluster.endpoints[0], 1)

    run(main())


def test_what_was_sent_again_and_what_is_unknown_is_counted() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            member = cluster[1]
            await member.submit(Inventory.supply, "sku-1")
            under_way = asyncio.ensure_future(member.within(0.3).submit(Inventory.supply, "sku-1"))
            for number in (2, 3):
                await cluster.stop(number)
            alone = member.within(0.3).submit(Inventory.supply, "sku-1")
            outcomes = await asyncio.gather(under_way, alone, return_exceptions=True)
            assert isinstance(outcomes[1], paxon.RequestError)
            counted = member.statistics()
            assert counted.resent > 0
            assert counted.unknown == sum(isinstance(one, paxon.OutcomeUnknown) for one in outcomes)

    run(main())


def test_an_unknown_outcome_is_counted_once() -> None:
    async def main() -> None:
        member = FakeMember("n9")
        async with started(member) as endpoints, paxon.connect(endpoints, Bell) as client:
            with suppress(paxon.RequestError):
                await client.submit(Bell.ring, "the member has no such part")
            member.answer = silent
            with pytest.raises(paxon.OutcomeUnknown):
                await client.within(0.2).submit(Bell.ring, "x")
            assert client.statistics().unknown == 1
            assert client.statistics().in_flight == 1, "its number has to be used up"

    run(main())
