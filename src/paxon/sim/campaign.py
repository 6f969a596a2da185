"""Many seeds, on all cores: what was injected, what was checked, and which seeds broke a rule.

Knows: how to spread seeds over processes and add up what they report.  Does not know: what
a rule is.  A seed's run depends on nothing but the seed and the choices of ``Campaign``.
"""

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

from msgspec import Struct, field

from paxon.sim.guard.subject import subject_named
from paxon.sim.plan import plan_of
from paxon.sim.strikes import FAULTS, PARTS
from paxon.sim.subject import REGISTERS, Subject
from paxon.sim.time_spent import sampled
from paxon.sim.world import Violation, World


class Campaign(Struct, frozen=True):
    """Which seeds to run, and how."""

    start: int
    seeds: int
    profile: str | None = None
    members: int | None = None
    machine: str | None = None
    """A user's state machine, as ``package.module:Class``."""
    workload: str | None = None
    """What is asked of it, as ``package.module:name``, unless its class knows."""

    @property
    def subject(self) -> Subject:
        """What goes through the seeds.

        Raises:
            ConfigurationError: if there is no such state machine.
        """
        return REGISTERS if self.machine is None else subject_named(self.machine, self.workload)

    def world(self, seed: int) -> World:
        """The world of a seed, before anything has happened."""
        return World(seed, plan_of(seed, self.profile, self.members), subject=self.subject)


class Outcome(Struct, frozen=True):
    """One seed's run.  ``violation`` has what is needed to see it again, and is empty if no rule broke."""

    seed: int
    lived_ms: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    """Where the time went, by part (see ``time_spent``)."""
    cpu_s: float = 0.0
    """The processor time it took."""
    violation: str = ""


class Tally(Struct):
    """All runs so far."""

    seeds: int = 0
    simulated_s: float = 0.0
    """Hours in which all members were down at once are not counted."""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of all processes together."""
    samples: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """How often each fault struck, by its id."""
    parts: Counter[str] = field(default_factory=Counter)
    """How often each form of a fault struck, as "id form"."""
    violations: list[Outcome] = field(default_factory=list)

    @property
    def missed(self) -> list[str]:
        """The faults and the forms of faults that no run had."""
        faults = [fault for fault in FAULTS if not self.faults[fault]]
        named = (f"{fault} {part}" for fault, parts in PARTS.items() for part in parts)
        return faults + [part for part in named if not self.parts[part]]

    @property
    def speed(self) -> float:
        """Simulated seconds per second of waiting."""
        return self.simulated_s / self.wall_s if self.wall_s else 0.0

    @property
    def speed_per_core(self) -> float:
        """Simulated seconds per second of processor time."""
        return self.simulated_s / self.cpu_s if self.cpu_s else 0.0


def run_seed(campaign: Campaign, seed: int) -> Outcome:
    """Run one seed in this process."""
    samples: Counter[str] = Counter()
    began = time.process_time()
    try:
        with sampled(samples):
            report = campaign.world(seed).run()
    except Violation as violation:
        return Outcome(seed, samples=dict(samples), cpu_s=time.process_time() - began, violation=str(violation))
    cpu_s = time.process_time() - began
    return Outcome(seed, report.lived_ms, report.counts, report.faults, report.parts, dict(samples), cpu_s)


def run_campaign(campaign: Campaign, jobs: int, progress: Callable[[Tally], None]) -> Tally:
    """Run every seed, ``jobs`` at a time; ``progress`` hears after each."""
    tally = Tally()
    began = time.perf_counter()
    for outcome in _outcomes(campaign, jobs):
        tally.seeds += 1
        tally.simulated_s += outcome.lived_ms / 1000
        tally.wall_s = time.perf_counter() - began
        tally.cpu_s += outcome.cpu_s
        tally.samples.update(outcome.samples)
        tally.counts.update(outcome.counts)
        tally.faults.update(outcome.faults)
        tally.parts.update(outcome.parts)
        if outcome.violation:
            tally.violations.append(outcome)
        progress(tally)
    tally.violations.sort(key=lambda outcome: outcome.seed)
    return tally


def _outcomes(campaign: Campaign, jobs: int) -> Iterator[Outcome]:
    seeds = range(campaign.start, campaign.start + campaign.seeds)
    if jobs == 1:
        yield from (run_seed(campaign, seed) for seed in seeds)
        return
    # Fresh interpreters: a forked one would share what this one has imported and opened.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        yield from pool.map(run_seed, [campaign] * len(seeds), seeds, chunksize=4)
