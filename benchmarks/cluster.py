"""Real members in processes of their own, to be killed and started again by a measurement.

with Cluster(3) as cluster:
    cluster.start("n1") ...
"""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from paxon.client.client import Client
from paxon.node.settings import Address
from paxon.node.status import MemberStatus, Role


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]


class Cluster:
    """Members on loopback with their directory.  Settings are the defaults but for ``settings``, lines of TOML.

    ``program`` runs one, its configuration being the last argument.
    """

    def __init__(
        self,
        members: int = 3,
        directory: Path | None = None,
        settings: Sequence[str] = (),
        program: Sequence[str] = (sys.executable, "-m", "paxon", "serve", "--log-level", "info", "--config"),
    ) -> None:
        self._settings = settings
        self._program = program
        self.names = [f"n{number}" for number in range(1, members + 1)]
        ports = free_ports(2 * members)
        self.peers = dict(zip(self.names, (Address("127.0.0.1", port) for port in ports[:members]), strict=True))
        self.endpoints = dict(zip(self.names, (Address("127.0.0.1", port) for port in ports[members:]), strict=True))
        self.folder = Path(tempfile.mkdtemp(prefix="paxon-cluster-", dir=directory or Path()))
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self.processes):
            self.kill(name)
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"left for inspection: {self.folder}", file=sys.stderr)

    def start(self, *names: str) -> None:
        """Start members; everyone if none is named."""
        for name in names or self.names:
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(self.command(name), stderr=log, stdin=subprocess.DEVNULL)

    def command(self, name: str) -> list[str]:
        """What starts a member."""
        config = self.folder / f"{name}.toml"
        lines = [
            'cluster = "measured"',
            f"name = {json.dumps(name)}",
            f"directory = {json.dumps(name)}",
            f'listen = "{self.endpoints[name]}"',
            "[members]",
            *(f'{member} = "{address}"' for member, address in self.peers.items()),
            *self._settings,
        ]
        config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [*self._program, str(config)]

    def kill(self, name: str) -> None:
        """SIGKILL a member we started."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def client(self, timeout: float = 10.0) -> Client:
        """A client that knows every member."""
        return Client(self.endpoints.values(), timeout=timeout)

    async def statuses(self, client: Client) -> dict[str, MemberStatus]:
        """What the members that answer say about themselves."""
        reports = await client.status()
        return {report.status.member: report.status for report in reports if report.status is not None}

    async def wait_leader(self, client: Client) -> str:
        """The name of the member that leads, once a quorum serves reads."""
        while True:
            await client.get(b"is anybody there", timeout=30.0)
            for status in (await self.statuses(client)).values():
                if status.role is Role.LEADER:
                    return status.member
            await asyncio.sleep(0.01)
