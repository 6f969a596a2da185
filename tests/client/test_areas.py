"""Members that read an area alone: nobody is told of it what its specialist cannot read; a dead one is waited out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
from msgspec import msgpack

import paxon
from paxon.client.recipes.calls import Calls
from paxon.client.recipes.seats import Hold
from paxon.client.specialist import AreaHold
from paxon.node.areas import Areas
from paxon.node.hold_back import EVERY_AREA
from paxon.rsm.assembly import Announce, Assembly, PartCall
from paxon.rsm.assembly import encode as encode_part
from paxon.rsm.session_requests import (
    Close,
    Ended,
    Open,
    Opened,
    Perform,
    Plain,
    Request,
    Tick,
    encode,
    encode_together,
)
from paxon.testing import Cluster
from tests.client.test_members import Bell, run
from tests.rsm.inventory import Inventory, OutOfStock

LONG_S = 3600.0
"""A term that nobody waits out."""

SHORT_S = 1.0


def other_than(cluster: Cluster, *numbers: int) -> int:
    return next(number for number in cluster.running if number not in numbers)


def test_whatever_anybody_is_told_the_specialist_reads_alone() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            leader = await cluster.wait_leader()
            chosen = other_than(cluster, leader)
            async with cluster[chosen].specialist(Inventory, ttl=LONG_S) as area:
                reads = cluster[chosen]._node.reads
                at_once, barriers = reads.at_once, reads.after_barrier
                for count in range(1, 41):
                    number = cluster.running[count % 3]
                    assert await cluster[number].submit(Inventory.supply, "sku-1") == count
                    # Not before it was acknowledged, so the specialist has no moment to catch up.
                    assert await area.read(Inventory.left, "sku-1") == count
                assert reads.at_once - at_once == 40
                assert reads.after_barrier == barriers

    run(main())


def test_reads_elsewhere_never_overtake_the_specialist() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            leader = await cluster.wait_leader()
            chosen = other_than(cluster, leader)
            third = other_than(cluster, leader, chosen)
            async with cluster[chosen].specialist(Inventory, ttl=LONG_S) as area:

                async def write() -> None:
                    for _ in range(60):
                        await cluster[leader].submit(Inventory.supply, "sku-1")

                writing = asyncio.ensure_future(write())
                while not writing.done():
                    for number in (leader, third):
                        elsewhere = await cluster[number].read(Inventory.left, "sku-1")
                        assert await area.read(Inventory.left, "sku-1") >= elsewhere
                await writing

    run(main())


def test_a_dead_specialist_is_waited_for_until_its_term_has_lapsed() -> None:
    async def main() -> None:
        async with Cluster(Inventory, Bell) as cluster:
            leader = await cluster.wait_leader()
            chosen = other_than(cluster, leader)
            third = other_than(cluster, leader, chosen)

            died = asyncio.Event()

            async def hold() -> None:
                async with cluster[chosen].specialist(Inventory, ttl=SHORT_S, clock_error=0.1):
                    # It takes part in nothing from here on, as if its process had been killed.
                    cluster[chosen]._node._running.end()
                    died.set()
                    await asyncio.Event().wait()

            holding = asyncio.ensure_future(hold())
            await died.wait()
            areas = Areas(cluster[leader]._replica.assembly, cluster[leader]._replica.node._config.ids)
            waited_for: list[int] = []

            async def told(call: Awaitable[int]) -> int:
                result = await call
                waited_for.extend(areas.specialists("Inventory"))
                return result

            waiting = [
                asyncio.ensure_future(told(call))
                for call in (
                    cluster[leader].submit(Inventory.supply, "sku-1"),
                    cluster[third].submit(Inventory.supply, "sku-1"),
                    cluster[leader].read(Inventory.left, "sku-1"),
                )
            ]
            # Other parts go on; in a session of its own, for commands of one session may travel together.
            async with cluster[third].session() as apart:
                assert await apart.submit(Bell.ring, "x") == 1
            assert areas.specialists("Inventory")
            supplied, also_supplied, _ = await asyncio.gather(*waiting)
            assert {supplied, also_supplied} == {1, 2}
            assert not waited_for, "the specialist was in office yet"
            with pytest.raises(paxon.LockLost):
                await holding

    run(main())


def test_whoever_resigns_is_waited_for_no_more() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            leader = await cluster.wait_leader()
            chosen = other_than(cluster, leader)
            async with cluster[chosen].specialist(Inventory, ttl=LONG_S) as area:
                await cluster[leader].submit(Inventory.supply, "sku-1")
            assert not area.is_valid
            barriers = cluster[chosen]._node.reads.after_barrier
            assert await area.read(Inventory.left, "sku-1") == 1
            assert cluster[chosen]._node.reads.after_barrier == barriers + 1, "an ordinary read"
            await cluster.stop(chosen)
            assert await cluster[leader].submit(Inventory.supply, "sku-1") == 2

    run(main())


def test_one_member_at_a_time_has_an_area() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            async with cluster[1].specialist(Inventory, ttl=LONG_S) as first:
                with pytest.raises(paxon.NotGranted, match="area Inventory"):
                    async with cluster[2].specialist(Inventory, ttl=LONG_S, timeout=0):
                        pass
            async with cluster[2].specialist(Inventory, ttl=LONG_S) as second:
                assert second.token > first.token

    run(main())


def test_what_is_no_area_or_none_of_this_one_is_refused() -> None:
    async def main() -> None:
        async with Cluster(Inventory, Bell) as cluster:
            async with cluster[1].specialist(Inventory, ttl=LONG_S) as area:
                with pytest.raises(paxon.ContractError, match="the specialist of 'Inventory', and the query"):
                    await area.read(Bell.count)  # type: ignore[arg-type]
            terms = cluster[1]._parts.kinds["paxon.terms"]
            with pytest.raises(paxon.ContractError, match="terms rest on it"):
                async with cluster[1].specialist(terms):
                    pass

    run(main())


# --- the specialist's own reads ---


class Told:
    """A ``Calls`` that answers every read alike, and lets something happen meanwhile."""

    def __init__(self, answer: int | Exception, meanwhile: Callable[[], None] = lambda: None) -> None:
        self._answer = answer
        self._meanwhile = meanwhile

    async def read(self, *call: object) -> int:
        self._meanwhile()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Term:
    """A ``Hold`` that a test can end."""

    token = 1
    is_valid = True

    def end(self) -> None:
        self.is_valid = False


def area_of(term: Term, own: Told, whole: Told) -> AreaHold[Inventory]:
    return AreaHold("Inventory", cast(Hold, term), cast(Calls, own), cast(Calls, whole), lambda method: "Inventory")


@pytest.mark.parametrize("own", [1, OutOfStock("sku-1", 1)])
def test_a_term_that_ends_while_the_state_is_looked_at_is_not_counted_on(own: int | Exception) -> None:
    term = Term()
    area = area_of(term, Told(own, meanwhile=term.end), Told(2))
    assert asyncio.run(area.read(Inventory.left, "sku-1")) == 2
    assert not area.is_valid


def test_within_the_term_its_own_state_answers_and_refuses() -> None:
    assert asyncio.run(area_of(Term(), Told(1), Told(2)).read(Inventory.left, "sku-1")) == 1
    with pytest.raises(OutOfStock):
        asyncio.run(area_of(Term(), Told(OutOfStock("sku-1", 1)), Told(2)).read(Inventory.left, "sku-1"))


def test_after_the_block_nothing_is_read_alone_though_the_term_may_last() -> None:
    area = area_of(Term(), Told(1), Told(2))
    area.end()
    assert asyncio.run(area.read(Inventory.left, "sku-1")) == 2


# --- what an answer tells of ---


DONE, ENDED, NEW = b"\0result", msgpack.encode(Ended(7)), msgpack.encode(Opened(0))


@pytest.mark.parametrize(
    ("request_", "answer", "told_of"),
    [
        (Perform(b"s", 3, 1, encode_part(PartCall("Inventory", b"x"))), DONE, "Inventory"),
        # These tell what became of other commands of the session, of whatever part.
        (Perform(b"s", 3, 1, encode_part(PartCall("Inventory", b"x"))), ENDED, EVERY_AREA),
        (Perform(b"s", 3, 1, None), DONE, EVERY_AREA),
        (Open(b"s", 1), ENDED, EVERY_AREA),
        (Close(b"s"), ENDED, EVERY_AREA),
        # A session that is new has no commands, and neither of the others is about any part.
        (Open(b"s", 1), NEW, None),
        (Tick(), DONE, None),
        (Plain(encode_part(Announce("n1", {}))), DONE, None),
        (Plain(encode_part(PartCall("Inventory", b"x"))), DONE, "Inventory"),
    ],
)
def test_which_area_an_answer_tells_of(request_: Request, answer: bytes, told_of: str | None) -> None:
    assert Areas(Assembly({}), {}).of_command(encode(request_), answer) == told_of


def test_what_travels_together_tells_of_all_its_parts() -> None:
    def performs(*parts: str) -> bytes:
        return encode_together(b"s", 3, 1, [encode_part(PartCall(part, b"x")) for part in parts])

    def answers(count: int) -> bytes:
        return b"\1" + msgpack.encode([DONE] * count)

    areas = Areas(Assembly({}), {})
    assert areas.of_command(performs("Inventory"), answers(1)) == "Inventory"
    assert areas.of_command(performs("Inventory", "Inventory"), answers(2)) == "Inventory"
    assert areas.of_command(performs("Inventory", "Bell"), answers(2)) == EVERY_AREA
