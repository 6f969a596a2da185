"""Programs outside the cluster: real members, real sockets, the calls of a member, and everything that may break."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import trustme

import paxon
from paxon.client import client_channel
from paxon.client.opening import Member
from paxon.collections.counters import Counters
from paxon.rsm.assembly import Announce, encode
from paxon.rsm.session_requests import Plain
from paxon.rsm.session_requests import encode as encode_request
from paxon.testing import Cluster
from tests.client.members import FakeMember, failing, refusing_endpoint, silent, started
from tests.client.test_members import Bell, run
from tests.net.harness import tls_files
from tests.node.nodes import free_addresses
from tests.node.test_member import processes
from tests.rsm.inventory import Inventory, OutOfStock, Reserved


class Louder(Bell):
    """A release that the members do not have."""

    @paxon.command
    def shout(self, ctx: paxon.Context) -> None:
        """Ring very loud."""

    @paxon.query
    def loudness(self) -> int:
        """How loud."""
        return 11


def test_the_calls_of_a_member_work_from_outside_too() -> None:
    async def main() -> None:
        async with (
            Cluster(Inventory, Bell) as cluster,
            paxon.connect(",".join(cluster.endpoints), Inventory) as client,
        ):
            assert await client.submit(Inventory.supply, "sku-1", 2) == 2
            assert await client.submit(Inventory.reserve, "sku-1", order="o-9") == Reserved("o-9", 1)
            with pytest.raises(OutOfStock):
                await client.submit(Inventory.reserve, "none", order="o-1")
            with pytest.raises(paxon.ApplyFailed, match="KeyError"):
                await client.submit(Inventory.reckless, "none")
            assert await client.read(Inventory.left, "sku-1") == 1
            assert await cluster[3].read(Inventory.left, "sku-1") == 1
            async with client.session(ttl=5) as session:
                assert await session.submit(Inventory.supply, "sku-1") == 2
            assert await client.submit(Counters.add, "ready-made", 7) == 7
            async with client.lock("nightly") as hold:
                assert hold.token == 1
            assert client.token > 0
            assert client.endpoint in cluster.endpoints
            with pytest.raises(paxon.ContractError, match="no command or query of the classes given here"):
                await client.submit(Bell.ring, "x")

    run(main())


def test_commands_of_one_client_keep_their_order_while_members_come_and_go() -> None:
    async def main() -> None:
        async with Cluster(Inventory) as cluster:
            leader = await cluster.wait_leader()
            endpoints = cluster.endpoints
            # The leader's endpoint first: its clients have to go elsewhere.
            first = endpoints.pop(leader - 1)
            async with paxon.connect([first, *endpoints], Inventory) as client:
                assert await client.submit(Inventory.supply, "sku-1", 1) == 1
                assert client.endpoint == first
                under_way = asyncio.gather(*(client.submit(Inventory.supply, "sku-1", 1) for _ in range(300)))
                stopping = asyncio.ensure_future(cluster.stop(leader))
                later = asyncio.gather(*(client.submit(Inventory.supply, "sku-1", 1) for _ in range(300)))
                assert await under_way == list(range(2, 302))
                assert await later == list(range(302, 602))
                await stopping
                assert await client.read(Inventory.left, "sku-1") == 601
                assert client.endpoint != first

    run(main())


def test_a_member_killed_under_a_client_costs_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    with processes(tmp_path, size=3) as town:
        town.start()

        async def main() -> None:
            async with paxon.connect([str(town.endpoints[name]) for name in town.names], timeout=30) as client:
                assert await client.submit(Counters.add, "n") == 1
                under_way = [asyncio.ensure_future(client.submit(Counters.add, "n")) for _ in range(500)]
                await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                used = client.endpoint
                town[next(name for name in town.names if str(town.endpoints[name]) == used)].process.kill()
                assert await asyncio.gather(*under_way) == list(range(2, 502))
                assert await client.read(Counters.get, "n") == 501
                assert client.endpoint != used

        for name in town.names:
            town[name].wait_line("listening for clients")
        run(main())


def test_a_watch_goes_on_at_another_member_without_a_gap_or_a_repetition() -> None:
    async def main() -> None:
        async with (
            Cluster(Bell, Inventory) as cluster,
            paxon.connect(cluster.endpoints, Bell) as client,
        ):
            watching = client.watch(Bell, "rung", str)
            first = asyncio.ensure_future(anext(watching))
            while not first.done():
                # A watch from now on begins when its first event is asked for, and who knows when that is.
                await cluster[2].submit(Bell.ring, "early")
                await cluster[2].submit(Inventory.supply, "sku-1")
            begun = (await first).number
            await cluster[2].submit(Bell.ring, "one")
            numbers = []
            async for seen in watching:
                numbers.append(seen.number)
                if seen.event == "one":
                    break
            assert numbers == list(range(begun + 1, begun + 1 + len(numbers)))
            at = cluster.endpoints.index(client.endpoint) + 1
            other = next(number for number in cluster.running if number != at)
            waiting = asyncio.ensure_future(anext(client.watch(Bell, "rung", str, since=numbers[-1] + 1)))
            await cluster.stop(at)
            await cluster[other].submit(Bell.ring, "two")
            seen = await waiting
            assert (seen.number, seen.event) == (numbers[-1] + 1, "two")
            assert cluster.endpoints.index(client.endpoint) + 1 != at

    run(main())


def test_what_the_members_do_not_have_is_refused_at_once_and_holds_nobody_up() -> None:
    async def main() -> None:
        async with (
            Cluster(parts={"bell": Bell}) as cluster,
            paxon.connect(cluster.endpoints, parts={"bell": Louder}) as client,
        ):
            refused, rung = await asyncio.gather(
                client.submit(Louder.shout), client.submit(Bell.ring, "x"), return_exceptions=True
            )
            assert isinstance(refused, paxon.BadRequest)
            assert "shout" in str(refused)
            assert rung == 1
            old = encode_request(Plain(encode(Announce("of-old", {}))))
            await cluster[1]._replica.node.submit(old, 5_000)
            # The member that is asked has heard of it once it answers this.
            assert await client.read(Bell.count) == 1
            with pytest.raises(paxon.NotYetKnown, match="the code of of-old does not have it"):
                await client.submit(Bell.ring, "y")
            assert await cluster[1].read(Bell.count) == 1
            with pytest.raises(paxon.RequestError):
                await client.read(Louder.loudness)

    run(main())


def test_a_member_that_says_nothing_is_left_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_channel, "ATTEMPT_MS", 200)

    async def main() -> None:
        async with (
            Cluster(Inventory, members=1) as cluster,
            started(FakeMember("n9", silent)) as endpoints,
            paxon.connect([*endpoints, *cluster.endpoints], Inventory) as client,
        ):
            assert await client.submit(Inventory.supply, "sku-1", 1) == 1
            assert client.endpoint == cluster.endpoints[0]

    run(main())


def test_a_member_without_a_sign_of_life_is_left_before_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_channel, "PROBE_S", 0.1)
    monkeypatch.setattr(client_channel, "ATTEMPT_MS", 600_000)

    async def main() -> None:
        async with (
            Cluster(Inventory, members=1) as cluster,
            started(frozen := FakeMember("n9", silent)) as endpoints,
            paxon.connect([*endpoints, *cluster.endpoints], Inventory, timeout=50) as client,
        ):
            assert await client.submit(Inventory.supply, "sku-1", 1) == 1
            assert len(frozen.asked) >= 2, "the opening of a session, and a probe"

    run(main())


def test_time_limits_hold_although_nobody_answers() -> None:
    async def main() -> None:
        async with started(FakeMember("n9", silent)) as endpoints, paxon.connect(endpoints, Inventory) as client:
            with pytest.raises(paxon.NotLeader, match="no leader opened the session"):
                await client.within(0.2).submit(Inventory.supply, "sku-1", 1)
            with pytest.raises(paxon.RequestError):
                await client.within(0.2).read(Inventory.left, "sku-1")

    run(main())


@pytest.mark.parametrize(("code", "error"), [("compacted", paxon.Compacted), ("not_leader", paxon.Unreachable)])
def test_a_watch_ends_with_what_no_member_can_mend(code: str, error: type[Exception]) -> None:
    async def main() -> None:
        async with (
            started(FakeMember("n9", failing(code))) as endpoints,
            paxon.connect(endpoints, Bell, timeout=0.2) as client,
        ):
            with pytest.raises(error):
                await anext(client.watch(Bell, "rung", str, since=1))
            with pytest.raises(paxon.BadRequest, match="numbered from 1"):
                await anext(client.watch(Bell, "rung", str, since=0))

    run(main())


def test_who_is_not_there_is_named() -> None:
    async def main() -> None:
        with refusing_endpoint() as nobody:
            with pytest.raises(paxon.Unreachable, match=nobody):
                async with paxon.connect(nobody, Inventory, timeout=0.1):
                    raise AssertionError("it connected")
            async with (
                Cluster(Inventory, members=1) as cluster,
                paxon.connect([nobody, *cluster.endpoints], Inventory) as client,
            ):
                await cluster.stop(1)
                with pytest.raises(paxon.Unreachable, match=nobody):
                    await client.within(0.5).submit(Inventory.supply, "sku-1", 1)
        with pytest.raises(paxon.ConfigurationError, match="endpoint"):
            async with paxon.connect("nowhere", Inventory):
                raise AssertionError("it connected")
        with pytest.raises(paxon.BadRequest, match="time limit"):
            async with paxon.connect(nobody, Inventory, timeout=0):
                raise AssertionError("it connected")

    run(main())


def test_with_tls_a_client_needs_a_certificate_and_then_everything_works(tmp_path: Path) -> None:
    authority = trustme.CA()
    peer, endpoint = free_addresses(2)
    files = {name: tls_files(tmp_path, authority, name, "127.0.0.1") for name in ("n1", "visitor")}
    settings = {
        "cluster": "sealed",
        "members": {"n1": str(peer)},
        "endpoints": {"n1": str(endpoint)},
        "tls": {part: str(getattr(files["n1"], part)) for part in ("cert", "key", "ca")},
    }

    async def main() -> None:
        async with AsyncExitStack() as stack:
            member: Member = await stack.enter_async_context(
                paxon.open(Inventory, node="n1", data=tmp_path / "data", cluster=settings)
            )
            await member.wait_leader()
            client = await stack.enter_async_context(paxon.connect([str(endpoint)], Inventory, tls=files["visitor"]))
            assert await client.submit(Inventory.supply, "sku-1", 3) == 3
            assert await client.read(Inventory.left, "sku-1") == 3

    run(main())
