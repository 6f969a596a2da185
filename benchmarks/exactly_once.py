"""Kill the leader under load, again and again: is every command applied once, in order, and as its caller was told?

    python benchmarks/exactly_once.py [--rounds 20] [--clients 4] [--in-flight 32]

Three members, each a process with ``paxon.open``, and clients outside of them with sessions of their own.  Each client
submits the numbers 1, 2, 3 and so on, many at a time, and every second one has so little patience that some of its
commands are withdrawn.  Every round kills the leader with SIGKILL and starts it again.  At the end what was applied is
read back.  Prints one JSON object; exits with 1 if a number that was acknowledged is missing, if one was applied twice,
before a lower one of its client, or although its caller was told that it was not, or if a result was not the right one.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import Counter
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

from cluster import Cluster

import paxon
from paxon.client.client import Client
from paxon.client.connecting import OutsideClient

SETTLE_S = (0.3, 1.0)
"""How long a round lets the load run before it kills, at random between these."""

PATIENT_S, HASTY_S = 30.0, 0.05
"""Time limits of a call: longer than any election, and shorter than most interruptions."""

PAUSE_S = 0.01
"""A client that is refused waits for so long."""


class Tape(paxon.StateMachine):
    """Keeps every number that it is given, by client, in the order in which they came."""

    def __init__(self) -> None:
        self.numbers: dict[str, list[int]] = {}

    @paxon.command
    def append(self, ctx: paxon.Context, client: str, number: int) -> int:
        """Keep a number.  Returns how many of this client's are kept."""
        self.numbers.setdefault(client, []).append(number)
        return len(self.numbers[client])

    @paxon.query
    def of(self, client: str) -> list[int]:
        """What is kept of a client."""
        return list(self.numbers.get(client, ()))


class Replicas(Cluster):
    """Members that have a ``Tape``."""

    def command(self, name: str) -> list[str]:
        """See ``Cluster``."""
        settings = {
            "cluster": "measured",
            "members": {member: str(address) for member, address in self.peers.items()},
            "endpoints": {member: str(address) for member, address in self.endpoints.items()},
        }
        return [sys.executable, __file__, "--member", name, str(self.folder / name), json.dumps(settings)]


async def serve(name: str, folder: str, settings: str) -> None:
    """Run one member until the process is killed."""
    async with paxon.open(Tape, node=name, data=Path(folder), cluster=json.loads(settings)) as member:
        await member.wait_failed()


class Load:
    """One client that never stops, and remembers what it was told of each number."""

    def __init__(self, name: str, client: OutsideClient, in_flight: int) -> None:
        self.name = name
        self._client = client
        self._room = asyncio.Semaphore(in_flight)
        self._calls: set[asyncio.Task[None]] = set()
        self.acknowledged: dict[int, int] = {}
        """Results by number."""
        self.unknown: set[int] = set()
        self.refused: set[int] = set()

    async def run(self) -> None:
        """One number after the other, each without waiting for the one before it, for ever."""
        number = 0
        while True:
            await self._room.acquire()
            number += 1
            call = asyncio.ensure_future(self._append(number))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def finish(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._calls)

    async def _append(self, number: int) -> None:
        try:
            self.acknowledged[number] = await self._client.submit(Tape.append, self.name, number)
        except paxon.OutcomeUnknown:
            self.unknown.add(number)
        except paxon.RequestError:
            self.refused.add(number)
            await asyncio.sleep(PAUSE_S)
        finally:
            self._room.release()

    def faults(self, kept: list[int]) -> dict[str, int]:
        """What is wrong with what was kept of this client, by kind."""
        places = {number: place for place, number in enumerate(kept, start=1)}
        return {
            "missing": len(self.acknowledged.keys() - places.keys()),
            "twice": len(kept) - len(places),
            "out_of_order": sum(second <= first for first, second in pairwise(kept)),
            "applied_though_refused": len(self.refused & places.keys()),
            "wrong_results": sum(places.get(number) != result for number, result in self.acknowledged.items()),
        }


async def measure(rounds: int, clients: int, in_flight: int) -> dict[str, object]:
    faults: Counter[str] = Counter()
    kept_all = 0
    with Replicas(3) as cluster:
        cluster.start()
        endpoints = [str(address) for address in cluster.endpoints.values()]
        async with AsyncExitStack() as stack:
            eye = await stack.enter_async_context(cluster.client())
            client = await stack.enter_async_context(paxon.connect(endpoints, Tape, timeout=PATIENT_S))
            loads = []
            for number in range(clients):
                session = await stack.enter_async_context(client.session())
                # The first call opens the session, before anybody is hasty.
                await session.submit(Tape.append, "first", number)
                hasty = session.within(HASTY_S) if number % 2 else session
                loads.append(Load(f"client {number}", hasty, in_flight))
            runs = [asyncio.create_task(load.run()) for load in loads]
            for _ in range(rounds):
                await asyncio.sleep(random.uniform(*SETTLE_S))
                await _replace_leader(cluster, eye)
            for run in runs:
                run.cancel()
            await asyncio.gather(*runs, return_exceptions=True)
            await asyncio.gather(*(load.finish() for load in loads))
            for load in loads:
                kept = await client.read(Tape.of, load.name)
                kept_all += len(kept)
                faults.update(load.faults(kept))
            resent = client.statistics().resent
    return {
        "what": "exactly once",
        "rounds": rounds,
        "applied": kept_all,
        "acknowledged": sum(len(load.acknowledged) for load in loads),
        "unknown": sum(len(load.unknown) for load in loads),
        "refused": sum(len(load.refused) for load in loads),
        "resent": resent,
        **faults,
    }


async def _replace_leader(cluster: Replicas, eye: Client) -> None:
    """Kill the leader; once there is another one, start it again, and wait until it has caught up."""
    killed = await cluster.wait_leader(eye)
    cluster.kill(killed)
    await cluster.wait_leader(eye)
    cluster.start(killed)
    while len(statuses := await cluster.statuses(eye)) < 3 or statuses[killed].lag > 100:
        await asyncio.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--member", nargs=3, metavar=("NAME", "FOLDER", "SETTINGS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member:
        asyncio.run(serve(*options.member))
        return
    figures = asyncio.run(measure(options.rounds, options.clients, options.in_flight))
    print(json.dumps(figures))
    wrong = ("missing", "twice", "out_of_order", "applied_though_refused", "wrong_results")
    sys.exit(1 if any(figures[kind] for kind in wrong) else 0)


if __name__ == "__main__":
    main()
