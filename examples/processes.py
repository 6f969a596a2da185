"""Three members as processes of their own, which the story of an example starts, kills, stops and continues.

An example ends with ``run(story, work, Machine)``. Started by hand, ``python -m examples.bank``, it plays
``story``; started by the story it is one member, and does ``work`` until it is killed.
"""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import paxon

MEMBERS = ("n1", "n2", "n3")

TIMEOUT_S = 30.0
"""How long a call may take. Ample: a story kills leaders, and a machine that runs it may be busy with other things."""


class Processes:
    """The members of one cluster. Each has a directory, which it finds again when it is started again."""

    def __init__(self, module: str, directory: Path) -> None:
        self._module = module
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        ports = free_ports(2 * len(MEMBERS))
        self.endpoint = {name: f"127.0.0.1:{ports.pop()}" for name in MEMBERS}
        """Where outside clients reach each member."""
        sections = {"members": {name: f"127.0.0.1:{ports.pop()}" for name in MEMBERS}, "endpoints": self.endpoint}
        text = 'cluster = "example"\n[timing]\npresence_ms = 50\nelection_timeout_ms = 500\n'
        for title, addresses in sections.items():
            text += f"[{title}]\n" + "".join(f'{name} = "{address}"\n' for name, address in addresses.items())
        (directory / "cluster.toml").write_text(text, encoding="utf-8")

    @property
    def endpoints(self) -> list[str]:
        """Where outside clients reach the members, all of them."""
        return list(self.endpoint.values())

    def start(self, name: str) -> None:
        """Start a member that does not run."""
        command = [sys.executable, "-m", self._module, name, str(self._directory)]
        with (self._directory / f"{name}.printed").open("ab") as printed:
            self._running[name] = subprocess.Popen(command, stdout=printed)

    def kill(self, name: str) -> None:
        """Kill a member in the middle of whatever it does: SIGKILL, which it cannot notice."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def pause(self, name: str) -> None:
        """Stop a member where it is, as a suspended virtual machine is: SIGSTOP."""
        self._running[name].send_signal(signal.SIGSTOP)

    def proceed(self, name: str) -> None:
        """Let a paused member go on, as if nothing had been."""
        self._running[name].send_signal(signal.SIGCONT)

    def printed(self) -> list[str]:
        """The whole lines that members have printed, each member's in its order."""
        texts = [path.read_text(encoding="utf-8") for path in sorted(self._directory.glob("*.printed"))]
        return [line for text in texts for line in text.split("\n")[:-1]]

    def __enter__(self) -> Self:
        for name in MEMBERS:
            self.start(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self.kill(name)


Story = Callable[[Processes], Awaitable[None]]
Work = Callable[[paxon.Member], Awaitable[None]]


def run(story: Story, work: Work, *machines: type[paxon.StateMachine], arguments: Sequence[str] = sys.argv[1:]) -> None:
    """Play the story, or be the member that ``arguments`` name."""
    if arguments:
        name, directory = arguments
        asyncio.run(_be_member(name, Path(directory), work, machines))
        return
    module = sys.modules["__main__"].__spec__
    if module is None:
        raise SystemExit("start it from the repository's root, as in: python -m examples.bank")
    with tempfile.TemporaryDirectory() as temporary, Processes(module.name, Path(temporary)) as processes:
        asyncio.run(_play(story, processes))
    print("as claimed")


def claim(holds: object, what: str) -> None:
    """End the story, with an exit code that is not 0, unless what the example claims holds."""
    if not holds:
        raise SystemExit(f"NOT AS CLAIMED: {what}")


async def _play(story: Story, processes: Processes) -> None:
    await story(processes)


async def _be_member(name: str, directory: Path, work: Work, machines: Sequence[type[paxon.StateMachine]]) -> None:
    # That others are not reached for a while is what the story is about.
    logging.getLogger("paxon").setLevel(logging.ERROR)
    opened = paxon.open(
        *machines, node=name, data=directory / name, cluster=directory / "cluster.toml", timeout=TIMEOUT_S
    )
    async with opened as member:
        await work(member)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on. Held together until all are found, so that no two are the same."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
