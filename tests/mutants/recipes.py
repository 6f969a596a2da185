"""Mutants of recipes: how long a holder counts on what it holds, and what becomes of the block that rests on it."""

import asyncio

from paxon.client.recipes.keeper import Keeper, Renewal
from paxon.collections.holding_rule import DRIFT, HoldingRule, Moment
from paxon.errors import RequestError
from tests.mutants.mutant import Patch, mutant


@mutant(
    "3.3.3; collections.holding_rule",
    "tests/collections/test_holding_rule.py::"
    "test_a_holder_counts_from_before_it_asked_and_stops_early_by_drift_and_clock_error",
)
def clocks_are_taken_for_equal(patch: Patch) -> None:
    """A holder counts on its grant until the ttl is over, however far clocks may be apart."""

    def counted_s(self: HoldingRule) -> float:
        return self.ttl_s * (1 - DRIFT)

    patch.replace(HoldingRule, "counted_s", property(counted_s))


@mutant(
    "3.3.3; collections.holding_rule",
    "tests/collections/test_holding_rule.py::test_a_wall_clock_far_ahead_has_seen_a_pause_that_the_other_slept_through",
)
def a_suspended_machine_notices_nothing(patch: Patch) -> None:
    """A holder looks at its steady clock only."""

    def left_s(self: HoldingRule, sent: Moment, now: Moment) -> float:
        return self.counted_s - (now.steady_s - sent.steady_s)

    patch.replace(HoldingRule, "left_s", left_s)


@mutant(
    "3.3.3; client.recipes.keeper", "tests/client/recipes/test_keeper.py::test_a_renewal_counts_from_before_it_was_sent"
)
def renewals_count_from_their_answer(patch: Patch) -> None:
    """The time that a renewal took is counted twice."""

    async def renew_once(self: Renewal) -> bool:
        try:
            await self._renew(self._rule.pause_s)
        except RequestError:
            return False
        self._sent = self._now()
        return True

    patch.replace(Renewal, "_renew_once", renew_once)


@mutant(
    "client.recipes.keeper",
    "tests/client/recipes/test_keeper.py::test_of_two_cancellations_the_one_from_outside_is_heard",
)
def every_cancellation_is_ours(patch: Patch) -> None:
    """A block that somebody else cancelled too ends with ``LockLost``."""

    def take_back(self: Keeper) -> bool:
        task = asyncio.current_task()
        if self._is_cancelling and task is not None:
            task.uncancel()
        return self._is_cancelling

    patch.replace(Keeper, "_take_back", take_back)


@mutant(
    "client.recipes.keeper",
    "tests/client/recipes/test_keeper.py::test_a_body_that_blocks_the_loop_until_it_is_too_late_does_not_end_well",
)
def what_ends_too_late_ends_well(patch: Patch) -> None:
    """Nobody looks at the clock at the end of a block."""

    def check(self: Keeper) -> None:
        if self.lost is not None:
            raise self.lost

    patch.replace(Keeper, "check", check)
