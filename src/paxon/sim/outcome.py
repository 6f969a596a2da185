"""One seed of a campaign: what is asked for, and what became of it.  Both travel between processes and machines."""

import time
from collections import Counter

from msgspec import Struct, field

from paxon.sim.choice import subject_of
from paxon.sim.plan import plan_of
from paxon.sim.subject import Subject
from paxon.sim.time_spent import sampled
from paxon.sim.world import Violation, World


class Campaign(Struct, frozen=True):
    """Which seeds to run, and how: ``seeds`` of them, or as many as it takes to simulate ``hours``."""

    start: int
    seeds: int | None = None
    hours: float | None = None
    profile: str | None = None
    members: int | None = None
    machine: str | None = None
    """A user's state machine, as ``package.module:Class``."""
    workload: str | None = None
    """What is asked of it, as ``package.module:name``, unless its class knows; without a machine see ``choice``."""

    def subject(self, seed: int) -> Subject:
        """What goes through a seed.

        Raises:
            ConfigurationError: if there is no such state machine or workload.
        """
        return subject_of(seed, self.machine, self.workload)

    def world(self, seed: int) -> World:
        """The world of a seed, before anything has happened."""
        return World(seed, plan_of(seed, self.profile, self.members), subject=self.subject(seed))


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


def run_seed(campaign: Campaign, seed: int) -> Outcome:
    """Run one seed in this process."""
    samples: Counter[str] = Counter()
    began = time.thread_time()
    world = campaign.world(seed)
    story = ""
    try:
        with sampled(samples):
            world.run()
    except Violation as violation:
        story = str(violation)
    return Outcome(
        seed,
        # What came before a violation was lived and checked like any other time.
        lived_ms=world.agenda.now_ms - world.agenda.leapt_ms,
        counts=dict(sorted(world.trace.counts.items())),
        faults=dict(sorted(world.strikes.counts.items())),
        parts=dict(sorted(world.strikes.parts.items())),
        samples=dict(samples),
        cpu_s=time.thread_time() - began,
        violation=story,
    )
