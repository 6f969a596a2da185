"""From a scenario that breaks a rule to a small one that breaks the same rule.

Theory of operation.  At first another run of the same seed is looked for that breaks the same
rule, one in which every letter is dealt its fate by itself (see ``deal``): in the run that was
found, one strike less would change all that follows, and nearly every attempt would fail.

Then as much as possible is left out of it, in this order: client requests, by letting clients
ask less often; the end of the storm, if the rule breaks after it; all strikes, or else all of one
fault; half of all strikes and then a quarter, drawn at random, again and again; and at last
strikes in a row, a quarter of all, an eighth, down to each by itself.  Each attempt is a run of
its own, and is kept if the same rule breaks in it.  Where one attempt succeeds, others that
failed before may succeed too, so the rounds go on until one of them finds nothing or the budget
of runs is spent.  An attempt carries out only strikes with a name that was kept before, so there
never are more of them, and what happens after the broken rule is never run again.
"""

from collections.abc import Callable, Sequence
from random import Random

from msgspec import Struct, structs

from paxon.errors import ConfigurationError
from paxon.sim.scenario import Run, Scenario, is_same_claim, play
from paxon.sim.strikes import Strike

RUNS_MAX = 600
"""How many runs it may cost to make a scenario small unless somebody says otherwise: about half a minute."""

SLOWER = (16, 4, 2)
"""By how much less often clients may ask."""

DEALS_MAX = 25
"""How many other runs of the seed are looked at in search of the same broken rule (see ``deal``)."""

PARTS = (0.5, 0.25)
MISSES_MAX = 15
"""What part of all strikes is left out at random at first, and after how many vain attempts in a row no longer."""

FEW = 8
"""So few strikes are left out in an order and not at random."""


class Shrunk(Struct, frozen=True):
    """The smaller scenario, and what it took."""

    scenario: Scenario
    run: Run
    strikes_before: int
    runs: int


def shrink(scenario: Scenario, runs_max: int = RUNS_MAX, progress: Callable[[], None] = lambda: None) -> Shrunk:
    """A scenario as small as ``runs_max`` runs can make it; ``progress`` hears of each run.

    Raises:
        ConfigurationError: no rule breaks in ``scenario``.
    """
    return _Shrinking(scenario, max(runs_max, 1), progress).result()


class _BudgetSpent(Exception):
    """There may be no further run."""


class _Shrinking:
    """The smallest scenario so far, and the runs spent on it."""

    def __init__(self, scenario: Scenario, runs_max: int, progress: Callable[[], None]) -> None:
        self._runs_max = runs_max
        self._progress = progress
        self._runs = 0
        self._random = Random(f"{scenario.seed}/shrink")
        self._until_calm = False
        """Whether the rule breaks in the storm, so that a run may end with it."""
        run = self._play(scenario)
        if not run.claim:
            raise ConfigurationError(f"no rule breaks in seed {scenario.seed}, so there is nothing to shrink")
        self._until_calm = run.storm_ms < scenario.plan.storm_ms
        self._found = (run, structs.replace(scenario, claim=run.claim))
        self._run, self._best = self._found

    def result(self) -> Shrunk:
        try:
            if self._best.strikes is None:
                self._deal_by_letter()
            while self._round():
                pass
        except _BudgetSpent:
            pass
        # The run that was dealt by letter may have begun with more bad luck than the one that was found.
        run, best = min((self._run, self._best), self._found, key=lambda pair: len(pair[0].strikes))
        strikes_before = len(self._found[0].strikes)
        return Shrunk(structs.replace(best, strikes=run.strikes), run, strikes_before, self._runs)

    def _play(self, scenario: Scenario) -> Run:
        if self._runs == self._runs_max:
            raise _BudgetSpent
        self._runs += 1
        self._progress()
        return play(scenario, until_calm=self._until_calm)

    def _try(self, smaller: Scenario) -> bool:
        """Whether ``smaller`` breaks the same rule; then it is the smallest so far."""
        run = self._play(smaller)
        if not is_same_claim(run.claim, self._best.claim):
            return False
        # Up to the broken rule a run is the same however long its storm would have gone on.
        storm_ms = run.storm_ms + 1 if self._until_calm else smaller.storm_ms
        self._run, self._best = run, structs.replace(smaller, claim=run.claim, storm_ms=storm_ms)
        return True

    def _deal_by_letter(self) -> None:
        """Find the same broken rule in a run in which one strike less does not change all that follows."""
        any(self._try(structs.replace(self._best, deal=deal)) for deal in range(1, DEALS_MAX + 1))

    def _round(self) -> bool:
        """Try to leave out everything once; whether anything was."""
        before = self._best
        self._ask_less_often()
        self._end_sooner()
        self._spare_faults()
        for part in PARTS:
            self._spare_at_random(part)
        size = (len(self._run.strikes) + 3) // 4
        while size:
            self._spare_groups(size)
            size //= 2
        return self._best != before

    def _spare_faults(self) -> None:
        """Leave out all faults, or else whole ones."""
        if not self._keep([]):
            for fault in sorted({strike.fault for strike in self._run.strikes}):
                self._keep([strike for strike in self._run.strikes if strike.fault != fault])

    def _spare_at_random(self, part: float) -> None:
        """Leave out any ``part`` of all strikes, and again as long as that succeeds."""
        misses = 0
        while misses < MISSES_MAX and len(self._run.strikes) >= FEW:
            is_hit = self._keep([strike for strike in self._run.strikes if self._random.random() >= part])
            misses = 0 if is_hit else misses + 1

    def _ask_less_often(self) -> None:
        plan = self._best.plan
        for factor in SLOWER:
            every_ms = plan.request_every_ms * factor
            if every_ms <= plan.storm_ms and self._try(structs.replace(self._best, request_every_ms=every_ms)):
                return

    def _end_sooner(self) -> None:
        if not self._until_calm:
            whole_ms = self._best.plan.storm_ms
            any(self._try(structs.replace(self._best, storm_ms=part_ms)) for part_ms in (whole_ms // 4, whole_ms // 2))

    def _spare_groups(self, size: int) -> None:
        """Leave out any ``size`` strikes in a row that are not needed."""
        place = 0
        while place < len(self._run.strikes):
            strikes = self._run.strikes
            if not self._keep([*strikes[:place], *strikes[place + size :]]):
                place += size

    def _keep(self, strikes: Sequence[Strike]) -> bool:
        return self._try(structs.replace(self._best, strikes=tuple(strikes)))
