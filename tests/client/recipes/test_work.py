"""Items of queues, claimed for as long as a block runs."""

import asyncio
import math

import pytest

import paxon
from paxon.client.recipes.work import Queue
from paxon.collections.queues import Queues
from paxon.collections.work import Sizes
from paxon.errors import ClaimLost, NotGranted
from paxon.testing import Cluster
from tests.client.recipes.running import WHOLE, for_ever, in_a_cluster, until


async def take(queue: Queue, timeout: float = math.inf) -> object:
    """What the next item says."""
    async with queue.claim(lease=WHOLE, timeout=timeout) as item:
        return item.body


@in_a_cluster
async def test_every_item_is_worked_on_once_whoever_puts_and_claims(cluster: Cluster) -> None:
    done: list[object] = []

    async def work(member: paxon.Caller) -> None:
        while True:
            done.append(await take(member.queue("mail")))

    workers = [asyncio.ensure_future(work(cluster[number])) for number in (1, 2, 3)]
    numbers = [await cluster[1].queue("mail").put(f"to {number}") for number in range(20)]

    async def all_is_done() -> bool:
        # An item is gone from the queue a moment before whoever worked on it hears so, and a worker that is
        # cancelled in that moment has nothing to show for it.
        return await cluster[2].queue("mail").size() == Sizes(0, 0, 0) and len(done) >= len(numbers)

    await until(all_is_done)
    for worker in workers:
        worker.cancel()
    await asyncio.wait(workers)
    assert sorted(map(str, done)) == sorted(f"to {number}" for number in range(20))
    assert numbers == sorted(set(numbers))


@in_a_cluster
async def test_an_item_whose_block_fails_is_back_at_once_and_dead_in_the_end(cluster: Cluster) -> None:
    queue = cluster[1].queue("mail")
    number = await queue.put("to ada", attempts_max=2)
    attempts = []

    async def fail() -> None:
        async with queue.claim(lease=WHOLE) as item:
            attempts.append(item.attempt)
            assert item.number == number
            item.check()
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await fail()
    assert attempts == [1, 2]
    (letter,) = await queue.dead_letters()
    assert (letter.number, letter.body) == (number, "to ada")
    await queue.revive(number)
    assert await take(queue) == "to ada"
    assert await queue.size() == Sizes(0, 0, 0)
    with pytest.raises(paxon.Rejected):
        await queue.discard(number)


@in_a_cluster
async def test_whoever_waits_for_nothing_is_told(cluster: Cluster) -> None:
    with pytest.raises(NotGranted, match=r"no item of 'mail' was ready within 0\.1 s"):
        await take(cluster[1].queue("mail"), timeout=0.1)


@in_a_cluster
async def test_whoever_is_cancelled_while_it_waits_or_works_takes_nothing_away(cluster: Cluster) -> None:
    queue = cluster[1].queue("mail")
    waiting = asyncio.ensure_future(take(queue))
    await queue.size()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await queue.put("to ada")
    entered = asyncio.Event()

    async def work() -> None:
        async with queue.claim(lease=WHOLE):
            entered.set()
            await for_ever()

    working = asyncio.ensure_future(work())
    await entered.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await take(cluster[2].queue("mail")) == "to ada"


@in_a_cluster
async def test_a_block_whose_claim_is_lost_is_cancelled(cluster: Cluster) -> None:
    queue = cluster[1].queue("mail")
    await queue.put("to ada")
    entered = asyncio.Event()

    async def work() -> None:
        async with queue.claim(lease=1.0, clock_error=0.0) as item:
            await cluster[2].submit(Queues.release, "mail", item.number, item.token)
            entered.set()
            await for_ever()

    working = asyncio.ensure_future(work())
    await entered.wait()
    assert await take(cluster[3].queue("mail")) == "to ada"
    with pytest.raises(ClaimLost, match="an item of 'mail' is not claimed any more"):
        await working


@in_a_cluster
async def test_work_that_ends_after_its_claim_did_is_not_called_done(cluster: Cluster) -> None:
    queue = cluster[1].queue("mail")
    await queue.put("to ada")

    async def work() -> None:
        async with queue.claim(lease=WHOLE) as item:
            await cluster[2].submit(Queues.release, "mail", item.number, item.token)

    with pytest.raises(ClaimLost):
        await work()


@in_a_cluster
async def test_the_lowest_priority_comes_first(cluster: Cluster) -> None:
    queue = cluster[1].priority_queue("mail")
    for text, priority in (("c", 2), ("a", 1), ("b", 1)):
        await queue.put(text, priority)
    found = []
    for _ in range(3):
        async with cluster[2].priority_queue("mail").claim() as item:
            found.append((item.body, item.priority))
    assert found == [("a", 1), ("b", 1), ("c", 2)]
