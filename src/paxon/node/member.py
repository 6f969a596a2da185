"""One member as an operating-system process: a node, its client port, signals, an exit code."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine

from paxon.net.calls import CallServer
from paxon.node.config import MemberConfig
from paxon.node.node import Node
from paxon.node.service import CALL_LIMITS, CLIENT_VOCABULARY, ClientService
from paxon.rsm.machine import ByteMachine

logger = logging.getLogger(__name__)

EXIT_DONE, EXIT_FAILED = 0, 1


def run_member(config: MemberConfig, machine: ByteMachine) -> int:
    """Run one member until SIGTERM or SIGINT, then stop it in good order.

    Returns the process's exit code: 0 after a signal, 1 if the member had to stop by itself.

    Raises:
        ConfigurationError: an address is in use, or the directory or TLS files cannot be used.
        LedgerError: the directory is not this member's, or damaged.
    """
    return run_on_best_loop(_serve(config, machine))


def run_on_best_loop(main: Coroutine[object, object, int]) -> int:
    """Run ``main`` on uvloop where it is installed (the extra ``speed``), on asyncio's own loop elsewhere."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(config: MemberConfig, machine: ByteMachine) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    node = Node(config, machine)
    serving = asyncio.ensure_future(_start_and_serve(config, node, stopping))
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
        await node.close()
    logger.info("member stopped", extra={"fields": {}})
    return EXIT_DONE


async def _start_and_serve(config: MemberConfig, node: Node, stopping: asyncio.Event) -> None:
    starting = asyncio.ensure_future(node.start())
    told_to_stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([starting, told_to_stop], return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            return
        starting.result()
        server = _client_port(config, node)
        await server.start()
        try:
            await told_to_stop
            await node.retire()
        finally:
            await server.close()
    finally:
        for task in (starting, told_to_stop):
            task.cancel()
        await asyncio.gather(starting, told_to_stop, return_exceptions=True)


def _client_port(config: MemberConfig, node: Node) -> CallServer:
    service = ClientService(node)
    return CallServer(
        listen=(config.listen.host, config.listen.port),
        vocabulary=CLIENT_VOCABULARY,
        on_request=service.on_request,
        on_closed=service.on_closed,
        tls=config.tls,
        limits=CALL_LIMITS,
    )
