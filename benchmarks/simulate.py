"""How much faster than the clock on the wall is a simulated parliament, and where does the time go?

    python benchmarks/simulate.py [--seeds 10] [--members 5] [--rate 50] [--storm-s 10] [--profile everything]

Runs seeds one after the other in one process: so many equal members, so many requests a second of
simulated time (a quarter of them reads), every fault of one profile for the length of the
storm, then calm until everything is served again.  Prints one JSON object; ``ratio`` is simulated
seconds per second of processor time, and ``time_spent`` says which part took what share of it.
"""

import argparse
import json
import sys
import time
from collections import Counter

from msgspec import structs

from paxon.core.decree import NodeId
from paxon.core.roster import Majority
from paxon.sim.plan import PROFILES, Plan, plan_of
from paxon.sim.time_spent import sampled, shares
from paxon.sim.world import World


def plan(seed: int, profile: str, members: int, rate: float, storm_s: float) -> Plan:
    everyone = tuple(NodeId(number) for number in range(1, members + 1))
    return structs.replace(
        plan_of(seed, profile),
        quorums=Majority(everyone),
        request_every_ms=round(1_000 / rate),
        storm_ms=round(storm_s * 1_000),
        pipeline_depth=16,
        decree_bytes_max=1 << 20,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--members", type=int, default=5)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--storm-s", type=float, default=10.0)
    parser.add_argument("--profile", choices=PROFILES, default="everything")
    given = parser.parse_args()
    samples: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    lived_ms = 0
    began = time.process_time()
    with sampled(samples):
        for seed in range(given.seeds):
            report = World(seed, plan(seed, given.profile, given.members, given.rate, given.storm_s)).run()
            counts.update(report.counts)
            faults.update(report.faults)
            lived_ms += report.lived_ms
    cpu_s = time.process_time() - began
    figures = {
        "what": "simulate",
        **vars(given),
        "simulated_s": round(lived_ms / 1_000, 1),
        "cpu_s": round(cpu_s, 2),
        "ratio": round(lived_ms / 1_000 / cpu_s, 1),
        "events_per_s": round(counts["events"] / cpu_s),
        "time_spent": {part: round(share, 4) for part, share in shares(samples).items()},
        "acknowledged": counts["acknowledged"],
        "reads": counts["reads"],
        "faults": dict(sorted(faults.items())),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
