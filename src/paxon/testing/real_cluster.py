"""A real cluster for a test: every member in this process, on loopback, with a directory that goes away.

Knows: free ports and temporary directories.  Does not know: simulated time; that is ``SimulatedCluster``.
"""

import asyncio
import socket
import tempfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from paxon.client.opening import Member, open_member
from paxon.client.parts import Parts, named
from paxon.errors import ConfigurationError
from paxon.rsm.contract import StateMachine

MEMBERS_MAX = 9

QUICK = {"presence_ms": 20, "election_timeout_ms": 200, "retransmit_ms": 50}
"""Times for members that share one process: a test that stops the leader should not wait for long."""


class Cluster:
    """Members ``1`` to ``members`` of one cluster, all running, for as long as the context lasts.

    async with Cluster(Inventory) as cluster:
        await cluster[1].submit(Inventory.supply, "sku-1", 5)
        await cluster.stop(cluster.leader)
        assert await cluster[cluster.running[0]].read(Inventory.left, "sku-1") == 5
    """

    def __init__(
        self,
        *machines: type[StateMachine],
        members: int = 3,
        parts: Mapping[str, type[StateMachine]] | None = None,
        development: bool = False,
    ) -> None:
        """``development`` is that of ``paxon.open``.

        Raises:
            ConfigurationError: if ``members`` is not 1 to 9.
            ContractError: if a class cannot be replicated.
        """
        if not 1 <= members <= MEMBERS_MAX:
            raise ConfigurationError(f"a cluster for a test has 1 to {MEMBERS_MAX} members, not {members}")
        self._own = named(machines, parts)
        # Refuses what cannot be replicated before anything is started.
        Parts(self._own)
        self._development = development
        self._numbers = range(1, members + 1)
        self._directory = tempfile.TemporaryDirectory(prefix="paxon-cluster-")
        ports = _free_ports(2 * members)
        self._settings = {
            "cluster": "test",
            "members": {f"n{number}": f"127.0.0.1:{ports[number - 1]}" for number in self._numbers},
            "endpoints": {f"n{number}": f"127.0.0.1:{ports[members + number - 1]}" for number in self._numbers},
            "timing": QUICK,
        }
        self._open: dict[int, AbstractAsyncContextManager[Member]] = {}
        self._members: dict[int, Member] = {}

    def __getitem__(self, number: int) -> Member:
        """A running member.

        Raises:
            ConfigurationError: if there is no such member, or it was stopped.
        """
        if number not in self._members:
            raise ConfigurationError(f"member {number} does not run; there are {', '.join(map(str, self._members))}")
        return self._members[number]

    @property
    def running(self) -> list[int]:
        """The members that run."""
        return sorted(self._members)

    @property
    def endpoints(self) -> list[str]:
        """Where outside clients reach the members, as ``HOST:PORT``."""
        return list(self._settings["endpoints"].values())  # type: ignore[attr-defined]

    @property
    def leader(self) -> int:
        """The running member that leads.

        Raises:
            ConfigurationError: if none does at this moment; ``wait_leader`` waits for one.
        """
        for number, member in self._members.items():
            if member.is_leader:
                return number
        raise ConfigurationError("nobody leads at this moment: await wait_leader() first")

    async def wait_leader(self) -> int:
        """The running member that leads, once there is one."""
        while True:
            names = await asyncio.gather(*(member.wait_leader() for member in self._members.values()))
            for number, member in self._members.items():
                if member.is_leader and set(names) == {f"n{number}"}:
                    return number
            await asyncio.sleep(QUICK["presence_ms"] / 1000)

    async def stop(self, number: int) -> None:
        """Stop a member in good order.  It keeps its directory."""
        self[number]
        del self._members[number]
        await self._open.pop(number).__aexit__(None, None, None)

    async def start(self, number: int) -> Member:
        """Start a member that was stopped."""
        opened = open_member(
            node=f"n{number}",
            data=Path(self._directory.name) / f"n{number}",
            cluster=self._settings,
            parts=self._own,
            development=self._development,
        )
        member = await opened.__aenter__()
        self._open[number] = opened
        self._members[number] = member
        return member

    async def __aenter__(self) -> Self:
        # Together: a new member waits for the others.
        await asyncio.gather(*(self.start(number) for number in self._numbers))
        await self.wait_leader()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._directory.cleanup)
            for number in self.running:
                stack.push_async_callback(self.stop, number)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on.  Held together until all are found, so that no two are the same."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
