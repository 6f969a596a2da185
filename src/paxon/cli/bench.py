"""``paxon bench``: what three members on this machine's disk can do.

Commands are submitted in the leader's own process, as an embedding application would; the two
followers are processes of their own.  Everything is real: three ledgers with ``fdatasync``,
TCP between the members, default settings.  The figures depend on the machine and the minute,
so compare them only with something run beside them.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from msgspec import Struct

from paxon.client.standard import name_command, name_question, standard_parts
from paxon.kv import name_server
from paxon.node.config import Address, LeaseTerms, MemberConfig
from paxon.node.consistency import LEASED, LINEARIZABLE, Consistency
from paxon.node.member import run_on_best_loop
from paxon.node.node import Node
from paxon.node.replica import Replica

LEADER, FOLLOWERS = "n1", ("n2", "n3")

FOLLOWER_TIMING = {"presence_ms": 1000, "election_timeout_ms": 5000}
"""Followers stand for election later than the leader's default settings, so that the process that submits leads."""

LEASE_MS = 3000
"""Long enough for what the followers would call the roll at, if they led."""

READS: dict[str, Consistency] = {"paxon reads": LINEARIZABLE, "paxon leased reads": LEASED}
"""Which reads are measured, and what their figures are called."""

UNITS = {"paxon": "commands", "paxon reads": "linearizable reads", "paxon leased reads": "leased reads"}

KEYS = 1000
"""How many different keys are written."""

TIMEOUT_MS = 60_000
START_TIMEOUT_S = 30.0


class Figures(Struct, frozen=True):
    """What was measured: commands per second, and latencies in milliseconds from submission to result."""

    what: str
    commands: int
    in_flight: int
    bytes: int
    per_s: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@click.command()
@click.option("--commands", type=click.IntRange(min=1), default=100_000, show_default=True, help="How many in total.")
@click.option(
    "--in-flight", type=click.IntRange(min=1), default=1000, show_default=True, help="How many wait at the same time."
)
@click.option(
    "--bytes", "size", type=click.IntRange(min=0), default=256, show_default=True, help="Size of each value written."
)
@click.option(
    "--dir",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the ledgers go, on the disk to measure; removed afterwards. Default: the current directory.",
)
@click.option(
    "--reads",
    type=click.IntRange(min=0),
    default=0,
    help="Then measure so many linearizable reads, and as many by the leader's lease.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each measurement.")
def bench(commands: int, in_flight: int, size: int, directory: Path | None, reads: int, as_json: bool) -> None:
    """Measure writes: three members on this machine, commands submitted in the leader's process.

    Every command is durable on a majority (fdatasync) and applied before it counts.
    """
    figures: list[Figures] = []

    async def measure() -> int:
        figures.extend(await _measure(folder, commands, reads, in_flight, size))
        return 0

    parent = directory or Path()
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="paxon-bench-", dir=parent))
    try:
        run_on_best_loop(measure())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for figure in figures:
        if as_json:
            click.echo(json.dumps({name: getattr(figure, name) for name in figure.__struct_fields__}))
        else:
            noun = UNITS[figure.what]
            click.echo(
                f"{figure.per_s:,} {noun}/s ({figure.commands} of {figure.bytes} bytes, {figure.in_flight} in flight); "
                f"latency p50 {figure.p50_ms} ms, p99 {figure.p99_ms} ms, max {figure.max_ms} ms"
            )


async def _measure(folder: Path, commands: int, reads: int, in_flight: int, size: int) -> list[Figures]:
    ports = _free_ports(2 * (1 + len(FOLLOWERS)))
    names = (LEADER, *FOLLOWERS)
    members = {name: Address("127.0.0.1", port) for name, port in zip(names, ports, strict=False)}
    endpoints = {name: Address("127.0.0.1", port) for name, port in zip(names, ports[len(names) :], strict=True)}
    with ExitStack() as stack:
        for name in FOLLOWERS:
            stack.enter_context(_follower(folder, name, members, endpoints[name]))
        config = MemberConfig(
            cluster="bench",
            name=LEADER,
            directory=folder / LEADER,
            members=members,
            listen=endpoints[LEADER],
            lease=LeaseTerms(duration_ms=LEASE_MS),
        )
        replica = Replica(config, standard_parts(), serves_clients=False)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await replica.start()
                leader = await replica.node.wait_leader()
            if leader != LEADER:
                raise click.ClickException(
                    f"{leader} was elected instead of {LEADER}: run it again on a quieter machine"
                )
            return await _drive(replica.node, commands, reads, in_flight, size)
        except TimeoutError:
            raise click.ClickException(
                f"no leader within {START_TIMEOUT_S:.0f} s: see the followers' messages"
            ) from None
        finally:
            await replica.close()


async def _drive(node: Node, commands: int, reads: int, in_flight: int, size: int) -> list[Figures]:
    value = os.urandom(size)

    async def put(number: int) -> None:
        await node.submit(name_command(name_server.put(b"k%d" % (number % KEYS), value)), TIMEOUT_MS)

    def getting(consistency: Consistency) -> Callable[[int], Awaitable[object]]:
        return lambda number: node.query(
            name_question(name_server.get(b"k%d" % (number % KEYS))), TIMEOUT_MS, consistency
        )

    # The first command finds links and files warm for the others.
    await put(0)
    figures = [await _timed("paxon", put, commands, in_flight, size)]
    if reads:
        for what, consistency in READS.items():
            figures.append(await _timed(what, getting(consistency), reads, in_flight, size))
    return figures


async def _timed(what: str, call: Callable[[int], Awaitable[object]], count: int, in_flight: int, size: int) -> Figures:
    latencies: list[float] = []

    async def client(share: int) -> None:
        for number in range(share):
            began = time.perf_counter()
            await call(number)
            latencies.append(time.perf_counter() - began)

    in_flight = min(in_flight, count)
    share, rest = divmod(count, in_flight)
    began = time.perf_counter()
    await asyncio.gather(*(client(share + (number < rest)) for number in range(in_flight)))
    took = time.perf_counter() - began
    latencies.sort()

    def at(part: float) -> float:
        return round(latencies[min(len(latencies) - 1, int(len(latencies) * part))] * 1e3, 3)

    rate = round(len(latencies) / took)
    return Figures(what, len(latencies), in_flight, size, rate, at(0.5), at(0.99), at(1))


@contextmanager
def _follower(folder: Path, name: str, members: dict[str, Address], listen: Address) -> Iterator[None]:
    """A member in a process of its own, until the end of the block."""
    path = folder / f"{name}.toml"
    lines = [
        'cluster = "bench"',
        f"name = {json.dumps(name)}",
        f"directory = {json.dumps(name)}",
        f'listen = "{listen}"',
        "[members]",
        *(f'{member} = "{address}"' for member, address in members.items()),
        "[timing]",
        *(f"{setting} = {value}" for setting, value in FOLLOWER_TIMING.items()),
        "[lease]",
        f"duration_ms = {LEASE_MS}",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "paxon", "serve", "--config", str(path), "--log-level", "warning"]
    process = subprocess.Popen(command)  # noqa: S603 - our own program with our own arguments.
    try:
        yield
    finally:
        # Killed, not stopped: what it keeps is removed, and a farewell would only ask for an election.
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in sockets]
