"""The faces without await: threads, errors where they belong, and clean ends."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import paxon
from paxon.sync import BlockingMember
from tests.client.test_members import Bell
from tests.node.nodes import free_addresses
from tests.rsm.inventory import Inventory, OutOfStock, Reserved

WATCHES_UNTIL_INTERRUPTED = """
import sys
from pathlib import Path
import paxon
from paxon.collections.counters import Counted, Counters

settings = {"cluster": "alone", "members": {"n1": sys.argv[2]}}
with paxon.sync.open(node="n1", data=Path(sys.argv[1]), cluster=settings) as member:
    member.submit(Counters.add, "n")
    for seen in member.watch(Counters, "counter/n", Counted, since=1):
        print(seen.event.value, flush=True)
"""


def alone() -> dict[str, Any]:
    """The settings of a cluster of one."""
    peer, endpoint = free_addresses(2)
    return {"cluster": "alone", "members": {"n1": str(peer)}, "endpoints": {"n1": str(endpoint)}}


@pytest.fixture
def settings() -> dict[str, Any]:
    return alone()


@pytest.fixture
def member(settings: dict[str, Any], tmp_path: Path) -> Iterator[BlockingMember]:
    """A member in this process."""
    with paxon.sync.open(Inventory, Bell, node="n1", data=tmp_path / "n1", cluster=settings) as opened:
        yield opened


def test_typed_calls_without_await(member: BlockingMember) -> None:
    assert member.submit(Inventory.supply, "sku-1", 2) == 2
    assert member.submit(Inventory.reserve, "sku-1", order="o-9") == Reserved("o-9", 1)
    assert member.read(Inventory.left, "sku-1") == 1
    assert member.within(5).reading(paxon.AtLeast(member.token)).read(Inventory.left, "sku-1") == 1
    with member.session(ttl=5) as session:
        assert session.submit(Inventory.supply, "sku-1") == 2
    assert member.wait_leader() == member.name == "n1"
    assert member.is_leader


def test_errors_are_raised_where_the_call_was_made(member: BlockingMember) -> None:
    with pytest.raises(OutOfStock) as refusal:
        member.submit(Inventory.reserve, "none", order="o-1")
    assert refusal.value.args == ("none", 1)
    with pytest.raises(paxon.ApplyFailed):
        member.submit(Inventory.reckless, "none")
    with pytest.raises(TypeError):
        member.submit(Inventory.supply, "sku-1", "many")  # type: ignore[arg-type]


def test_many_threads_share_a_member_and_a_client(member: BlockingMember, settings: dict[str, Any]) -> None:
    with (
        paxon.sync.connect(settings["endpoints"]["n1"], Inventory) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        calls = [member.submit, client.submit] * 40
        numbers = list(threads.map(lambda submit: submit(Inventory.supply, "sku-1", 1), calls))
        assert sorted(numbers) == list(range(1, 81))
        assert client.read(Inventory.left, "sku-1") == 80
        assert client.endpoint == settings["endpoints"]["n1"]


def test_a_watch_is_an_iterator(member: BlockingMember) -> None:
    with ThreadPoolExecutor(1) as threads:
        for text in ("one", "two"):
            member.submit(Bell.ring, text)
        seen = member.watch(Bell, "rung", str, since=1)
        assert [next(seen).event, next(seen).event] == ["one", "two"]
        third = threads.submit(next, seen)
        member.submit(Bell.ring, "three")
        assert third.result(10).event == "three"
    for one in member.watch(Bell, "rung", str, since=2):
        assert one.event == "two"
        break


def test_a_thread_with_a_loop_is_told_to_use_the_other_face(member: BlockingMember, settings: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"use paxon\.open or paxon\.connect with await"):
            member.read(Inventory.left, "sku-1")
        with (
            pytest.raises(RuntimeError, match="this thread runs an event loop"),
            paxon.sync.connect(settings["endpoints"]["n1"]),
        ):
            raise AssertionError("it connected")
        assert await asyncio.to_thread(member.read, Inventory.left, "sku-1") == 0

    asyncio.run(main())


def test_leaving_ends_what_other_threads_wait_for(settings: dict[str, Any], tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        with paxon.sync.open(Bell, node="n1", data=tmp_path / "n1", cluster=settings) as member:
            member.submit(Bell.ring, "one")
            seen = member.watch(Bell, "rung", str, since=1)
            next(seen)
            waiting = threads.submit(next, seen)
        assert isinstance(waiting.exception(10), paxon.OutcomeUnknown | RuntimeError)
    with pytest.raises(RuntimeError, match="this is closed"):
        member.read(Bell.count)
    assert all(thread.name != "paxon" for thread in threading.enumerate())


def test_what_goes_wrong_at_the_beginning_is_raised_and_leaves_no_thread(tmp_path: Path) -> None:
    settings = {"members": {"n1": "127.0.0.1:1"}}
    with (
        pytest.raises(paxon.ConfigurationError, match="cluster is missing"),
        paxon.sync.open(Inventory, node="n1", data=tmp_path, cluster=settings),
    ):
        raise AssertionError("it opened")
    with pytest.raises(ZeroDivisionError), paxon.sync.open(Inventory, node="n1", data=tmp_path, cluster=alone()):
        raise ZeroDivisionError
    assert all(thread.name != "paxon" for thread in threading.enumerate())


def test_an_interrupt_ends_a_waiting_call_and_stops_the_member_in_good_order(tmp_path: Path) -> None:
    (peer,) = free_addresses(1)
    arguments = [sys.executable, "-c", WATCHES_UNTIL_INTERRUPTED, str(tmp_path / "n1"), str(peer)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "1\n"
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in errors
    assert "never retrieved" not in errors
    assert program.returncode == -signal.SIGINT
