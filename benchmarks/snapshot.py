"""Members take snapshots of a large state while they are written to: does any command notice?

    python benchmarks/snapshot.py [--keys 1000000] [--value-bytes 1000] [--rate 500] [--seconds 10] [--members 3]

Every member begins with the same keys, and writes come at a steady rate.  Their latency is
measured for some seconds, and then from the moment the first member begins a snapshot until
the last one has finished.  Prints one JSON object; exits with 1 if a write took 100 ms longer
than one usually does.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

from cluster import Cluster
from load import Load, Write, latencies, percentile

from paxon.client.client import Client
from paxon.client.standard import NAMES, standard_parts
from paxon.core.decree import FIRST_SLOT
from paxon.kv import name_server
from paxon.kv.name_server import NameServer
from paxon.node.config import MemberConfig
from paxon.node.member import run_member
from paxon.rsm.machine import Context
from paxon.storage.snapshot_file import snapshot_slots

DELAY_MS_MAX = 100
"""What a snapshot may add to any one write."""

WATCH_S = 0.01

LEAD_S = 0.25
"""Captures begin a little before their files can be seen."""

TIMEOUT_S = 600.0

PROGRAM = Path(__file__).resolve()


class Snapshots:
    """What can be seen of the members' snapshots from outside: when the first began and the last was done."""

    def __init__(self, folders: list[Path]) -> None:
        self._folders = folders
        self.began: float | None = None
        self.bytes = 0

    def are_done(self) -> bool:
        """Look once more; whether every member has one, and none is being made."""
        names = [sorted(path.name for path in folder.iterdir()) for folder in self._folders]
        is_making = any(name.startswith("snapshot-") for some in names for name in some)
        if is_making and self.began is None:
            self.began = time.perf_counter()
        if not all(snapshot_slots(some) for some in names):
            return False
        self.bytes = sum(
            path.stat().st_size for path in self._folders[0].iterdir() if path.name.startswith("snapshot-")
        )
        return True


def preloaded(keys: int, value_bytes: int) -> NameServer:
    """A name server as if this had been written to it."""
    server = NameServer()
    for number in range(keys):
        server.apply(name_server.put(b"key-%d" % number, number.to_bytes(8, "big") * (value_bytes // 8)), CONTEXT)
    return server


CONTEXT = Context(FIRST_SLOT, 0)


def in_ms(writes: list[Write]) -> dict[str, float]:
    """The latencies at a few places."""
    took = latencies(writes)
    places = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}
    return {"writes": len(took)} | {name: percentile(took, part) for name, part in places.items()}


async def measure(keys: int, value_bytes: int, rate: float, seconds: float, members: int) -> dict[str, object]:
    # Due once the first seconds are over: a slot holds at least one write.
    settings = ["[snapshots]", f"every_slots = {int(rate * seconds) + 1}", f"every_bytes = {1 << 50}", "tail_bytes = 0"]
    member = [sys.executable, str(PROGRAM), "--keys", str(keys), "--value-bytes", str(value_bytes)]
    with Cluster(members, settings=settings, program=[*member, "--config"]) as cluster:
        cluster.start()
        async with cluster.client(timeout=TIMEOUT_S) as observer:
            leader = await cluster.wait_leader(observer)
            client = Client([cluster.endpoints[leader]], timeout=60.0)
            load, seen = Load(client, rate), Snapshots([cluster.folder / name for name in cluster.names])
            running = asyncio.create_task(load.run())
            started = time.perf_counter()
            while not seen.are_done():
                if time.perf_counter() - started > TIMEOUT_S:
                    raise TimeoutError(f"no snapshots after {TIMEOUT_S} s")
                await asyncio.sleep(WATCH_S)
            done = time.perf_counter()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await load.drain()
            await client.close()
    began, writes = (seen.began or done) - LEAD_S, load.take()
    return {
        "what": "snapshot",
        "keys": keys,
        "value_bytes": value_bytes,
        "members": members,
        "rate": rate,
        "snapshot_bytes": seen.bytes,
        "snapshot_s": round(done - began - LEAD_S, 2),
        "before": in_ms([write for write in writes if started + 1 < write[0] and write[1] < began]),
        "during": in_ms([write for write in writes if began <= write[1]]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--value-bytes", type=int, default=1_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--config", type=Path, help="be a member; used by the measurement itself")
    options = parser.parse_args()
    if options.config is not None:
        config = MemberConfig.from_toml(options.config)
        sys.exit(run_member(config, standard_parts() | {NAMES: preloaded(options.keys, options.value_bytes)}))
    figures = asyncio.run(measure(options.keys, options.value_bytes, options.rate, options.seconds, options.members))
    print(json.dumps(figures))
    before, during = figures["before"], figures["during"]
    if not isinstance(before, dict) or not isinstance(during, dict):
        raise TypeError("latencies are by name")
    sys.exit(0 if during["max_ms"] - before["p50_ms"] <= DELAY_MS_MAX else 1)


if __name__ == "__main__":
    main()
