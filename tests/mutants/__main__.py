"""``python -m tests.mutants``: break every rule of the catalogue, one at a time, and see that a test notices.

Ends with 1 if a mutant survives, or dies for a wrong reason, or does not fit the shipped code.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from tests.mutants import page
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.mutants.trial import Trial, run
from tests.mutants.verdict import Fate, Verdict, complaint, objections, verdict

WIDE = (
    "tests/core",
    "tests/paper",
    "tests/plays",
    "tests/rsm",
    "tests/kv",
    "tests/codec",
    "tests/storage",
    "tests/net",
    "tests/node",
    "tests/client",
    "tests/sim/test_script.py",
    "tests/sim/test_stories.py",
    "tests/sim/test_invariants.py",
    "tests/sim/test_directory.py",
    "tests/sim/test_seeds.py",
)
"""Where ``--search`` looks.  Tests that break rules themselves are not among them."""

REASON_WIDTH = 100


def judged(mutants: Sequence[Mutant], jobs: int) -> list[Verdict]:
    """Each mutant against its killers."""
    with ThreadPoolExecutor(jobs) as pool:
        trials = pool.map(lambda mutant: run(mutant.name, mutant.killers), mutants)
        return [verdict(mutant, trial) for mutant, trial in zip(mutants, trials, strict=True)]


def unmutated(mutants: Iterable[Mutant], jobs: int) -> list[str]:
    """What is wrong with the killers on the code as it is."""
    killers = sorted({killer for mutant in mutants for killer in mutant.killers})
    shares = [killers[number::jobs] for number in range(min(jobs, len(killers)))]
    with ThreadPoolExecutor(jobs) as pool:
        trials = pool.map(lambda share: run(None, share), shares)
        return [
            objection for share, trial in zip(shares, trials, strict=True) for objection in objections(share, trial)
        ]


def searched(mutant: Mutant, places: Sequence[str], jobs: int) -> list[str]:
    """Every test in some places that notices the mutant, the cheapest first."""
    with ThreadPoolExecutor(jobs) as pool:
        trials: list[Trial] = list(pool.map(lambda place: run(mutant.name, [place]), places))
    lines = [f"{mutant.name}: its code ran {sum(trial.calls for trial in trials)} times"]
    lines += [f"  {accident}" for trial in trials for accident in trial.accidents[:1]]
    lines += [f"  {complaint(trial)}" for trial in trials if trial.exit_code not in (0, 1)]
    failed = (outcome for trial in trials for outcome in trial.outcomes if outcome.failure is not None)
    for outcome in sorted(failed, key=lambda outcome: outcome.seconds):
        remark = "WRONG REASON " if outcome.is_accident else ""
        lines.append(f"  {outcome.seconds:8.4f} s  {outcome.test}  {remark}{shortened(outcome.failure or '')}")
    return lines


def table(verdicts: Iterable[Verdict]) -> list[str]:
    """A line for each mutant."""
    rows = [(v.mutant, v.fate.value, f"{v.seconds:.3f} s", v.killer, shortened(v.reason)) for v in verdicts]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{name:{widths[0]}}  {fate:{widths[1]}}  {seconds:>{widths[2]}}  {killer:{widths[3]}}  {reason}".rstrip()
        for name, fate, seconds, killer, reason in rows
    ]


def shortened(reason: str) -> str:
    """A reason that leaves room for others."""
    return reason if len(reason) <= REASON_WIDTH else f"{reason[: REASON_WIDTH - 3]}..."


def main(arguments: Sequence[str] | None = None) -> int:
    """The program; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mutants")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes at once")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    parser.add_argument("--list", action="store_true", help="name the mutants and what they break")
    parser.add_argument("--search", action="store_true", help="look for every test that notices, the cheapest first")
    parser.add_argument("--among", nargs="+", default=WIDE, metavar="PATH", help="where --search looks")
    parser.add_argument("--write", action="store_true", help=f"write the catalogue into {page.PATH.name}")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in MUTANTS]:
        parser.error(f"no such mutant: {', '.join(unknown)}")
    mutants = [MUTANTS[name] for name in options.names or MUTANTS]
    if options.write:
        page.write()
        return 0
    if options.list:
        print(*(f"{mutant.name}: {mutant.broken}" for mutant in mutants), sep="\n")
        return 0
    if options.search:
        for mutant in mutants:
            print(*searched(mutant, options.among, options.jobs), sep="\n", flush=True)
        return 0
    if useless := unmutated(mutants, options.jobs):
        print(*useless, sep="\n", file=sys.stderr)
        return 1
    verdicts = judged(mutants, options.jobs)
    if options.json:
        print(msgspec.json.encode(verdicts).decode())
    else:
        killed = sum(verdict.fate is Fate.KILLED for verdict in verdicts)
        print(*table(verdicts), f"{len(verdicts)} mutants, {killed} killed", sep="\n")
    return 0 if all(verdict.fate is Fate.KILLED for verdict in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
