"""Mutants of the ready-made state machines: who holds what, under which token, and until when."""

from typing import Any

from msgspec import structs

from paxon.collections import heap, rate_limiters
from paxon.collections.barriers import Barriers
from paxon.collections.lapsing import Lapsing, moment_after
from paxon.collections.maps import Maps
from paxon.collections.seats import Grant, Place, Seat, Seats
from paxon.collections.tables import find, put_in, take_out
from paxon.collections.work import Claiming, Work
from paxon.rsm.contract import Context
from tests.mutants.mutant import Patch, mutant


@mutant(
    "3.3.3 (S7); collections.seats.Seats",
    "tests/collections/test_terms.py::test_the_first_has_it_and_the_others_wait_in_their_order",
)
def everybody_holds_the_office(patch: Patch) -> None:
    """A seeker is granted an office that another holds."""

    def fits(self: Seats, name: str, wanted: Seat) -> bool:
        return True

    patch.replace(Seats, "_fits", fits)


@mutant("collections.seats.Seats", "tests/collections/test_terms.py::test_tokens_grow_over_all_offices")
def tokens_stand_still(patch: Patch) -> None:
    """A grant has the token of the one before it."""
    grant = Seats._grant

    def still(self: Seats, ctx: Context, name: str, wanted: Seat) -> Grant:
        self.last_token = max(0, self.last_token - 1)
        return grant(self, ctx, name, wanted)

    patch.replace(Seats, "_grant", still)


@mutant(
    "3.3.3; collections.lapsing.Lapsing",
    "tests/collections/test_terms.py::test_a_term_lapses_at_its_end_and_not_before_while_nobody_calls",
    "tests/collections/test_terms.py::test_whoever_lapsed_may_not_renew",
)
def terms_last_a_moment_longer(patch: Patch) -> None:
    """What ends at a time is still there at that time."""
    on_due = Lapsing.on_due

    def late(self: Lapsing[Any], ctx: Context) -> None:
        on_due(self, Context(ctx.slot, ctx.now_ms - 1))

    patch.replace(Lapsing, "on_due", late)


@mutant(
    "collections.seats.Seats",
    "tests/collections/test_terms.py::test_an_earlier_grant_of_the_same_seeker_is_worth_nothing",
)
def any_token_renews(patch: Patch) -> None:
    """Whoever holds an office renews and resigns it under the token of an earlier term."""
    held = Seats._held

    def trusting(self: Seats, name: str, holder: bytes, token: int) -> Seat:
        seat = find(self.holders_by_name, name, holder)
        return held(self, name, holder, token) if seat is None else seat

    patch.replace(Seats, "_held", trusting)


@mutant("collections.seats.Seats", "tests/collections/test_terms.py::test_the_dead_are_passed_over_in_the_queue")
def the_dead_are_granted(patch: Patch) -> None:
    """The next in the queue has the office, though its place has lapsed."""

    def blind(self: Seats, ctx: Context, name: str) -> None:
        for seat in self.contenders(name):
            if not self._fits(name, seat):
                return
            self._rise(self.seekers_by_name, name, seat.seeker)
            self._grant(ctx, name, seat)

    patch.replace(Seats, "_fill", blind)


@mutant(
    "3.3.3; collections.seats.Seats",
    "tests/collections/test_terms.py::test_a_resignation_gives_the_office_to_the_next_in_the_same_step",
    "tests/collections/test_rwlocks.py::test_readers_go_on_if_the_writer_before_them_gives_up_or_dies",
)
def successors_are_forgotten(patch: Patch) -> None:
    """When a term ends, nobody has the office, whoever waits."""

    def fill(self: Seats, ctx: Context, name: str) -> None:
        return

    patch.replace(Seats, "_fill", fill)


@mutant("collections.seats.Seats", "tests/collections/test_terms.py::test_a_term_is_never_shortened")
def terms_are_shortened(patch: Patch) -> None:
    """A renewal ends a term earlier than its holder was told before."""

    def hasty(self: Seats, ctx: Context, name: str, held: Seat, ttl_ms: int) -> Grant:
        until_ms = moment_after(ctx.now_ms, ttl_ms)
        self._stay(self.holders_by_name, name, held, until_ms, ttl_ms)
        return Grant(held.token, ctx.now_ms, until_ms)

    patch.replace(Seats, "_prolong", hasty)


@mutant(
    "collections.rwlocks.RWLocks",
    "tests/collections/test_rwlocks.py::test_a_waiting_writer_stops_later_readers_and_lets_them_in_after_it",
)
def readers_pass_a_waiting_writer(patch: Patch) -> None:
    """Whoever fits beside the holders is let in, whoever waits."""
    seek = Seats._seek

    def pushing(self: Seats, ctx: Context, name: str, wanted: Seat, wait: bool) -> Grant | Place | None:
        return self._grant(ctx, name, wanted) if self._fits(name, wanted) else seek(self, ctx, name, wanted, wait)

    patch.replace(Seats, "_seek", pushing)


@mutant(
    "collections.work.Work",
    "tests/collections/test_queues.py::test_an_ack_of_a_claim_that_lapsed_takes_nothing_from_whoever_has_the_item_by_then",
)
def any_token_acknowledges(patch: Patch) -> None:
    """Whoever once had an item acknowledges it while another has it."""
    claimed = Work._claimed

    def trusting(self: Work, name: str, number: int, token: int) -> Claiming:
        claiming = find(self.claims, name, number)
        return claimed(self, name, number, token) if claiming is None else claiming

    patch.replace(Work, "_claimed", trusting)


@mutant(
    "collections.work.Work",
    "tests/collections/test_queues.py::test_an_item_whose_claim_lapses_is_back_in_front_while_nobody_calls",
)
def items_come_back_at_the_end(patch: Patch) -> None:
    """An item whose claim ended stands behind those that were put after it."""
    give_back = Work._return

    def rear(self: Work, ctx: Context, name: str, number: int) -> None:
        item = self.items[name][number]
        put_in(self.items, name, number, structs.replace(item, priority=item.priority + 1))
        give_back(self, ctx, name, number)

    patch.replace(Work, "_return", rear)


@mutant(
    "collections.work.Work",
    "tests/collections/test_queues.py::test_after_its_last_attempt_an_item_is_a_dead_letter_that_can_be_revived_or_discarded",
)
def poison_comes_back_for_ever(patch: Patch) -> None:
    """An item can be claimed again after its last attempt."""

    def give_back(self: Work, ctx: Context, name: str, number: int) -> None:
        self._end_claim(name, number)
        self._offer(ctx, name, number, take_out(self.items, name, number))

    patch.replace(Work, "_return", give_back)


@mutant("collections.barriers.Barriers", "tests/collections/test_barriers.py::test_the_dead_are_not_counted")
def barriers_count_the_dead(patch: Patch) -> None:
    """A party that lapsed is counted as one that waits."""
    go = Barriers._go

    def absent(self: Barriers, ctx: Context, name: str, party: bytes, has_lapsed: bool) -> bool:
        before = self.gatherings.get(name)
        was_waiting = go(self, ctx, name, party, has_lapsed)
        if before is not None:
            self.gatherings[name] = before
        return was_waiting

    patch.replace(Barriers, "_go", absent)


@mutant(
    "collections.rate_limiters.RateLimiters",
    "tests/collections/test_rate_limiters.py::test_a_burst_then_a_wait_that_is_exact",
)
def limiters_give_too_early(patch: Patch) -> None:
    """What is missing from a bucket is rounded down to whole tokens."""
    missing = rate_limiters._missing

    def generous(bucket: rate_limiters.Bucket, now_ms: int, per_ms: int) -> int:
        return missing(bucket, now_ms, per_ms) // per_ms * per_ms

    patch.replace(rate_limiters, "_missing", generous)


@mutant(
    "collections.maps.Maps",
    "tests/collections/test_maps.py::test_a_key_that_was_deleted_and_put_again_does_not_look_unchanged",
)
def versions_are_not_compared(patch: Patch) -> None:
    """A compare-and-put overwrites whatever is there."""

    def demand(self: Maps, name: str, key: str, version: int) -> None:
        return

    patch.replace(Maps, "_demand", demand)


@mutant(
    "collections.lapsing.Lapsing",
    "tests/collections/test_lapsing.py::test_once_nothing_is_left_no_moment_is",
)
def moments_outlive_their_keys(patch: Patch) -> None:
    """A moment stays when its last key is gone, and is called for nothing."""

    def unschedule(self: Lapsing[Any], key: Any, moment_ms: int) -> None:
        del self.due_keys[moment_ms][key]
        self.due_count -= 1

    patch.replace(Lapsing, "_unschedule", unschedule)


@mutant("collections.heap", "tests/collections/test_lapsing.py::test_a_heap_gives_what_sorting_gives")
def the_first_is_not_the_lowest(patch: Patch) -> None:
    """An entry stays where it was put, however low it is."""

    def push(entries: Any, entry: Any) -> None:
        entries.append(entry)

    patch.replace(heap, "push", push)
