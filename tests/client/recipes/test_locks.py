"""Locks, permits and offices, held by members of a real cluster."""

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

import paxon
from paxon.client.recipes.lock import LOCK
from paxon.collections.terms import Terms
from paxon.errors import BadRequest, LockLost, NotGranted
from paxon.testing import Cluster
from tests.client.recipes.running import WHOLE, for_ever, in_a_cluster, until


@in_a_cluster
async def test_a_lock_has_one_holder_and_goes_to_the_next_as_soon_as_it_is_left(cluster: Cluster) -> None:
    inside = 0
    tokens = []

    async def work(member: paxon.Caller) -> None:
        nonlocal inside
        # With such a ttl nothing lapses: whoever waits is let in because the one before left.
        async with member.lock("nightly", ttl=WHOLE, timeout=math.inf) as hold:
            inside += 1
            assert inside == 1
            assert hold.is_valid
            assert hold.left > WHOLE / 2
            hold.check()
            tokens.append(hold.token)
            await member.lock("nightly").waiting()
            inside -= 1

    await asyncio.gather(*(work(cluster[number]) for number in (1, 2, 3) for _ in range(5)))
    assert tokens == sorted(set(tokens))
    assert len(tokens) == 15
    assert await cluster[1].lock("nightly").holder() is None


@in_a_cluster
async def test_nobody_enters_without_the_lock(cluster: Cluster) -> None:
    async def enter(timeout: float) -> None:
        async with cluster[2].lock("nightly", timeout=timeout):
            raise AssertionError("entered without holding it")

    async with cluster[1].lock("nightly", ttl=WHOLE, value="first") as hold:
        with pytest.raises(NotGranted, match=r"'nightly' was not granted within 0\.2 s: others hold it"):
            await enter(0.2)
        with pytest.raises(NotGranted):
            await enter(0)
        lock = cluster[3].lock("nightly")
        seat = await lock.holder()
        assert seat is not None
        assert (seat.value, seat.token) == ("first", hold.token)
        assert await lock.waiting() == (), "whoever gave up waits no more"


@in_a_cluster
async def test_whoever_is_cancelled_while_it_waits_leaves_the_queue(cluster: Cluster) -> None:
    lock = cluster[2].lock("nightly", ttl=WHOLE, timeout=math.inf)

    async def wait() -> None:
        async with lock:
            raise AssertionError("entered without holding it")

    async with cluster[1].lock("nightly"):
        task = asyncio.ensure_future(wait())
        await until(lock.waiting)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await lock.waiting() == ()


@in_a_cluster
async def test_a_lock_is_renewed_for_as_long_as_it_is_held(cluster: Cluster) -> None:
    async with cluster[1].lock("nightly", ttl=1.0, clock_error=0.0) as hold:
        before = await cluster[2].lock("nightly").holder()
        assert before is not None
        while True:
            after = await cluster[2].lock("nightly").holder()
            assert after is not None
            assert after.token == hold.token
            if after.until_ms >= before.until_ms + 2000:
                break
        hold.check()


@in_a_cluster
async def test_a_holder_whose_seat_is_taken_away_is_cancelled(cluster: Cluster) -> None:
    async def work(entered: asyncio.Event) -> None:
        async with cluster[1].lock("nightly", ttl=1.0, clock_error=0.0):
            entered.set()
            await for_ever()

    entered = asyncio.Event()
    task = asyncio.ensure_future(work(entered))
    await entered.wait()
    seat = await cluster[2].lock("nightly").holder()
    assert seat is not None
    assert await cluster[2].submit(Terms.withdraw, LOCK + "nightly", seat.seeker)
    with pytest.raises(LockLost, match="'nightly' is not held any more"):
        await task


@in_a_cluster
async def test_a_holder_that_hears_no_majority_is_cancelled(cluster: Cluster) -> None:
    async def work(entered: asyncio.Event) -> None:
        async with cluster[1].lock("nightly", ttl=3.0, clock_error=0.0):
            entered.set()
            await for_ever()

    entered = asyncio.Event()
    task = asyncio.ensure_future(work(entered))
    await entered.wait()
    await cluster.stop(2)
    await cluster.stop(3)
    with pytest.raises(LockLost, match="could not be renewed in time"):
        await task


@in_a_cluster
async def test_a_holder_survives_the_end_of_the_leader(cluster: Cluster) -> None:
    leader = cluster.leader
    holder = cluster[leader % 3 + 1]
    async with holder.lock("nightly", ttl=5.0) as hold:
        await cluster.stop(leader)
        seat = await holder.lock("nightly").holder()
        assert seat is not None
        assert seat.token == hold.token
        hold.check()


@in_a_cluster
async def test_one_task_does_not_wait_for_itself(cluster: Cluster) -> None:
    lock = cluster[1].lock("nightly")
    async with lock:
        with pytest.raises(RuntimeError, match="held by this very task"):
            await lock.__aenter__()
    async with lock:
        pass


@in_a_cluster
async def test_readers_share_and_a_writer_does_not(cluster: Cluster) -> None:
    first, second = (cluster[number].rwlock("index", ttl=WHOLE, timeout=0) for number in (1, 2))

    async def enter(lock: Callable[[], Awaitable[object]]) -> None:
        await lock()

    async with first.read(), second.read():
        assert len(await first.holders()) == 2
        with pytest.raises(NotGranted):
            await enter(second.write().__aenter__)
    async with first.write():
        with pytest.raises(NotGranted):
            await enter(second.read().__aenter__)
        assert await first.waiting() == ()
    async with second.write() as hold:
        hold.check()


@in_a_cluster
async def test_so_many_hold_a_semaphore_and_no_more(cluster: Cluster) -> None:
    inside, most = 0, 0

    async def work(member: paxon.Caller) -> None:
        nonlocal inside, most
        async with member.semaphore("gpu", 2, ttl=WHOLE, timeout=math.inf):
            inside += 1
            most = max(most, inside)
            # A full one is met by somebody else while this holds its permit.
            while most < 2:
                await member.semaphore("gpu", 2).holders()
            await member.semaphore("gpu", 2).waiting()
            inside -= 1

    await asyncio.gather(*(work(cluster[number]) for number in (1, 2, 3) for _ in range(3)))
    assert most == 2
    async with cluster[1].semaphore("gpu", 1):
        with pytest.raises(paxon.Rejected, match="in use with a limit of 1"):
            await cluster[2].semaphore("gpu", 2).__aenter__()


@in_a_cluster
async def test_a_ttl_too_short_for_the_clocks_is_refused_before_anything_is_asked(cluster: Cluster) -> None:
    with pytest.raises(BadRequest, match="too short where clocks may differ"):
        cluster[1].lock("nightly", ttl=0.6)
    with pytest.raises(BadRequest, match="a time limit is 0 seconds or more"):
        await cluster[1].lock("nightly", timeout=-1).__aenter__()
