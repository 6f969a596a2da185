"""``up``: a whole cluster on this machine, one process per member, in one terminal.

Theory of operation.  Members are child processes in sessions of their own, so that Ctrl-C
reaches this process alone, which then stops them in good order.  Each child's standard input
is a pipe that nothing is ever written to: when this process dies, however that happens, the
pipe closes and the child stops by itself.  Standard output carries what a script may wait for;
the members' log lines and everything about them go to standard error.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from paxon.cli.failures import DONE, REFUSED
from paxon.cli.local_cluster import (
    DEFAULT_BASE_PORT,
    DEFAULT_MEMBERS,
    MEMBERS_MAX,
    ClusterDirectory,
    require_free_ports,
)
from paxon.cli.options import DEFAULT_ENDPOINTS
from paxon.client.client import Client
from paxon.errors import ConfigurationError, RequestError
from paxon.node.logs import LOG_FORMATS, LOG_LEVELS

STOP_TIMEOUT_S = 10.0
"""How long members may take to stop in good order before they are killed."""

PORTS_PATIENCE_S = 5.0
"""How long to wait for ports that members of an earlier start may still hold."""

READY_POLL_S = 0.05
WAITING_NOTE_S = 10.0
"""How often to say that there is still no leader."""


@click.command()
@click.option(
    "--members",
    type=click.IntRange(1, MEMBERS_MAX),
    help=f"How many members.  [default: as stored, {DEFAULT_MEMBERS} for a new directory]",
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    default=Path("paxon-data"),
    show_default=True,
    help="Where the members keep their data.",
)
@click.option(
    "--base-port",
    type=click.IntRange(1, 65535),
    help="Member i serves clients on BASE_PORT + 2(i - 1), and members one port above.  "
    f"[default: as stored, {DEFAULT_BASE_PORT} for a new directory]",
)
@click.option("--log-format", type=click.Choice(LOG_FORMATS), default="text", show_default=True)
@click.option("--log-level", type=click.Choice(LOG_LEVELS), default="info", show_default=True)
def up(members: int | None, directory: Path, base_port: int | None, log_format: str, log_level: str) -> None:
    """Start a cluster on this machine and keep it running until Ctrl-C.

    For trying things out and for development.  A second start with the same --dir goes on with
    the same cluster and its data.
    """
    held = ClusterDirectory(directory, members, base_port)
    # Members of an earlier start may still be stopping, if that was killed; a stranger's port stays taken.
    require_free_ports(held.cluster, patience_s=0.0 if held.is_new else PORTS_PATIENCE_S)
    held.write_configs()
    sys.exit(asyncio.run(_RunningCluster(held, ["--log-format", log_format, "--log-level", log_level]).run()))


class _Member:
    """One child process and the lines it writes."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, width: int) -> None:
        self.name = name
        self.process = process
        self.last_line = ""
        self._prefix = f"{name:<{width}} | "

    async def relay(self) -> None:
        """Pass on every line the child writes, until it ends."""
        if self.process.stderr is None:
            return
        async for line in _lines(self.process.stderr):
            self.last_line = line
            _say(self._prefix + line, err=True)


class _RunningCluster:
    """All members of a local cluster, for as long as ``paxon up`` runs."""

    def __init__(self, held: ClusterDirectory, flags: list[str]) -> None:
        self._held = held
        self._flags = flags
        self._members: list[_Member] = []
        self._stopping = asyncio.Event()
        self._signals = 0
        self._is_ready = False
        self._code = DONE

    async def run(self) -> int:
        """Start, serve, stop.  Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        try:
            for name in self._held.cluster.names:
                self._members.append(await self._start(name))
            async with asyncio.TaskGroup() as tasks:
                for member in self._members:
                    tasks.create_task(self._watch(member))
                announcing = tasks.create_task(self._announce_when_ready())
                await self._stopping.wait()
                announcing.cancel()
                await self._stop()
        finally:
            for member in self._members:
                _kill(member)
        return self._code

    async def _start(self, name: str) -> _Member:
        # -P: a file that happens to lie in the working directory must not take the place of a module.
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "paxon", "serve", "--config", str(self._held.config_of(name))),
            *("--until-stdin-closes", *self._flags),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        return _Member(name, process, width=2)

    async def _watch(self, member: _Member) -> None:
        """Relay a member's lines, and say so if it ends before it was told to."""
        await member.relay()
        code = await member.process.wait()
        if self._stopping.is_set():
            return
        others = [other.name for other in self._members if other.process.returncode is None]
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"
        if code >= 0 and not self._is_ready:
            # It did not get as far as serving, and its last line says why; the others would wait for it in vain.
            reason = member.last_line.removeprefix("paxon: error: ") or how
            self._give_up(f"{member.name} did not start: {reason}")
        elif not others:
            self._give_up(f"{member.name} {how}; no member is left")
        else:
            again = f"paxon serve --config {self._held.config_of(member.name)}"
            _say(f"paxon: {member.name} {how}; {', '.join(others)} go on; start it again with: {again}", err=True)

    async def _announce_when_ready(self) -> None:
        """Say so once a write can be served, and how to send one."""
        cluster = self._held.cluster
        loop = asyncio.get_running_loop()
        note_at = loop.time() + WAITING_NOTE_S
        async with Client(cluster.endpoints) as client:
            while (leader := await _leader(client)) is None:
                if loop.time() >= note_at:
                    _say("paxon: still waiting for a leader", err=True)
                    note_at += WAITING_NOTE_S
                await asyncio.sleep(READY_POLL_S)
        self._is_ready = True
        endpoints = ",".join(map(str, cluster.endpoints))
        _say(f"ready: leader={leader} endpoints={endpoints}")
        if endpoints != DEFAULT_ENDPOINTS:
            _say(f"in another terminal:  export PAXON_ENDPOINTS={endpoints}")
            _say("                      paxon put greeting hello")
        else:
            _say("in another terminal:  paxon put greeting hello")
        _say("                      paxon get greeting")
        _say("                      paxon status")
        _say(f"data is in {self._held.path}; Ctrl-C stops all members")

    def _on_signal(self) -> None:
        self._signals += 1
        if self._signals == 1:
            _say("paxon: stopping all members", err=True)
            self._stopping.set()
        else:
            for member in self._members:
                _kill(member)

    def _give_up(self, reason: str) -> None:
        if not self._stopping.is_set():
            _say(f"paxon: error: {reason}", err=True)
            self._code = REFUSED
            self._stopping.set()

    async def _stop(self) -> None:
        """Tell every member to stop; kill those that do not in time."""
        for member in self._members:
            if member.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    member.process.terminate()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await asyncio.gather(*(member.process.wait() for member in self._members))
        except TimeoutError:
            for member in self._members:
                if member.process.returncode is None:
                    _say(f"paxon: {member.name} did not stop within {STOP_TIMEOUT_S:g} s; killed", err=True)
                    _kill(member)


async def _leader(client: Client) -> str | None:
    """The leader's name if a write can be served: somebody leads, and a quorum confirms it for a read."""
    try:
        # A read that must reflect every write needs the leader and a quorum, as a write does, and leaves no trace.
        await client.get(b"ready?", timeout=1.0)
    except (RequestError, ConfigurationError):
        return None
    leaders = [
        report.status
        for report in await client.status()
        if report.status is not None and report.status.role == "leader"
    ]
    return max(leaders, key=lambda status: status.term).member if leaders else None


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    """Lines of a child, whatever bytes it writes; one that is too long for the buffer comes in pieces."""
    while True:
        try:
            line = await stream.readuntil(b"\n")
        except asyncio.IncompleteReadError as end:
            line = end.partial
            if not line:
                return
        except asyncio.LimitOverrunError as overrun:
            line = await stream.read(max(overrun.consumed, 1))
        yield line.decode("utf-8", "replace").rstrip("\r\n")


def _kill(member: _Member) -> None:
    if member.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            member.process.kill()


def _say(line: str, *, err: bool = False) -> None:
    """Print a line.  If whoever read our output is gone, the members go on without an audience."""
    with contextlib.suppress(OSError):
        click.echo(line, err=err)
