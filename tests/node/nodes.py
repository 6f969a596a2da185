"""Whole nodes on loopback, all in one event loop, with real directories and real links."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from paxon.core.timing import Timing
from paxon.errors import RequestError
from paxon.kv.name_server import Found, NameServer, Written, get, put, read_reply
from paxon.node.config import MemberConfig
from paxon.node.consistency import LINEARIZABLE, Consistency
from paxon.node.node import Node
from paxon.node.proposals import Applied
from paxon.node.settings import Address
from paxon.node.status import Role
from tests.net.harness import PATIENCE_S, Signal

TIMEOUT_MS = int(PATIENCE_S * 1000)

BRISK = Timing(presence_ms=20, election_timeout_ms=200, retransmit_ms=50, flush_ms=2)
"""For tests in which a leader is lost: nobody waits for a default time-out."""


def free_addresses(count: int) -> list[Address]:
    """Addresses on loopback that nobody uses at this moment.  All are held at once, so they differ."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [Address(*one.getsockname()) for one in sockets]


class LogTap(logging.Handler):
    """What the nodes log, as it comes."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._signal = Signal()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        self.events.append((record.getMessage(), getattr(record, "fields", {})))
        self._loop.call_soon_threadsafe(self._signal.notify)

    def has(self, event: str, **fields: str) -> bool:
        """Whether ``event`` was logged with each of ``fields`` somewhere in its own."""
        return any(
            event == found and all(text in str(said.get(name, "")) for name, text in fields.items())
            for found, said in self.events
        )

    async def until(self, event: str, **fields: str) -> None:
        await self._signal.until(lambda: self.has(event, **fields))


@contextlib.asynccontextmanager
async def tapped() -> AsyncIterator[LogTap]:
    """Everything that is logged while the context lasts."""
    tap = LogTap()
    logger = logging.getLogger("paxon")
    level = logger.level
    logger.addHandler(tap)
    logger.setLevel(logging.INFO)
    try:
        yield tap
    finally:
        logger.removeHandler(tap)
        logger.setLevel(level)


class Cluster:
    """Members by name, some of them running."""

    def __init__(self, folder: Path, size: int = 3, timing: Timing = BRISK, **settings: Any) -> None:
        self.names = [f"n{number}" for number in range(1, size + 1)]
        addresses = free_addresses(2 * size)
        peers = dict(zip(self.names, addresses[:size], strict=True))
        self.configs = {
            name: MemberConfig(
                cluster="town",
                name=name,
                directory=folder / name,
                members=peers,
                listen=listen,
                timing=timing,
                **settings,
            )
            for name, listen in zip(self.names, addresses[size:], strict=True)
        }
        self.nodes: dict[str, Node] = {}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def configure(self, name: str, **changes: Any) -> MemberConfig:
        """Change what a member is started with."""
        self.configs[name] = replace(self.configs[name], **changes)
        return self.configs[name]

    async def start(self, *names: str) -> None:
        """Start members; everybody if none is named.  With new directories they need each other to start."""
        names = names or tuple(self.names)
        for name in names:
            self.nodes[name] = Node(self.configs[name], NameServer())
        await asyncio.gather(*(self.nodes[name].start() for name in names))

    async def drop(self, *names: str) -> None:
        """End members without any farewell."""
        for name in names or tuple(self.nodes):
            await self.nodes.pop(name).close()

    async def stop(self, name: str) -> None:
        """End a member in good order."""
        await self[name].retire()
        await self.drop(name)

    async def leader(self) -> str:
        """The name of a member that leads."""
        while True:
            for name, node in self.nodes.items():
                if node.is_leader:
                    return name
            # Whoever is asked first knows of a leader before long; whether it still leads is seen at the next turn.
            await next(iter(self.nodes.values())).wait_leader()
            await asyncio.sleep(0)

    async def followers(self) -> list[str]:
        leader = await self.leader()
        return [name for name in self.nodes if name != leader]

    async def put(self, at: str, key: bytes, value: bytes, timeout_ms: int = TIMEOUT_MS) -> Written:
        applied: Applied = await self[at].submit(put(key, value), timeout_ms)
        return read_reply(applied.result, Written)

    async def put_for_sure(self, at: str, key: bytes, value: bytes) -> int:
        """Put until it is acknowledged; returns how often it was refused."""
        refused = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self.put(at, key, value, timeout_ms=1_000)
                except RequestError:
                    refused += 1
                    await asyncio.sleep(0)
                else:
                    return refused

    async def get(
        self, at: str, key: bytes, consistency: Consistency = LINEARIZABLE, timeout_ms: int = TIMEOUT_MS
    ) -> bytes | None:
        answer = await self[at].query(get(key), timeout_ms, consistency)
        return read_reply(answer.result, Found).value

    def roles(self) -> list[Role]:
        return sorted(node.status().role for node in self.nodes.values())


@contextlib.asynccontextmanager
async def cluster(folder: Path, size: int = 3, **options: Any) -> AsyncIterator[Cluster]:
    """Members that are running, and are ended with the context."""
    made = Cluster(folder, size, **options)
    try:
        await made.start()
        yield made
    finally:
        await made.drop()


async def until(holds: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    """Return once ``holds``, for what tells nobody when it changes."""
    async with asyncio.timeout(patience_s):
        while not holds():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
