"""Mutants of the leader's lease: what a grant forbids, what is counted on, and when it is over (3.3.4, decision 15)."""

from typing import Any

from paxon.core.decree import Ballot
from paxon.core.lease import Grants, LeaseTerms
from paxon.core.messages import Present
from paxon.core.pen import Pen
from paxon.core.president import President
from paxon.core.roll import Roll
from paxon.core.roster import Roster
from paxon.core.slip import Polling
from paxon.node.pauses import Pauses
from tests.mutants.mutant import Patch, mutant

SOURCE = "3.3.4; docs/reads.md, Leased reads"
CORE = "tests/core/test_lease.py::"
NODE = "tests/node/test_leased_reads.py::"


@mutant(
    SOURCE,
    CORE + "test_who_is_bound_promises_nobody_else_until_its_own_clock_says_so",
    NODE + "test_rivals_that_ask_nobody_wait_for_the_lease_too",
)
def grant_ignored(patch: Patch) -> None:
    """A member that granted a lease promises another ballot all the same."""
    patch.replace(Grants, "forbid", lambda self, ballot, released: False)


@mutant(
    SOURCE,
    CORE + "test_a_member_that_may_have_forgotten_a_grant_promises_nothing_for_so_long",
    NODE + "test_a_restarted_member_lets_the_lease_it_granted_run_out",
)
def forgotten_grant_not_waited_out(patch: Patch) -> None:
    """A member that has restarted promises at once, although it may have granted a lease before."""
    original = Grants.__init__

    def without(self: Grants, pen: Pen, terms: LeaseTerms, forgotten_ms: int) -> None:
        original(self, pen, terms, 0)

    patch.replace(Grants, "__init__", without)


@mutant(SOURCE, CORE + "test_a_lease_is_counted_from_before_the_question_and_not_from_the_answer")
def lease_counted_from_the_answer(patch: Patch) -> None:
    """A president counts its lease from when it hears the answer, which was given some time before."""
    original = Roll.on_present

    def late(self: Roll, slip: Polling, sender: Any, message: Present) -> None:
        if message.roll_call in slip.called_ms:
            slip.called_ms[message.roll_call] = self._pen.now_ms
        original(self, slip, sender, message)

    patch.replace(Roll, "on_present", late)


@mutant(SOURCE, CORE + "test_clocks_that_are_wrong_in_opposite_directions_shorten_a_lease")
def drift_left_out_of_account(patch: Patch) -> None:
    """A president counts on as many milliseconds as were granted, although no two clocks agree."""
    patch.replace(LeaseTerms, "usable_ms", lambda self, granted_ms: granted_ms - self.pause_ms)


@mutant(
    SOURCE,
    CORE + "test_the_lease_is_over_before_anybody_can_hear_of_it_and_stays_so",
    NODE + "test_a_leader_that_hands_over_ends_its_lease_first_and_nobody_waits",
)
def lease_kept_after_handing_over(patch: Patch) -> None:
    """A president that asked another to take over goes on reading by lease."""
    original = President._maybe_hand_over

    def clinging(self: President, slip: Polling) -> None:
        is_released = slip.is_lease_released
        original(self, slip)
        slip.is_lease_released = is_released

    patch.replace(President, "_maybe_hand_over", clinging)


@mutant(SOURCE, CORE + "test_that_another_lease_was_given_up_releases_nobody")
def any_release_will_do(patch: Patch) -> None:
    """A member takes it that its president's lease was given up when some other one was."""
    original = Grants.forbid

    def credulous(self: Grants, ballot: Ballot, released: Ballot) -> bool:
        return original(self, ballot, self.ballot if released.round else released)

    patch.replace(Grants, "forbid", credulous)


@mutant(SOURCE, CORE + "test_a_new_president_serves_nothing_before_it_knows_all_that_may_have_passed")
def leased_read_before_recovery(patch: Patch) -> None:
    """A new president reads by lease before it knows everything that passed before it."""
    patch.replace(Roll, "lease", lambda self, slip: None if slip.is_lease_released else slip.lease)


@mutant(SOURCE, CORE + "test_it_takes_a_vote_quorum")
def lease_of_a_promise_quorum(patch: Patch) -> None:
    """A promise quorum's grants are taken for enough, although two of those need not meet."""
    patch.replace(Roster, "is_vote_quorum", Roster.is_promise_quorum)


@mutant(
    SOURCE,
    NODE + "test_a_standstill_that_shows_in_the_wall_clock_ends_the_lease_until_the_next_answer",
)
def standstill_not_noticed(patch: Patch) -> None:
    """A leader whose monotonic clock stood still counts on a lease that is over."""
    patch.replace(Pauses, "none_since", lambda self, then_ms, now_ms: True)


@mutant(SOURCE, "tests/node/test_pauses.py::test_many_short_standstills_add_up")
def short_standstills_forgotten(patch: Patch) -> None:
    """Standstills too short to be noticed one by one never add up to one that is."""
    look = Pauses._look

    def forgetful(self: Pauses, now_ms: int) -> None:
        look(self, now_ms)
        self._apart_ms = self._difference()

    patch.replace(Pauses, "_look", forgetful)
