"""Several structures in one cluster of real members: typed, in one log, and lapsing while nobody calls."""

import asyncio
from typing import Any

import pytest

from paxon.collections.maps import Entry, Maps
from paxon.collections.queues import Queues
from paxon.collections.refusals import Changed, NotClaimed, NotHolder
from paxon.collections.seats import Ended, Grant, Granted, SeatEvent
from paxon.collections.terms import Terms
from paxon.collections.values import Binary
from paxon.collections.work import Ready, WorkEvent
from paxon.testing import Cluster

SEAT_EVENT: Any = SeatEvent
WORK_EVENT: Any = WorkEvent
"""A type checker takes a union for no type."""


def test_what_a_dead_holder_had_goes_to_those_who_wait_and_the_late_are_refused() -> None:
    async def main() -> None:
        async with asyncio.timeout(60), Cluster(Terms, Queues, Maps) as cluster:
            dead = await cluster[1].submit(Terms.seek, "office", b"dead", 1, True)
            number = await cluster[1].submit(Queues.put, "jobs", Binary(b"job"))
            claim = await cluster[1].submit(Queues.claim, "jobs", b"dead", 1)
            await cluster[2].submit(Terms.seek, "office", b"next", 60_000, True, "n2:80")
            assert isinstance(dead, Grant)
            assert claim is not None

            seats = []
            async for seen in cluster[3].watch(Terms, "term/office", SEAT_EVENT, since=1):
                seats.append(seen.event)
                if isinstance(seen.event, Granted) and seen.event.seeker == b"next":
                    break
            assert Ended("office", b"dead", dead.token, has_lapsed=True) in seats
            assert seats[-1].token > dead.token
            items = []
            async for seen in cluster[3].watch(Queues, "queue/jobs", WORK_EVENT, since=1):
                items.append(seen.event)
                if len(items) == 2:
                    break
            assert items == [Ready("jobs", number), Ready("jobs", number)]

            with pytest.raises(NotHolder, match=f"'office' is not held under token {dead.token}"):
                await cluster[1].submit(Terms.renew, "office", b"dead", dead.token, 60_000)
            with pytest.raises(NotClaimed):
                await cluster[1].submit(Queues.ack, "jobs", number, claim.token)
            for member in cluster.running:
                holder = await cluster[member].read(Terms.holder, "office")
                assert holder is not None
                assert (holder.seeker, holder.value, holder.token) == (b"next", "n2:80", seats[-1].token)

    asyncio.run(main())


def test_a_refusal_and_its_arguments_reach_whoever_asked() -> None:
    async def main() -> None:
        async with asyncio.timeout(60), Cluster(Terms, Queues, Maps) as cluster:
            version = await cluster[1].submit(Maps.put, "flags", "dark", True)
            with pytest.raises(Changed) as refusal:
                await cluster[2].submit(Maps.compare_and_put, "flags", "dark", False, version + 1)
            assert refusal.value.found == version
            assert await cluster[3].read(Maps.get, "flags", "dark") == Entry(True, version)

    asyncio.run(main())
