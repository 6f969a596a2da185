"""Load without faults: does the leader stay?

    python benchmarks/soak.py [--seconds 600] [--writers 32]

Three members with default settings under a steady load.  Prints one JSON object with the
number of terms seen; exits with 1 if there was an election after the first one.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time

from cluster import Cluster

from paxon.client.client import Client


async def write(client: Client, writer: int, latencies: list[float]) -> None:
    number = 0
    while True:
        number += 1
        began = time.perf_counter()
        await client.put(b"k%d-%d" % (writer, number % 1000), b"x" * 256)
        latencies.append(time.perf_counter() - began)


async def measure(seconds: float, writers: int) -> dict[str, object]:
    terms: set[int] = set()
    leaders: set[str] = set()
    latencies: list[float] = []
    with Cluster(3) as cluster:
        cluster.start()
        async with cluster.client() as client, cluster.client() as observer:
            await cluster.wait_leader(client)
            tasks = [asyncio.create_task(write(client, writer, latencies)) for writer in range(writers)]
            until = time.monotonic() + seconds
            while time.monotonic() < until and not any(task.done() for task in tasks):
                for status in (await cluster.statuses(observer)).values():
                    terms.add(status.term)
                    leaders.add(status.leader)
                await asyncio.sleep(0.5)
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task
    latencies.sort()
    return {
        "what": "soak",
        "seconds": seconds,
        "writes": len(latencies),
        "terms": len(terms),
        "leaders": sorted(leaders),
        "p50_ms": round(latencies[len(latencies) // 2] * 1e3, 3),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1e3, 3),
        "max_ms": round(latencies[-1] * 1e3, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--writers", type=int, default=32)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.seconds, options.writers))
    print(json.dumps(figures))
    sys.exit(0 if figures["terms"] == 1 else 1)


if __name__ == "__main__":
    main()
