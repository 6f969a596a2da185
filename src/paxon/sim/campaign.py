"""Many seeds: which are run, what was injected, what was checked, and which broke a rule.

Knows: when a campaign has enough, and how to add up what its seeds report.  Does not know: what a
rule is, or on which machine a seed runs (``crew`` and ``dask_crew`` do).  A seed's run depends on
nothing but the seed and the choices of ``Campaign``, so any of them can be run again alone.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from paxon.sim.campaign_state import CampaignState
from paxon.sim.outcome import Campaign, Outcome
from paxon.sim.strikes import FAULTS, OF_A_MACHINE, PARTS

HOUR_S = 3_600

VIOLATIONS_MAX = 100
"""A campaign ends when so many seeds broke a rule: more of them would say nothing new about such a build."""

Crew = Callable[[Campaign, Iterator[int]], Iterator[Outcome]]
"""Runs seeds, taking them as it has hands free, and yields what became of each in the order they end.  A seed whose
process dies is run again."""


class Tally(Struct):
    """All runs so far."""

    seeds: int = 0
    simulated_s: float = 0.0
    """Hours in which all members were down at once are not counted."""
    wall_s: float = 0.0
    """Waited for it, in all sittings together."""
    cpu_s: float = 0.0
    """Of all processes together."""
    samples: Counter[str] = field(default_factory=Counter)
    """Where the time went, by part (see ``time_spent``)."""
    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    """How often each fault struck, by its id."""
    parts: Counter[str] = field(default_factory=Counter)
    """How often each form of a fault struck, as "id form"."""
    violations: list[Outcome] = field(default_factory=list)

    def missed(self, *, of_a_machine: bool) -> list[str]:
        """The faults and the forms of faults that no run had; those of a user's state machine too if there is one."""
        faults = [fault for fault in FAULTS if not self.faults[fault] and (of_a_machine or fault not in OF_A_MACHINE)]
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

    def take(self, outcome: Outcome, waited_s: float) -> None:
        """Add one seed."""
        self.seeds += 1
        self.simulated_s += outcome.lived_ms / 1000
        self.wall_s += waited_s
        self.cpu_s += outcome.cpu_s
        self.samples.update(outcome.samples)
        self.counts.update(outcome.counts)
        self.faults.update(outcome.faults)
        self.parts.update(outcome.parts)
        if outcome.violation:
            self.violations.append(outcome)
            self.violations.sort(key=lambda outcome: outcome.seed)


def run_campaign(
    campaign: Campaign,
    crew: Crew,
    progress: Callable[[Tally], None],
    state: CampaignState | None = None,
    is_halted: Callable[[], bool] = lambda: False,
) -> Tally:
    """Run every seed that ``state`` does not have yet; ``progress`` hears first of those it has, then after each.

    Once ``is_halted``, no seed is begun any more and those under way are still taken in.
    """
    tally = Tally()
    done: set[int] = set()
    for entry in state.entries if state is not None else ():
        if entry.outcome.seed not in done:
            tally.take(entry.outcome, entry.waited_s)
            done.add(entry.outcome.seed)
    progress(tally)

    def seeds() -> Iterator[int]:
        seed = campaign.start
        while not is_halted() and not _has_enough(campaign, tally, seed):
            if seed not in done:
                yield seed
            seed += 1

    before = time.perf_counter()
    for outcome in crew(campaign, seeds()):
        now = time.perf_counter()
        if state is not None:
            state.append(outcome, now - before)
        tally.take(outcome, now - before)
        before = now
        progress(tally)
    return tally


def _has_enough(campaign: Campaign, tally: Tally, seed: int) -> bool:
    """Whether ``seed`` need not be run."""
    if len(tally.violations) >= VIOLATIONS_MAX:
        return True
    if campaign.seeds is not None:
        return seed >= campaign.start + campaign.seeds
    return campaign.hours is not None and tally.simulated_s >= campaign.hours * HOUR_S
