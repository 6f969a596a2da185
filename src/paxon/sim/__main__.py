"""``python -m paxon.sim SEED`` or ``FROM UNTIL``: run seeds, and say what they were like or where they broke."""

import sys
import time
from collections import Counter

from paxon.sim.choice import subject_of
from paxon.sim.world import Violation, World

USAGE = "usage: python -m paxon.sim SEED | FROM UNTIL"


def main(arguments: list[str]) -> int:
    """Run the seeds named; the exit code is 1 if any broke a rule."""
    if len(arguments) not in (1, 2) or not all(argument.isdecimal() for argument in arguments):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    first, *last = map(int, arguments)
    totals: Counter[str] = Counter()
    broken = 0
    started = time.perf_counter()
    for seed in range(first, last[0] if last else first + 1):
        try:
            report = World(seed, subject=subject_of(seed, None, None)).run()
        except Violation as violation:
            broken += 1
            sys.stdout.write(f"seed {seed} broke a rule: {violation}\n")
            continue
        totals.update(report.counts)
        if not last:
            sys.stdout.write(f"seed {seed} ({report.plan}) digest {report.digest}, {report.virtual_ms} ms\n")
    for name, count in sorted(totals.items()):
        sys.stdout.write(f"{count:>10} {name}\n")
    sys.stdout.write(f"{broken} broken, {time.perf_counter() - started:.1f} s\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
