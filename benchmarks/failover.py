"""Kill the leader under load, again and again: is anything acknowledged lost, and how long is nothing served?

    python benchmarks/failover.py [--rounds 20] [--writers 32]

Three members with default settings.  Every round kills the leader with SIGKILL while writers
write, measures from the kill to the first acknowledgement of a write that was sent after it,
and starts the member again.  At the end every acknowledged write is read back.  Prints one
JSON object; exits with 1 if an acknowledged write is missing.
"""

import argparse
import asyncio
import json
import random
import sys
import time

from cluster import Cluster

from paxon.client.client import Client
from paxon.errors import RequestError

SETTLE_S = (0.3, 1.0)
"""How long a round lets the load run before it kills, at random between these."""


class Load:
    """Writers that never stop; remembers what was acknowledged."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.acknowledged: dict[bytes, bytes] = {}
        self.unknown = 0
        self.refused = 0
        self.starts: list[tuple[float, float]] = []
        """When each acknowledged write was sent and answered."""

    async def write(self, writer: int) -> None:
        """One write after another, each to a key of its own, for ever."""
        number = 0
        while True:
            number += 1
            key, value = b"w%d-%d" % (writer, number), b"v%d-%d" % (writer, number)
            sent = time.perf_counter()
            try:
                await self._client.put(key, value, timeout=5.0)
            except RequestError as error:
                if type(error).code in ("unknown", "deadline", "leadership_lost"):
                    self.unknown += 1
                else:
                    self.refused += 1
            else:
                self.acknowledged[key] = value
                self.starts.append((sent, time.perf_counter()))


async def measure(rounds: int, writers: int) -> dict[str, object]:
    gaps: list[float] = []
    missing: list[str] = []
    with Cluster(3) as cluster:
        cluster.start()
        async with cluster.client() as client:
            load = Load(client)
            leader = await cluster.wait_leader(client)
            tasks = [asyncio.create_task(load.write(writer)) for writer in range(writers)]
            for _ in range(rounds):
                await asyncio.sleep(random.uniform(*SETTLE_S))
                load.starts.clear()
                killed_at = time.perf_counter()
                cluster.kill(leader)
                while not (served := [done for sent, done in load.starts if sent >= killed_at]):
                    await asyncio.sleep(0.002)
                gaps.append(min(served) - killed_at)
                killed, leader = leader, await cluster.wait_leader(client)
                cluster.start(killed)
                while len(statuses := await cluster.statuses(client)) < 3 or statuses[killed].lag > 100:
                    await asyncio.sleep(0.05)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for key, value in load.acknowledged.items():
                found = await client.get(key)
                if found.value != value:
                    missing.append(key.decode())
    gaps_ms = sorted(round(gap * 1000) for gap in gaps)
    return {
        "what": "failover",
        "rounds": rounds,
        "acknowledged": len(load.acknowledged),
        "missing": len(missing),
        "unknown": load.unknown,
        "refused": load.refused,
        "gap_ms_median": gaps_ms[len(gaps_ms) // 2],
        "gap_ms_max": gaps_ms[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writers", type=int, default=32)
    options = parser.parse_args()
    figures = asyncio.run(measure(options.rounds, options.writers))
    print(json.dumps(figures))
    sys.exit(1 if figures["missing"] else 0)


if __name__ == "__main__":
    main()
