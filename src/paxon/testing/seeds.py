"""Many seeds for one state machine, as one assertion."""

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol

from msgspec import Struct

from paxon.errors import ConfigurationError
from paxon.rsm.contract import StateMachine
from paxon.rsm.machine import ByteMachine
from paxon.sim.guard.subject import UserSubject
from paxon.sim.guard.typed import Call
from paxon.sim.plan import MEMBERS_MAX, PROFILES, plan_of
from paxon.sim.world import Violation, World
from paxon.testing import options
from paxon.testing.failure import SimulationFailed


class HasCommands(Protocol):
    """A workload that knows questions too; a module with these two functions will do."""

    def simulated_commands(self, random: Random, /) -> Iterator[bytes | Call]:
        """Commands, drawn from ``random`` alone.  It is asked again when it ends."""

    def simulated_queries(self, random: Random, /) -> Iterator[bytes | Call]:
        """Questions, drawn from ``random`` alone."""


Workload = Callable[[Random], Iterator[bytes | Call]] | HasCommands


class Simulated(Struct, frozen=True):
    """What seeds that went well were like."""

    seeds: int
    faults: Counter[str]
    """How often each fault struck, by its id; ``paxon simulate`` says what the ids mean."""
    counts: Counter[str]
    """How often everything else happened, such as ``acknowledged`` commands and ``commands compared``."""


def simulate(
    machine: Callable[[], ByteMachine | StateMachine],
    seeds: int = 100,
    *,
    start: int = 0,
    workload: Workload | None = None,
    members: int | None = None,
    profile: str | None = None,
) -> Simulated:
    """Run ``machine`` through ``seeds`` seeds of simulated bad luck, from seed ``start`` on.

    ``machine`` is a class, or a function without arguments, that a module has under its name. What
    clients ask of it is drawn by its static methods ``simulated_commands`` and, if it likes,
    ``simulated_queries``, or by the ``workload``. A class of typed commands needs none of these: its
    commands and queries are called with arguments drawn by their types. ``members`` and ``profile`` are chosen by each
    seed unless given. The options ``--paxon-seeds`` and ``--paxon-start`` of pytest win over what
    is given here.

    A seed takes about as long as a few hundred commands; it stops at the first that breaks a rule.

    Raises:
        SimulationFailed: if a seed broke a rule.
        ConfigurationError: if ``machine`` is no state machine, nothing is known to ask of it, or an argument is wrong.
    """
    if members is not None and not 1 <= members <= MEMBERS_MAX:
        raise ConfigurationError(f"a simulated cluster has 1 to {MEMBERS_MAX} members, not {members}")
    if profile is not None and profile not in PROFILES:
        raise ConfigurationError(f"a profile is one of {', '.join(PROFILES)}, not {profile}")
    subject = UserSubject.of(machine, workload)
    seeds = seeds if options.seeds is None else options.seeds
    start = start if options.start is None else options.start
    faults: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for seed in range(start, start + seeds):
        try:
            report = World(seed, plan_of(seed, profile, members), subject=subject).run()
        except Violation as violation:
            raise SimulationFailed(
                f"{violation}\nin a test again: pytest --paxon-start {seed} --paxon-seeds 1 ..."
            ) from None
        faults.update(report.faults)
        counts.update(report.counts)
    return Simulated(seeds, faults, counts)
