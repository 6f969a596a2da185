"""Two threads beside a loop: order, answers on the loop, failures as the host's port has them."""

import asyncio
import errno
import threading
from collections.abc import Callable
from typing import Any

import pytest

from paxon.core.decree import Slot
from paxon.core.ledger import Outcome, PromisedBallot, TriedBallot
from paxon.errors import InvariantViolation
from paxon.storage.segment import segment_name
from paxon.storage.threaded import RECALLS_MAX, ThreadedDisk
from tests.storage.disk import MemoryDirectory
from tests.storage.scripts import FIRST, SECOND, decree, flat, groups, opened


def run(disk: MemoryDirectory, script: Callable[[ThreadedDisk, list[Exception]], Any]) -> list[Exception]:
    """Run ``script`` beside a disk; what it was told was damaged."""

    async def main() -> list[Exception]:
        damaged: list[Exception] = []
        threaded = ThreadedDisk(opened(disk)[0], asyncio.get_running_loop(), damaged.append)
        async with asyncio.timeout(20):
            await script(threaded, damaged)
        threaded.close()
        return damaged

    return asyncio.run(main())


async def synced(disk: ThreadedDisk) -> int:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def on_synced(line: int) -> None:
        assert threading.current_thread() is threading.main_thread()
        answer.set_result(line)

    disk.sync(on_synced, answer.set_exception)
    return await answer


async def recalled(disk: ThreadedDisk, slot: int) -> tuple[Outcome, ...]:
    answer: asyncio.Future[tuple[Outcome, ...]] = asyncio.get_running_loop().create_future()
    disk.recall(Slot(slot), 10**6, answer.set_result)
    return await answer


def test_groups_become_durable_in_order() -> None:
    memory = MemoryDirectory()
    plan = groups(slots=20)

    async def script(disk: ThreadedDisk, _: list[Exception]) -> None:
        lines = 0
        for group in plan:
            disk.append(group)
            lines += len(group)
            assert await synced(disk) == lines
        assert len(await recalled(disk, 1)) == 21
        assert await recalled(disk, 500) == ()

    assert run(memory, script) == []
    assert opened(memory.crash())[1] == flat(plan)


def test_records_appended_during_a_sync_wait_for_the_next() -> None:
    memory = MemoryDirectory()

    async def script(disk: ThreadedDisk, _: list[Exception]) -> None:
        entered, may_go = threading.Event(), threading.Event()

        def before(operation: str, name: str) -> None:
            if operation == "pwrite" and name == segment_name(1):
                entered.set()
                may_go.wait(20)

        memory.before = before
        disk.append([TriedBallot(FIRST)])
        first = asyncio.ensure_future(synced(disk))
        await asyncio.get_running_loop().run_in_executor(None, entered.wait, 20)
        disk.append([PromisedBallot(FIRST)])
        with pytest.raises(InvariantViolation, match="at most one sync"):
            disk.sync(lambda line: None, lambda error: None)
        may_go.set()
        assert await first == 1
        assert await synced(disk) == 2

    run(memory, script)


def test_a_full_disk_may_be_asked_again() -> None:
    memory = MemoryDirectory()

    async def script(disk: ThreadedDisk, _: list[Exception]) -> None:
        def before(operation: str, name: str) -> None:
            if operation == "create":
                raise OSError(errno.ENOSPC, "full")

        memory.before = before
        disk.append([PromisedBallot(FIRST)])
        with pytest.raises(OSError, match="full") as caught:
            await synced(disk)
        assert caught.value.errno == errno.ENOSPC
        memory.before = lambda operation, name: None
        assert await synced(disk) == 1

    run(memory, script)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC])
def test_a_failed_sync_is_final_whatever_its_number(number: int) -> None:
    memory = MemoryDirectory()

    async def script(disk: ThreadedDisk, damaged: list[Exception]) -> None:
        def before(operation: str, name: str) -> None:
            if operation == "sync":
                raise OSError(number, "refused")

        memory.before = before
        disk.append([PromisedBallot(FIRST)])
        for _ in range(2):
            with pytest.raises(OSError, match="refused") as caught:
                await synced(disk)
            assert caught.value.errno == errno.EIO
            disk.append([PromisedBallot(SECOND)])
        assert await recalled(disk, 1) == ()
        assert damaged == []

    run(memory, script)


def test_damage_found_by_a_recall_is_told() -> None:
    memory = MemoryDirectory()

    async def script(disk: ThreadedDisk, _: list[Exception]) -> None:
        disk.append([Outcome(Slot(1), decree(1))])
        await synced(disk)
        memory.flip(segment_name(1), 80, 0)
        assert await recalled(disk, 1) == ()

    (damage,) = run(memory, script)
    assert "damaged" in str(damage)


def test_too_many_recalls_are_told_so() -> None:
    memory = MemoryDirectory()

    async def script(disk: ThreadedDisk, _: list[Exception]) -> None:
        disk.append([Outcome(Slot(1), decree(1))])
        await synced(disk)
        may_go = threading.Event()

        def before(operation: str, name: str) -> None:
            may_go.wait(20)

        memory.before = before
        waiting = [asyncio.ensure_future(recalled(disk, 1)) for _ in range(RECALLS_MAX)]
        surplus = asyncio.ensure_future(recalled(disk, 1))
        assert await surplus == ()
        may_go.set()
        for answer in waiting:
            assert len(await answer) == 1
        assert len(await recalled(disk, 1)) == 1

    run(memory, script)


def test_a_loop_that_is_gone_is_left_alone() -> None:
    loop = asyncio.new_event_loop()
    disk = ThreadedDisk(opened(MemoryDirectory())[0], loop)
    loop.close()
    disk.append([TriedBallot(FIRST)])
    disk.sync(lambda line: None, lambda error: None)
    disk.close()
