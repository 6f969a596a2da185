"""One member as an operating-system process: a replica, signals, an exit code."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Mapping

from paxon.node.config import MemberConfig
from paxon.node.replica import Replica
from paxon.rsm.contract import StateMachine
from paxon.rsm.machine import ByteMachine

logger = logging.getLogger(__name__)

EXIT_DONE, EXIT_FAILED = 0, 1


def run_member(config: MemberConfig, parts: Mapping[str, StateMachine | ByteMachine]) -> int:
    """Run one member with these parts until SIGTERM or SIGINT, then stop it in good order.

    Returns the process's exit code: 0 after a signal, 1 if the member had to stop by itself.

    Raises:
        ConfigurationError: an address is in use, or the directory or TLS files cannot be used.
        LedgerError: the directory is not this member's, or damaged.
    """
    return run_on_best_loop(_serve(config, parts))


def run_on_best_loop(main: Coroutine[object, object, int]) -> int:
    """Run ``main`` on uvloop where it is installed (the extra ``speed``), on asyncio's own loop elsewhere."""
    with asyncio.Runner(loop_factory=best_loop_factory()) as runner:
        return runner.run(main)


def best_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the fastest event loop that is installed; ``None`` for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(config: MemberConfig, parts: Mapping[str, StateMachine | ByteMachine]) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    replica = Replica(config, parts)
    node = replica.node
    serving = asyncio.ensure_future(_start_and_serve(replica, stopping))
    ends: list[asyncio.Future[None] | asyncio.Future[Exception]] = [serving, node.failed]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if node.failed.done():
            # What the ledger or the protocol cannot vouch for any more must not be tidied up either:
            # no farewell, no flush.  Everything that was promised is on the disk or was not promised.
            logger.critical("member failed", extra={"fields": {"error": str(node.failed.result())}})
            logging.shutdown()
            os._exit(EXIT_FAILED)
        serving.result()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await replica.close()
    logger.info("member stopped", extra={"fields": {}})
    return EXIT_DONE


async def _start_and_serve(replica: Replica, stopping: asyncio.Event) -> None:
    starting = asyncio.ensure_future(replica.start())
    told_to_stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([starting, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        starting.result()
        await told_to_stop
        await replica.retire()
    finally:
        for task in (starting, told_to_stop):
            task.cancel()
        await asyncio.gather(starting, told_to_stop, return_exceptions=True)
