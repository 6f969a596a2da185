"""A queue of work for a service of three processes: every item is done, though workers are killed with items in hand.

When a worker dies, what it had claimed is ready again ``LEASE_S`` seconds after it was last heard of, and another
worker does it: an item may be begun twice, and none is lost. Work that must not take effect twice sends ``item.token``
along, and what it changes refuses a smaller one than it has seen.
"""

import asyncio
import math
from collections import Counter
from contextlib import suppress

import paxon
from examples.processes import TIMEOUT_S, Processes, claim, run

QUEUE, ITEMS, LEASE_S = "thumbnails", 60, 2.0


async def work(worker: paxon.Member) -> None:
    """Do one item after the other."""
    queue = worker.queue(QUEUE)
    while True:
        # A claim is lost if this process pauses for too long; the item is another worker's then.
        with suppress(paxon.ClaimLost):
            async with queue.claim(lease=LEASE_S, timeout=math.inf) as item:
                print(worker.name, "begins", item.body, flush=True)
                await asyncio.sleep(0.05)  # This is the work.
                print(worker.name, "ends", item.body, flush=True)


def in_hand(processes: Processes) -> list[str]:
    """The workers that have begun what they have not ended."""
    latest = {line.split()[0]: line.split()[1] for line in processes.printed()}
    return [name for name, what in latest.items() if what == "begins"]


async def story(processes: Processes) -> None:
    async with paxon.connect(processes.endpoints, timeout=TIMEOUT_S) as client:
        queue = client.queue(QUEUE)
        for number in range(ITEMS):
            await queue.put(f"picture-{number}")

        while not (busy := in_hand(processes)):
            await queue.size()
        processes.kill(busy[0])
        sizes = await queue.size()
        print(f"{busy[0]} is killed with an item in hand; {sizes.ready} are ready, {sizes.claimed} claimed")
        while sizes.ready or sizes.claimed:
            sizes = await queue.size()
    ended = {line.split()[2] for line in processes.printed() if line.split()[1] == "ends"}
    begun = Counter(line.split()[2] for line in processes.printed() if line.split()[1] == "begins")
    claim(ended == {f"picture-{number}" for number in range(ITEMS)}, "every item is done")
    print(
        f"{len(ended)} items are done; begun again by another: {[item for item, times in begun.items() if times > 1]}"
    )


if __name__ == "__main__":
    run(story, work)
