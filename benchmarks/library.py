"""The library as an embedding program uses it: typed commands through a session, three processes, real disks.

    python benchmarks/library.py [--commands 100000] [--in-flight 1000] [--bytes 256] [--reads 0]

Commands are submitted in the leader's own process; the two followers are processes of their own.  Every command is
durable on a majority, applied exactly once, and checked against its types on the way.  Prints one JSON object with the
same fields as ``paxon bench``; with ``--reads`` two more for linearizable reads from the leader, by barrier and by
lease.
"""

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cluster import free_ports

import paxon
from paxon.node.member import run_on_best_loop

KEYS = 1000
LEASE_MS = 2500
"""More than twice as long as the followers' heartbeats are apart."""
LEADER, FOLLOWERS = "n1", ("n2", "n3")
LATE = {"presence_ms": 1000, "election_timeout_ms": 5000}
"""Followers stand for election later than the leader's default settings, so that the process that submits leads."""


class Store(paxon.StateMachine):
    """What the yardstick keeps: values by key."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    @paxon.command
    def put(self, ctx: paxon.Context, key: str, value: bytes) -> None:
        """Keep a value."""
        self.values[key] = value

    @paxon.query
    def get(self, key: str) -> bytes:
        """The value."""
        return self.values[key]


async def follow(settings: dict[str, Any], name: str, folder: Path) -> int:
    """Run one follower until the process is killed."""
    async with paxon.open(Store, node=name, data=folder / name, cluster={**settings, "timing": LATE}):
        await asyncio.Event().wait()
    return 0


async def drive(settings: dict[str, Any], folder: Path, options: argparse.Namespace) -> int:
    """Lead, submit, and print what was measured."""
    async with paxon.open(Store, node=LEADER, data=folder / LEADER, cluster=settings, timeout=60) as member:
        if (leader := await member.wait_leader()) != LEADER:
            print(f"{leader} was elected instead of {LEADER}: run it again on a quieter machine", file=sys.stderr)
            return 1
        value = os.urandom(options.bytes)

        async def put(number: int) -> None:
            await member.submit(Store.put, f"k{number % KEYS}", value)

        async def get(number: int) -> None:
            await member.read(Store.get, f"k{number % KEYS}")

        await asyncio.gather(*(put(number) for number in range(KEYS)))
        print(json.dumps(await measured("paxon library", put, options.commands, options)), flush=True)
        if options.reads:
            print(json.dumps(await measured("paxon library reads", get, options.reads, options)), flush=True)
            member = member.reading(paxon.Leased())
            print(json.dumps(await measured("paxon library leased reads", get, options.reads, options)), flush=True)
    return 0


async def measured(
    what: str, call: Callable[[int], Awaitable[None]], count: int, options: argparse.Namespace
) -> dict[str, Any]:
    """Rate and latencies of ``count`` calls, some at a time."""
    latencies: list[float] = []

    async def client(share: int) -> None:
        for number in range(share):
            began = time.perf_counter()
            await call(number)
            latencies.append(time.perf_counter() - began)

    in_flight = min(options.in_flight, count)
    share, rest = divmod(count, in_flight)
    began = time.perf_counter()
    await asyncio.gather(*(client(share + (number < rest)) for number in range(in_flight)))
    took = time.perf_counter() - began
    latencies.sort()

    def at(part: float) -> float:
        return round(latencies[min(len(latencies) - 1, int(len(latencies) * part))] * 1e3, 3)

    return {
        "what": what,
        "commands": count,
        "in_flight": in_flight,
        "bytes": options.bytes,
        "per_s": round(count / took),
        "p50_ms": at(0.5),
        "p99_ms": at(0.99),
        "max_ms": at(1),
    }


def main() -> int:
    """Run the followers beside the leader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--in-flight", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=256)
    parser.add_argument("--reads", type=int, default=0)
    parser.add_argument("--follow", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.follow:
        name, folder, settings = options.follow
        return run_on_best_loop(follow(json.loads(settings), name, Path(folder)))
    folder = Path(tempfile.mkdtemp(prefix="paxon-bench-", dir="."))
    ports = free_ports(3)
    members = {name: f"127.0.0.1:{port}" for name, port in zip((LEADER, *FOLLOWERS), ports, strict=True)}
    settings = {"cluster": "bench", "members": members, "lease": {"duration_ms": LEASE_MS}}
    followers = [
        subprocess.Popen([sys.executable, __file__, "--follow", name, str(folder), json.dumps(settings)])
        for name in FOLLOWERS
    ]
    try:
        return run_on_best_loop(drive(settings, folder, options))
    finally:
        for follower in followers:
            follower.kill()
            follower.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
