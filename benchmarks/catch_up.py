"""A follower comes back after 100,000 commands: do live writes notice?

    python benchmarks/catch_up.py [--commands 100000] [--rate 500] [--seconds 5] [--rounds 5]

Three members.  In every round a follower is killed, the commands are written at full speed,
then writes go on at a steady rate.  Their latency is measured first with the follower away,
then, after it was started again, from its first sign of life until it has caught up.  Prints
one JSON object; exits with 1 if the 99th percentile more than doubled.
"""

import argparse
import asyncio
import json
import sys
import time

from cluster import Cluster
from load import Load, Write, latencies, percentile

from paxon.client.client import Client

BACKLOG_IN_FLIGHT = 500
CATCH_UP_TIMEOUT_S = 120.0
WATCH_S = 0.02


async def write_backlog(client: Client, commands: int) -> None:
    async def writer(share: int) -> None:
        for number in range(share):
            await client.put(b"k%d" % (number % 1000), b"x" * 256)

    share = -(-commands // BACKLOG_IN_FLIGHT)
    await asyncio.gather(*(writer(share) for _ in range(BACKLOG_IN_FLIGHT)))


async def measure(commands: int, rate: float, seconds: float, rounds: int) -> dict[str, object]:
    writes_before: list[Write] = []
    writes_starting: list[Write] = []
    writes_during: list[Write] = []
    catch_ups_s: list[float] = []
    with Cluster(3) as cluster:
        cluster.start()
        async with cluster.client(timeout=2.0) as observer:
            leader = await cluster.wait_leader(observer)
            client = Client([cluster.endpoints[leader]], timeout=30.0)
            away = next(name for name in cluster.names if name != leader)
            for _ in range(rounds):
                cluster.kill(away)
                await write_backlog(client, commands)
                load = Load(client, rate)
                running = asyncio.create_task(load.run())
                await asyncio.sleep(1.0)
                load.take()
                until = time.perf_counter() + seconds
                while time.perf_counter() < until:
                    # Watching costs the same processors as writing, so it is done in both halves.
                    await asyncio.sleep(WATCH_S)
                    await cluster.statuses(observer)
                writes_before += load.take()
                cluster.start(away)
                # Until it answers, an interpreter is starting: two cores feel that, but it is not catching up.
                while away not in (statuses := await cluster.statuses(observer)):
                    await asyncio.sleep(0.005)
                writes_starting += load.take()
                began = time.perf_counter()
                while statuses[away].applied < statuses[leader].applied - 10:
                    if time.perf_counter() - began > CATCH_UP_TIMEOUT_S:
                        raise TimeoutError(f"{away} has not caught up after {CATCH_UP_TIMEOUT_S} s: {statuses}")
                    await asyncio.sleep(WATCH_S)
                    statuses = await cluster.statuses(observer)
                catch_ups_s.append(time.perf_counter() - began)
                writes_during += load.take()
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            await client.close()
            terms = {status.term for status in (await cluster.statuses(observer)).values()}
    before, starting, during = latencies(writes_before), latencies(writes_starting), latencies(writes_during)
    return {
        "what": "catch_up",
        "commands": commands,
        "rate": rate,
        "rounds": rounds,
        "caught_up_s": [round(took, 2) for took in catch_ups_s],
        "writes_before": len(before),
        "writes_during": len(during),
        "p50_ms_before": percentile(before, 0.5),
        "p50_ms_during": percentile(during, 0.5),
        "p99_ms_before": percentile(before, 0.99),
        "p99_ms_starting": percentile(starting, 0.99),
        "p99_ms_during": percentile(during, 0.99),
        "terms": len(terms),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.commands, options.rate, options.seconds, options.rounds))
    print(json.dumps(figures))
    before, during = figures["p99_ms_before"], figures["p99_ms_during"]
    sys.exit(0 if isinstance(before, float) and isinstance(during, float) and during <= 2 * before else 1)


if __name__ == "__main__":
    main()
