"""Replicated objects in their users' own processes: real members, real sockets, every call typed."""

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

import paxon
from paxon.testing import Cluster
from tests.rsm.inventory import Inventory, OutOfStock, Reserved


class Bell(paxon.StateMachine):
    """Tells everybody, at once and later."""

    def __init__(self) -> None:
        self.rings = 0
        self.due_ms = 0

    @paxon.command
    def ring(self, ctx: paxon.Context, text: str) -> int:
        """Ring now."""
        self.rings += 1
        ctx.emit("rung", text)
        return self.rings

    @paxon.query
    def count(self) -> int:
        """How often it rang at once."""
        return self.rings

    @paxon.command
    def ring_in(self, ctx: paxon.Context, milliseconds: int) -> int:
        """Ring later, by decided time."""
        self.due_ms = ctx.now_ms + milliseconds
        return self.due_ms

    def next_due_ms(self) -> int | None:
        """See the base class."""
        return self.due_ms or None

    def on_due(self, ctx: paxon.Context) -> None:
        """See the base class."""
        self.due_ms = 0
        ctx.emit("rung", "late" if ctx.now_ms else "")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test that hangs no longer than it has to."""

    async def limited() -> None:
        async with asyncio.timeout(60):
            await main

    asyncio.run(limited())


def test_typed_calls_reach_every_member_and_come_back_typed() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            assert await cluster[1].submit(Inventory.supply, "sku-1", 2) == 2
            assert await cluster[2].submit(Inventory.reserve, "sku-1", order="o-9") == Reserved("o-9", 1)
            for number in cluster.running:
                assert await cluster[number].read(Inventory.left, "sku-1") == 1
                assert await cluster[number].read(Inventory.orders_of, "o-9") == ["sku-1"]
            assert cluster[2].token >= 2

    run(main())


def test_refusals_arrive_as_what_they_are_and_bugs_as_apply_failed() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            for number in cluster.running:
                with pytest.raises(OutOfStock) as refusal:
                    await cluster[number].submit(Inventory.reserve, "none", order="o-1")
                assert refusal.value.args == ("none", 1)
                with pytest.raises(paxon.ApplyFailed, match="KeyError: 'none'"):
                    await cluster[number].submit(Inventory.reckless, "none")
            with pytest.raises(paxon.ContractError, match="no command or query of the classes given here"):
                await cluster[1].submit(Bell.ring, "x")
            with pytest.raises(paxon.ContractError, match="read it, and do not submit it"):
                await cluster[1].submit(Inventory.left, "sku-1")  # type: ignore[arg-type, call-arg]
            with pytest.raises(TypeError):
                await cluster[1].submit(Inventory.supply, "sku-1", "many")  # type: ignore[arg-type]

    run(main())


def test_commands_of_one_member_are_applied_in_order_each_once_while_leaders_come_and_go() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            leader = await cluster.wait_leader()
            at = next(number for number in cluster.running if number != leader)
            first = asyncio.gather(*(cluster[at].submit(Inventory.supply, "sku-1", 1) for _ in range(300)))
            await cluster[at].submit(Inventory.supply, "other", 1)
            stopping = asyncio.ensure_future(cluster.stop(leader))
            second = asyncio.gather(*(cluster[at].submit(Inventory.supply, "sku-1", 1) for _ in range(300)))
            assert await first == list(range(1, 301))
            assert await second == list(range(301, 601))
            await stopping
            await cluster.start(leader)
            assert await cluster[leader].read(Inventory.left, "sku-1") == 600

    run(main())


def test_two_machines_share_one_log_and_restart_with_their_state() -> None:
    async def main() -> None:
        async with Cluster(Inventory, Bell) as cluster:
            await cluster[1].submit(Inventory.supply, "sku-1", 2)
            assert await cluster[1].submit(Bell.ring, "one") == 1
            for number in cluster.running:
                await cluster.stop(number)
            await asyncio.gather(*(cluster.start(number) for number in (1, 2, 3)))
            assert await cluster[3].submit(Bell.ring, "two") == 2
            assert await cluster[3].read(Inventory.left, "sku-1") == 2

    run(main())


def test_a_watch_goes_on_at_another_member_without_a_gap() -> None:
    async def main() -> None:
        async with Cluster(Bell, Inventory) as cluster:
            for text in ("one", "two"):
                await cluster[1].submit(Bell.ring, text)
            async for seen in cluster[1].watch(Bell, "rung", str, since=1):
                assert (seen.number, seen.event) == (1, "one")
                break
            await cluster[3].submit(Bell.ring, "three")
            heard = []
            async for seen in cluster[2].watch(Bell, "rung", str, since=2):
                heard.append(seen.event)
                if seen.event == "three":
                    break
            assert heard == ["two", "three"]

    run(main())


def test_what_is_due_happens_although_nobody_submits_anything() -> None:
    async def main() -> None:
        async with Cluster(Bell) as cluster:
            await cluster[1].submit(Bell.ring_in, 1)
            async for seen in cluster[2].watch(Bell, "rung", str, since=1):
                assert seen.event == "late"
                break

    run(main())


def test_a_token_makes_another_member_read_what_this_one_saw() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            for count in range(1, 20):
                writer, reader = cluster[1 + count % 3], cluster[1 + (count + 1) % 3]
                await writer.submit(Inventory.supply, "sku-1", 1)
                causal = reader.reading(paxon.AtLeast(writer.token))
                assert await causal.read(Inventory.left, "sku-1") == count
            assert await cluster[1].reading(paxon.Stale()).read(Inventory.left, "sku-1") <= count

    run(main())


def test_a_session_of_its_own_and_a_time_limit() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            async with cluster[1].session(ttl=5) as session:
                assert await session.submit(Inventory.supply, "sku-1") == 1
            assert await cluster[1].within(5).read(Inventory.left, "sku-1") == 1
            with pytest.raises(paxon.RequestError, match="time limit"):
                cluster[1].within(0)

    run(main())


def test_without_a_majority_nothing_is_claimed_and_nothing_happens_later() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            await cluster[1].submit(Inventory.supply, "sku-1", 1)
            for number in (2, 3):
                await cluster.stop(number)
            with pytest.raises(paxon.RequestError):
                await cluster[1].within(0.3).submit(Inventory.supply, "sku-1", 10)
            await asyncio.gather(cluster.start(2), cluster.start(3))
            # The next command of the session comes after the withdrawn one, whatever became of that.
            assert await cluster[1].submit(Inventory.supply, "sku-1", 1) in (2, 12)
            assert await cluster[2].read(Inventory.left, "sku-1") in (2, 12)

    run(main())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cluster": "c", "members": {"n2": "127.0.0.1:1"}}, "members has no 'n1'"),
        ({"cluster": "c", "members": {"n1": "127.0.0.1:1"}, "name": "n1"}, "leave that to node="),
        ({"members": {"n1": "127.0.0.1:1"}}, "cluster is missing"),
        (Path("nowhere.toml"), "nowhere.toml: cannot be read"),
    ],
)
def test_wrong_settings_are_refused_with_what_to_change(settings: Any, message: str, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(paxon.ConfigurationError, match=message):
            async with paxon.open(Inventory, node="n1", data=tmp_path / "n1", cluster=settings):
                raise AssertionError("it opened")

    run(main())


def test_two_machines_of_one_name_are_told_apart_by_parts() -> None:
    with pytest.raises(paxon.ContractError, match="two parts are named 'Inventory'"):
        Cluster(Inventory, Inventory)

    async def main() -> None:
        async with Cluster(parts={"one": Inventory, "two": Inventory}, members=1) as cluster:
            with pytest.raises(paxon.ContractError, match=r"several parts \(one, two\): derive a class for each"):
                await cluster[1].submit(Inventory.supply, "sku-1")

    run(main())


class Shop(Inventory):
    """The same again, of its own."""


class Depot(Inventory):
    """And again."""


def test_a_derived_class_is_a_part_of_its_own_with_the_commands_that_it_inherits() -> None:
    async def main() -> None:
        async with Cluster(Inventory, Shop, members=1) as cluster:
            assert await cluster[1].submit(Shop.supply, "sku-1", 5) == 5
            assert await cluster[1].submit(Inventory.supply, "sku-1") == 1
            assert await cluster[1].read(Shop.left, "sku-1") == 5
        async with Cluster(Shop, members=1) as cluster:
            # Of a class that is no part itself, it can be nobody else's.
            assert await cluster[1].submit(Inventory.supply, "sku-1", 2) == 2
        async with Cluster(Shop, Depot, members=1) as cluster:
            with pytest.raises(paxon.ContractError, match="call it by the class you mean, Depot or Shop"):
                await cluster[1].submit(Inventory.supply, "sku-1")

    run(main())


class Dice(paxon.StateMachine):
    """Reads a clock, which it must not."""

    def __init__(self) -> None:
        self.latest = 0

    @paxon.command
    def roll(self, ctx: paxon.Context) -> None:
        """Keep what the clock says."""
        self.latest = time.perf_counter_ns()


def test_development_mode_stops_a_member_whose_class_is_not_deterministic() -> None:
    async def main() -> None:
        async with Cluster(Dice, Inventory, development=True, members=1) as cluster:
            assert await cluster[1].submit(Inventory.supply, "sku-1", 2) == 2
            with pytest.raises(paxon.OutcomeUnknown):
                await cluster[1].within(5).submit(Dice.roll)
            error = await cluster[1].wait_failed()
            assert isinstance(error, paxon.NotDeterministic)
            assert "the command roll of Dice in slot" in str(error)

    run(main())


def test_development_mode_lets_members_of_a_good_class_tell_each_other_what_they_have() -> None:
    async def main() -> None:
        async with Cluster(Inventory, development=True) as cluster:
            for count in range(1, 30):
                assert await cluster[1 + count % 3].submit(Inventory.supply, "sku-1") == count
            for number in cluster.running:
                assert await cluster[number].read(Inventory.left, "sku-1") == 29

    run(main())


def test_a_call_after_the_end_is_refused_at_once() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            member = cluster[1]
            assert await member.submit(Inventory.supply, "sku-1", 1) == 1
            async with member.session() as ended:
                assert await ended.submit(Inventory.supply, "sku-1", 1) == 2
            with pytest.raises(paxon.RequestError, match="the session was closed"):
                await ended.submit(Inventory.supply, "sku-1", 1)
            await cluster.stop(1)
            with pytest.raises(paxon.RequestError, match="the session was closed"):
                await member.submit(Inventory.supply, "sku-1", 1)

    run(main())
