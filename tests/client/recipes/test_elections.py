"""Elections, and work that runs in one process at a time."""

import asyncio

import pytest

import paxon
from paxon.client.recipes.election import ONCE, Leader
from paxon.collections.terms import Terms
from paxon.testing import Cluster
from tests.client.recipes.running import WHOLE, for_ever, in_a_cluster, until


@in_a_cluster
async def test_one_is_elected_and_everybody_sees_who(cluster: Cluster) -> None:
    seen: list[Leader | None] = []
    news = asyncio.Event()

    async def observe() -> None:
        async for leader in cluster[3].election("planner").observe():
            seen.append(leader)
            news.set()

    async def told() -> Leader | None:
        await news.wait()
        news.clear()
        return seen[-1]

    watching = asyncio.ensure_future(observe())
    assert await told() is None
    async with cluster[1].election("planner", value="n1:80").campaign() as first:
        assert await told() == Leader("n1:80", first.token)

        async def succeed() -> None:
            async with cluster[2].election("planner", value="n2:80", ttl=WHOLE).campaign() as second:
                assert second.token > first.token
                elected.set()
                await for_ever()

        elected = asyncio.Event()
        successor = asyncio.ensure_future(succeed())
        await until(lambda: cluster[3].read(Terms.contenders, "election/planner"))
    await elected.wait()
    successor.cancel()
    await asyncio.wait({successor})
    assert await cluster[1].election("planner").leader() is None
    while seen[-1] is not None:
        await told()
    watching.cancel()


@in_a_cluster
async def test_work_runs_in_one_process_and_the_next_one_takes_over(cluster: Cluster) -> None:
    runs: list[str] = []

    async def work(hold: paxon.Hold) -> str:
        runs.append(hold.name)
        assert len(runs) == 1
        await cluster[1].election("planner").leader()
        runs.remove(hold.name)
        return f"token {hold.token}"

    results = await asyncio.gather(*(cluster[number].run_once("nightly", work, ttl=WHOLE) for number in (1, 2, 3)))
    assert len(set(results)) == 3


@in_a_cluster
async def test_what_the_work_raises_is_raised_and_the_seat_is_free_at_once(cluster: Cluster) -> None:
    @cluster[1].singleton("nightly", ttl=WHOLE)
    async def nightly(hold: paxon.Hold) -> None:
        """As a cron job would."""
        raise ZeroDivisionError

    assert nightly.__doc__ == "As a cron job would."
    with pytest.raises(ZeroDivisionError):
        await nightly()
    assert await cluster[2].read(Terms.holder, ONCE + "nightly") is None


@in_a_cluster
async def test_work_whose_seat_is_lost_is_cancelled_and_begun_again_elsewhere_or_here(cluster: Cluster) -> None:
    tokens: list[int] = []
    begun = asyncio.Event()
    was_cancelled = False

    async def work(hold: paxon.Hold) -> str:
        nonlocal was_cancelled
        tokens.append(hold.token)
        begun.set()
        if len(tokens) == 2:
            return "done"
        try:
            await for_ever()
        except asyncio.CancelledError:
            was_cancelled = True
            raise
        return "never"

    running = asyncio.ensure_future(cluster[1].run_once("nightly", work, ttl=1.0, clock_error=0.0))
    await begun.wait()
    seat = await cluster[2].read(Terms.holder, ONCE + "nightly")
    assert seat is not None
    await cluster[2].submit(Terms.withdraw, ONCE + "nightly", seat.seeker)
    assert await running == "done"
    assert was_cancelled
    assert tokens[1] > tokens[0]


@in_a_cluster
async def test_a_lock_that_the_work_loses_inside_is_its_own_failure(cluster: Cluster) -> None:
    runs = 0

    async def work(hold: paxon.Hold) -> None:
        nonlocal runs
        runs += 1
        raise paxon.LockLost("another one")

    with pytest.raises(paxon.LockLost, match="another one"):
        await cluster[1].run_once("nightly", work)
    assert runs == 1


@in_a_cluster
async def test_whoever_stops_waiting_for_its_turn_is_told(cluster: Cluster) -> None:
    async def work(hold: paxon.Hold) -> None:
        raise AssertionError("it is not its turn")

    async with cluster[1].election("planner").campaign():
        with pytest.raises(paxon.NotGranted):
            await cluster[2].election("planner", timeout=0.1).run(work)
