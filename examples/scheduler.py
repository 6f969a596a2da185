"""A scheduler in every web worker, of which one fires: each turn of each job fires once in the whole cluster.

When the worker that fires dies, its seat lapses after ``TTL_S`` seconds, and another worker goes on with the next turn.
A turn is decided before its job runs, so the turns that were decided right before the death may never run; a job that
has to be finished is an item for a queue (``examples/work_queue.py``).
"""

import asyncio
from collections import Counter

from msgspec import Struct

import paxon
from examples.processes import TIMEOUT_S, Processes, claim, run

EVERY_MS = {"mail digests": 100, "purge sessions": 250}
TTL_S = 2.0
TURNS = 8


class Fired(Struct, frozen=True):
    job: str
    turn: int
    worker: str


class Schedule(paxon.StateMachine):
    """How often each job has had its turn, and when it has the next one."""

    def __init__(self) -> None:
        self.turns = dict.fromkeys(EVERY_MS, 0)
        self.next_ms = dict.fromkeys(EVERY_MS, 0)

    @paxon.command
    def take_due(self, ctx: paxon.Context, worker: str) -> list[Fired]:
        """Take every turn that is due by decided time, which is no worker's own clock."""
        taken = []
        for job, every_ms in EVERY_MS.items():
            if self.next_ms[job] <= ctx.now_ms:
                self.turns[job] += 1
                self.next_ms[job] = ctx.now_ms + every_ms
                taken.append(Fired(job, self.turns[job], worker))
                ctx.emit("fired", taken[-1])
        return taken


async def work(worker: paxon.Member) -> None:
    """Be a web worker: the requests it would serve are left out."""

    @worker.singleton("scheduler", ttl=TTL_S)
    async def schedule(hold: paxon.Hold) -> None:
        while True:
            for fired in await worker.submit(Schedule.take_due, worker.name):
                print(fired.job, fired.turn, flush=True)  # This is the job: what a member prints is kept.
            await asyncio.sleep(min(EVERY_MS.values()) / 1000)

    await schedule()


async def story(processes: Processes) -> None:
    fired: list[Fired] = []
    async with paxon.connect(processes.endpoints, Schedule, timeout=TIMEOUT_S) as client:
        async for seen in client.watch(Schedule, "fired", Fired, since=1):
            fired.append(seen.event)
            if len(fired) == TURNS:
                print(f"{TURNS} turns were fired by {fired[-1].worker}, which is killed")
                processes.kill(fired[-1].worker)
            elif len(fired) > TURNS and fired[-1].worker != fired[TURNS - 1].worker:
                print(f"{fired[-1].worker} goes on with turn {fired[-1].turn} of {fired[-1].job!r}")
                break
    ran = Counter(processes.printed())
    claim(max(ran.values()) == 1, f"no turn of any job runs twice: {ran}")
    # A worker has run the turns it took before it takes others, which are two at the most.
    claim(all(ran[f"{one.job} {one.turn}"] for one in fired[: TURNS - 2]), "every turn runs, but for those in hand")


if __name__ == "__main__":
    run(story, work, Schedule)
