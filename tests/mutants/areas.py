"""Mutants of areas with a specialist: what waits for it, and for how long it may read alone (3.3.4)."""

from typing import Any

from paxon.client.specialist import AreaHold
from paxon.node.hold_back import HoldBack
from paxon.node.node import Node
from paxon.node.proposals import Pending
from paxon.node.requests import Requests
from tests.mutants.mutant import Patch, mutant

SOURCE = "3.3.4; docs/reads.md, Areas with a specialist"
NODE = "tests/node/test_hold_back.py::"
CLIENT = "tests/client/test_areas.py::"


@mutant(
    SOURCE,
    NODE + "test_an_acknowledgement_waits_until_the_specialist_has_applied_its_slot",
    NODE + "test_a_specialist_that_is_cut_off_is_waited_for_until_its_term_is_over",
)
def acknowledged_before_the_specialist_knows(patch: Patch) -> None:
    """A command in an area is acknowledged at once, although its specialist cannot read it yet."""

    def at_once(self: HoldBack, pending: Pending, slot: Any, result: Any) -> None:
        pending.succeed(slot, result)

    patch.replace(HoldBack, "tell_applied", at_once)


@mutant(SOURCE, CLIENT + "test_a_dead_specialist_is_waited_for_until_its_term_has_lapsed")
def read_elsewhere_before_the_specialist_knows(patch: Patch) -> None:
    """Another member tells a reader what the specialist may not know yet."""
    patch.replace(Node, "wait_told", lambda self, area, timeout_ms, consistency: None)


@mutant(SOURCE, NODE + "test_an_acknowledgement_waits_until_the_specialist_has_applied_its_slot")
def known_one_slot_too_early(patch: Patch) -> None:
    """A specialist that has applied everything before a command is taken to know of the command."""
    original = HoldBack.on_known

    def early(self: HoldBack, sender: Any, until: Any) -> None:
        original(self, sender, until + 1)

    patch.replace(HoldBack, "on_known", early)


@mutant(SOURCE, CLIENT + "test_a_term_that_ends_while_the_state_is_looked_at_is_not_counted_on")
def specialist_reads_past_its_term(patch: Patch) -> None:
    """A specialist goes on reading alone when its term is over."""
    patch.replace(AreaHold, "is_valid", property(lambda self: True))


@mutant(SOURCE, CLIENT + "test_after_the_block_nothing_is_read_alone_though_the_term_may_last")
def specialist_reads_after_it_resigned(patch: Patch) -> None:
    """A specialist that resigned counts on what is left of its term."""
    patch.replace(AreaHold, "end", lambda self: None)


@mutant(SOURCE, NODE + "test_lost_words_are_said_again")
def word_of_a_specialist_said_once(patch: Patch) -> None:
    """A specialist says how far it has applied when it applies, and not again."""
    original = Requests.on_tick

    def silent(self: Requests, leader: Any) -> None:
        original(self, leader)
        self._is_known_due = False

    patch.replace(Requests, "on_tick", silent)
