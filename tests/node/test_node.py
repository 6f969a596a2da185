"""Whole nodes: forming a cluster, restarting, being refused, stopping."""

import asyncio
import gc
import shutil
import socket
import weakref
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from paxon.core.ledger import Record
from paxon.core.timing import Timing
from paxon.errors import (
    ConfigurationError,
    Disowned,
    ForeignIdentity,
    LedgerInUse,
    NotLeader,
    OutcomeUnknown,
    RequestError,
    Stopping,
    WrongCluster,
)
from paxon.kv.name_server import NameServer, get, put
from paxon.node.config import MemberConfig
from paxon.node.consistency import STALE
from paxon.node.node import Node
from paxon.node.status import Role
from paxon.storage.directory import OsDirectory
from paxon.storage.identity import DataDirectory
from tests.net.harness import PATIENCE_S, run, tls_files
from tests.node.nodes import Cluster, cluster, free_addresses, tapped, until

NEVER_MS = 600_000
"""An election time-out that no test waits for."""


def records_in(config: MemberConfig) -> list[Record]:
    """What a member that is not running has in its ledger."""
    directory = DataDirectory.open(
        OsDirectory(config.directory), config.cluster_id, config.name, config.node_id, "unused"
    )
    records: list[Record] = []
    try:
        file = directory.ledger()
        file.replay(records.append)
        file.close()
    finally:
        directory.close()
    return records


# --- forming, writing, reading ---


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_three_nodes_form_a_cluster_and_serve_writes_and_reads_anywhere(tmp_path: Path, loop: str) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            for number, name in enumerate(town.names):
                await town.put(name, b"k%d" % number, name.encode())
            for name in town.names:
                assert [await town.get(name, b"k%d" % number) for number in range(3)] == [b"n1", b"n2", b"n3"]
            assert town.roles() == sorted([Role.LEADER, Role.FOLLOWER, Role.FOLLOWER])

    run(main, loop)


def test_a_node_says_who_leads_and_where(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            leader = await town.leader()
            # Impatient members on a busy machine may elect another one while we ask around.
            while {await town[name].wait_leader() for name in town.names} != {leader}:
                leader = await town.leader()
            for name in town.names:
                status = town[name].status()
                assert (status.member, status.leader) == (name, leader)
                assert status.endpoint == str(town.configs[name].listen)
                # Told by the leader itself: nobody configured it here.
                assert status.leader_endpoint == str(town.configs[leader].listen)

    run(main)


def test_a_cluster_of_one_serves_by_itself(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path, 1) as town:
            await town.put("n1", b"k", b"v")
            assert await town.get("n1", b"k") == b"v"

    run(main)


def test_commands_at_once_from_everywhere_are_each_applied_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            written = await asyncio.gather(*(town.put(town.names[number % 3], b"k", b"v") for number in range(300)))
            assert sorted(one.version for one in written) == list(range(1, 301))

    run(main)


# --- restarting ---


def test_one_node_restarts_and_catches_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            await town.put("n1", b"before", b"1")
            (away, at) = await town.followers()
            await town.drop(away)
            await town.put_for_sure(at, b"meanwhile", b"2")
            await town.start(away)
            assert await town.get(away, b"before") == b"1"
            assert await town.get(away, b"meanwhile") == b"2"

    run(main)


def test_a_directory_put_back_from_an_older_copy_never_votes_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            away, at = await town.followers()
            await town.put(at, b"before", b"1")
            await town.drop(away)
            directory, copy = town.configs[away].directory, tmp_path / "copy"
            shutil.copytree(directory, copy)
            await town.start(away)
            await town.put(away, b"meanwhile", b"2")
            await until(lambda: town[away].status().applied == town[at].status().applied)
            await town.drop(away)
            shutil.rmtree(directory)
            shutil.copytree(copy, directory)
            await town.start(away)
            error = await asyncio.wait_for(asyncio.shield(town[away].failed), PATIENCE_S)
            assert isinstance(error, Disowned)
            # Whichever of the two the first member to be asked happens to know of.
            assert any(
                sign in str(error)
                for sign in (f"the ledger of {away} ends at line", f"{away} comes from start 2 of its")
            )
            assert not town[away].is_leader
            await town.drop(away)
            with pytest.raises(Disowned, match="was refused by the other members"):
                await town.start(away)
            await town.nodes.pop(away).close()
            await town.put(at, b"after", b"3")

    run(main)


def test_all_nodes_lose_power_and_an_older_copy_is_still_known_for_one(tmp_path: Path) -> None:
    """What members remember of each other is on their disks as well, as of their last good stop at the least."""

    async def main() -> None:
        async with cluster(tmp_path) as town:
            await town.put("n1", b"before", b"1")
            await town.drop()
            directory, copy = town.configs["n1"].directory, tmp_path / "copy"
            shutil.copytree(directory, copy)
            await town.start()
            await town.put("n1", b"meanwhile", b"2")
            await town.drop()
            shutil.rmtree(directory)
            shutil.copytree(copy, directory)
            await town.start()
            assert isinstance(await asyncio.wait_for(asyncio.shield(town["n1"].failed), PATIENCE_S), Disowned)
            await town.nodes.pop("n1").close()
            assert await town.get("n2", b"meanwhile") == b"2"

    run(main)


def test_a_second_process_on_a_copy_of_the_directory_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            copied, at = await town.followers()
            await town.drop(copied)
            copy = tmp_path / "copy"
            shutil.copytree(town.configs[copied].directory, copy)
            await town.start(copied)
            await town.put(copied, b"k", b"1")
            (address,) = free_addresses(1)
            config = town.configs[copied]
            second = Node(replace(config, directory=copy, members={**config.members, copied: address}), NameServer())
            try:
                await second.start()
                error = await asyncio.wait_for(asyncio.shield(second.failed), PATIENCE_S)
                assert isinstance(error, Disowned)
            finally:
                await second.close()
            # The first one was not in the wrong, and serves on.
            await town.put(copied, b"k", b"2")
            assert not town[copied].failed.done()
            assert await town.get(at, b"k") == b"2"

    run(main)


def test_the_leader_is_lost_and_service_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            lost = await town.leader()
            await town.put(lost, b"before", b"1")
            await town.drop(lost)
            at = next(iter(town.nodes))
            await town.put_for_sure(at, b"after", b"2")
            assert await town.get(at, b"before") == b"1"
            await town.start(lost)
            # It may even lead again: members that share a busy processor lose their leaders now and then.
            assert await town.get(lost, b"after") == b"2"

    run(main)


def test_all_nodes_restart_and_everything_is_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            for number in range(50):
                await town.put(town.names[number % 3], b"k%d" % number, b"v%d" % number)
            for _ in range(2):
                await town.drop()
                await town.start()
                for number in range(50):
                    assert await town.get(town.names[(number + 1) % 3], b"k%d" % number) == b"v%d" % number
            assert (await town.put("n1", b"k0", b"again")).version == 2

    run(main)


def test_a_node_that_is_introduced_starts_alone(tmp_path: Path) -> None:
    """Only a new storage waits for the others; without them this one takes part, and serves what needs nobody."""

    async def main() -> None:
        async with cluster(tmp_path) as town:
            await town.put("n1", b"k", b"v")
            await town.get("n2", b"k")
            await town.drop()
            await town.start("n2")
            assert await town.get("n2", b"k", consistency=STALE) in (b"v", None)
            with pytest.raises(NotLeader):
                await town.get("n2", b"k", timeout_ms=100)

    run(main)


# --- whom to trust ---


def test_a_wiped_directory_under_an_old_name_is_refused_and_never_votes(tmp_path: Path) -> None:
    """A member that forgot its votes looks like a new one, except to those who met it before."""

    async def main() -> None:
        async with tapped() as tap, cluster(tmp_path) as town:
            await town.put("n3", b"before", b"1")
            await town.drop("n3")
            shutil.rmtree(town.configs["n3"].directory)
            tap.events.clear()
            starting = asyncio.ensure_future(town.start("n3"))
            for refuser in ("n1", "n2"):
                await tap.until("link refused", peer=refuser, reason="member n3 came with storage")
            await town.put_for_sure("n1", b"meanwhile", b"2")
            await town.drop("n1")
            # Member 3 would make a majority with member 2, if it voted.
            with pytest.raises((NotLeader, OutcomeUnknown)):
                await town.put("n2", b"after", b"3", timeout_ms=1_000)
            assert not starting.done()
            assert town["n3"].status().term == 0
            assert not tap.has("member started")
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await town.drop("n3")
            assert records_in(town.configs["n3"]) == []
            await town.start("n1")
            assert await town.get("n2", b"meanwhile") == b"2"

    run(main)


def test_a_member_of_another_cluster_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with tapped() as tap, cluster(tmp_path) as town:
            await town.put("n1", b"k", b"v")
            await town.drop("n3")
            town.configure("n3", cluster="village", directory=tmp_path / "village")
            tap.events.clear()
            starting = asyncio.ensure_future(town.start("n3"))
            for refuser in ("n1", "n2"):
                await tap.until("link refused", peer=refuser, reason="belongs to cluster")
            await town.put("n1", b"k", b"w")
            assert not starting.done()
            assert not tap.has("member started")
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)

    run(main)


def test_a_directory_of_another_cluster_or_member_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path, 1) as town:
            await town.drop()
            right = town.configs["n1"]
            town.configure("n1", cluster="village")
            with pytest.raises(WrongCluster, match="name the directory of this cluster"):
                await town.start()
            await town.drop()
            town.configs["n1"] = right
            await town.start()
        async with cluster(tmp_path / "other") as town:
            await town.drop("n1", "n2")
            town.configure("n2", directory=town.configs["n1"].directory)
            with pytest.raises(ForeignIdentity, match="belongs to member n1, not to n2"):
                await town.start("n2")

    run(main)


def test_a_second_node_on_one_directory_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path, 1) as town:
            second = Node(town.configs["n1"], NameServer())
            with pytest.raises(LedgerInUse, match="in use by the process with pid"):
                await second.start()
            await second.close()
            await town.put("n1", b"k", b"v")
            assert await town.get("n1", b"k") == b"v"

    run(main)


def test_an_address_in_use_is_refused_and_nothing_is_held_back(tmp_path: Path) -> None:
    """Whoever corrects the address may start on the same directory in the same process."""

    async def main() -> None:
        town = Cluster(tmp_path, 1)
        with socket.socket() as occupant:
            occupant.bind((town.configs["n1"].peer_address.host, town.configs["n1"].peer_address.port))
            occupant.listen()
            with pytest.raises(ConfigurationError, match="in use"):
                await town.start()
            await town.drop()
        await town.start()
        await town.put("n1", b"k", b"v")
        await town.drop()

    run(main)


# --- TLS ---


def test_nodes_with_certificates_form_a_cluster_and_one_without_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        town = Cluster(tmp_path / "data")
        for name in town.names:
            town.configure(name, tls=tls_files(tmp_path, authority, name))
        async with tapped() as tap:
            try:
                await town.start()
                await town.put("n1", b"k", b"v")
                assert await town.get("n3", b"k") == b"v"
                await town.drop("n3")
                for tls in (None, tls_files(tmp_path, stranger, "n3")):
                    town.configure("n3", tls=tls)
                    tap.events.clear()
                    await town.start("n3")
                    await tap.until("peer not reached", peer="n1")
                    await town.put_for_sure("n1", b"k", b"w")
                    assert not tap.has("link up")
                    await town.drop("n3")
                town.configure("n3", tls=tls_files(tmp_path, authority, "n3"))
                await town.start("n3")
                assert await town.get("n3", b"k") == b"w"
            finally:
                await town.drop()

    run(main)


# --- stopping ---


def test_a_leader_that_stops_hands_over_and_no_write_notices(tmp_path: Path) -> None:
    """Term changes once, to the next round; no write at the others is refused; no time-out comes into it."""

    async def main() -> None:
        async with cluster(tmp_path, timing=Timing(presence_ms=20, election_timeout_ms=NEVER_MS)) as town:
            leader = await town.leader()
            others = await town.followers()
            await asyncio.gather(*(town.put(name, b"warm " + name.encode(), b"up") for name in town.names))
            terms = {town[name].status().term for name in town.names}
            assert len(terms) == 1
            rounds: list[int] = []
            acknowledged = [0]

            async def write(at: str) -> None:
                number = 0
                while len(rounds) < 2 or number < 20:
                    number += 1
                    await town.put(at, b"%s-%d" % (at.encode(), number), b"v")
                    acknowledged[0] += 1
                    term = town[at].status().term
                    if term >> 16 not in rounds:
                        rounds.append(term >> 16)

            writing = [asyncio.ensure_future(write(name)) for name in others]
            await until(lambda: acknowledged[0] >= 10)
            await town.stop(leader)
            await asyncio.gather(*writing)
            before = terms.pop() >> 16
            assert rounds == [before, before + 1]
            assert await town.leader() in others

    run(main)


def test_a_node_that_stops_refuses_new_requests_and_says_where_to_go(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as town:
            await town.put("n1", b"k", b"v")
            await town["n1"].retire()
            with pytest.raises(Stopping):
                town["n1"].submit(put(b"k", b"w"), 1_000)
            with pytest.raises(Stopping):
                await town["n1"].query(get(b"k"), 1_000)
            await town.put_for_sure("n2", b"k", b"x")

    run(main)


def test_every_request_is_answered_by_the_time_a_node_is_closed(tmp_path: Path) -> None:
    """A program that embeds a node and closes it must not be left with futures that nobody will ever resolve."""

    async def main() -> None:
        async with cluster(tmp_path) as town:
            leader = await town.leader()
            await town.put(leader, b"k", b"v")
            await town.drop(*await town.followers())
            begun = town[leader].submit(put(b"k", b"w"), 60_000)
            read = asyncio.ensure_future(town[leader].query(get(b"k"), 60_000))
            await asyncio.sleep(0)
            await town.stop(leader)
            done, pending = await asyncio.wait([begun, read], timeout=PATIENCE_S / 10)
            for request in pending:
                request.cancel()
            assert not pending
            assert all(isinstance(request.exception(), RequestError) for request in done)

    run(main)


def test_nothing_of_a_closed_node_lives_on(tmp_path: Path) -> None:
    """No timer of it arms another for ever, and its state machine is not kept in memory."""

    async def main() -> None:
        async with cluster(tmp_path, 1) as town:
            await town.put("n1", b"k", b"v")
            node = weakref.ref(town["n1"])
            await town.drop()

            def is_gone() -> bool:
                gc.collect()
                return node() is None

            await until(is_gone, patience_s=PATIENCE_S / 4)

    run(main)


def test_a_node_may_be_closed_before_it_was_started_and_while_it_starts(tmp_path: Path) -> None:
    async def main() -> None:
        town = Cluster(tmp_path)
        never = Node(town.configs["n1"], NameServer())
        await never.retire()
        await never.close()
        async with tapped() as tap:
            starting = asyncio.ensure_future(town.start("n1"))
            await tap.until("new storage: waiting for other members to know it")
            await town["n1"].retire()
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await town.drop()
        await town.start()
        await town.put("n1", b"k", b"v")
        await town.drop()

    run(main)
