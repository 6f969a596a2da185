"""A follower comes back after 100,000 commands: do live writes notice?

    python benchmarks/catch_up.py [--commands 100000] [--rate 1000] [--seconds 10]

Three members; n3 is killed, the commands are written at full speed, then writes go on at a
steady rate.  Their latency is measured first with n3 away, then from the moment n3 is started
again until it has caught up.  Prints one JSON object; exits with 1 if the 99th percentile more
than doubled or n3 did not catch up.
"""

import argparse
import asyncio
import json
import sys
import time

from cluster import Cluster

from paxon.client.client import Client
from paxon.kv import name_server

BACKLOG_IN_FLIGHT = 500
CATCH_UP_TIMEOUT_S = 120.0


class Load:
    """Writes at a steady rate, whatever the answers do, so that a stall shows in full."""

    def __init__(self, client: Client, rate: float) -> None:
        self._client = client
        self._rate = rate
        self.latencies: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        number = 0
        while True:
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            number += 1
            task = asyncio.create_task(self._write(number, time.perf_counter()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write(self, number: int, began: float) -> None:
        await self._client.put(b"live-%d" % (number % 1000), b"x" * 256)
        self.latencies.append(time.perf_counter() - began)

    def take(self) -> list[float]:
        """The latencies since the last call, sorted."""
        taken, self.latencies = sorted(self.latencies), []
        return taken


def percentile(values: list[float], part: float) -> float:
    return round(values[min(len(values) - 1, int(len(values) * part))] * 1e3, 3)


async def write_backlog(client: Client, commands: int) -> None:
    async def writer(share: int) -> None:
        for number in range(share):
            await client.submit(name_server.put(b"k%d" % (number % 1000), b"x" * 256))

    share = -(-commands // BACKLOG_IN_FLIGHT)
    await asyncio.gather(*(writer(share) for _ in range(BACKLOG_IN_FLIGHT)))


async def measure(commands: int, rate: float, seconds: float) -> dict[str, object]:
    with Cluster(3) as cluster:
        cluster.start()
        async with cluster.client(timeout=30.0) as client:
            leader = await cluster.wait_leader(client)
            away = next(name for name in cluster.names if name != leader)
            cluster.kill(away)
            await write_backlog(client, commands)
            load = Load(client, rate)
            running = asyncio.create_task(load.run())
            await asyncio.sleep(1.0)
            load.take()
            await asyncio.sleep(seconds)
            before = load.take()
            began = time.perf_counter()
            cluster.start(away)
            caught_up_s = None
            while time.perf_counter() - began < CATCH_UP_TIMEOUT_S:
                statuses = await cluster.statuses(client)
                if away in statuses and statuses[away].applied >= statuses[leader].applied - 10:
                    caught_up_s = time.perf_counter() - began
                    break
                await asyncio.sleep(0.05)
            during = load.take()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            terms = {status.term for status in (await cluster.statuses(client)).values()}
    return {
        "what": "catch_up",
        "commands": commands,
        "rate": rate,
        "caught_up_s": None if caught_up_s is None else round(caught_up_s, 2),
        "writes_before": len(before),
        "writes_during": len(during),
        "p99_ms_before": percentile(before, 0.99),
        "p99_ms_during": percentile(during, 0.99),
        "p50_ms_before": percentile(before, 0.5),
        "p50_ms_during": percentile(during, 0.5),
        "terms": len(terms),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.commands, options.rate, options.seconds))
    print(json.dumps(figures))
    before, during = figures["p99_ms_before"], figures["p99_ms_during"]
    is_fine = figures["caught_up_s"] is not None and isinstance(before, float) and isinstance(during, float)
    sys.exit(0 if is_fine and during <= 2 * before else 1)  # type: ignore[operator]


if __name__ == "__main__":
    main()
