"""Mutants of offices that only clocks and time show: how long a holder counts on its term, and when a term ends."""

from itertools import count

from paxon.collections import lapsing
from paxon.collections.holding_rule import HoldingRule, Moment
from paxon.collections.lapsing import Lapsing
from paxon.rsm.contract import Context
from tests.mutants.mutant import Patch, mutant

RULE = "tests/collections/test_holding_rule.py::"
TERMS = "tests/collections/test_terms.py::"
SIMULATED = "tests/sim/test_terms.py::"


@mutant(
    "3.3.3; collections.holding_rule",
    RULE + "test_a_holder_counts_from_before_it_asked_and_stops_early_by_drift_and_clock_error",
)
def holders_count_too_long(patch: Patch) -> None:
    """A holder counts on its term for half as long again as it may."""

    def left_s(self: HoldingRule, sent: Moment, now: Moment) -> float:
        return self.counted_s * 1.5 - (now.steady_s - sent.steady_s)

    patch.replace(HoldingRule, "left_s", left_s)


@mutant("3.3.3; collections.lapsing: moments are decided", SIMULATED + "test_members_end_a_term_at_the_same_command")
def terms_end_by_a_members_own_clock(patch: Patch) -> None:
    """When a term ends is each member's own affair: every machine's clock is ahead by some time of its own."""
    on_due, machines = Lapsing.on_due, count()
    ahead_ms: dict[int, int] = {}

    def own(self: Lapsing[object], ctx: Context) -> None:
        ahead = ahead_ms.setdefault(id(self), next(machines) % 7 * 100)
        on_due(self, Context(ctx.slot, ctx.now_ms + ahead))

    patch.replace(Lapsing, "on_due", own)


@mutant(
    "3.3.3; collections.lapsing.moment_after", TERMS + "test_a_term_lapses_at_its_end_and_not_before_while_nobody_calls"
)
def terms_end_early(patch: Patch) -> None:
    """A term ends when half of its time is over."""
    moment_after = lapsing.moment_after
    patch.replace(lapsing, "moment_after", lambda now_ms, duration_ms: moment_after(now_ms, duration_ms // 2))
