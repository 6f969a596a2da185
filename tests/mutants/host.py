"""Mutants of the host: durable before sent, requests and their fate, forwarding, a full or failed disk, the client."""

import errno
from typing import Any

from msgspec import structs

from paxon.client.client import Client
from paxon.core.decree import NO_BALLOT, Ballot, Decree, Slot
from paxon.core.effects import Letter
from paxon.errors import NotLeader, Overloaded, RequestError
from paxon.node import forwarding, host, proposals, service
from paxon.node.forwarding import Incoming, Outgoing
from paxon.node.host import Host
from paxon.node.letters import Answers, Forward, Refusals
from paxon.node.outbox import Outbox
from paxon.node.proposals import Batch, Pending, Proposals
from paxon.node.readings import Readings
from paxon.node.requests import Requests
from paxon.rsm.attempt import Result
from paxon.sim.clock import SimClock
from tests.mutants.mutant import Patch, mutant

# --- the loop and the disk ---


@mutant(
    "core.effects.Letter; I7",
    "tests/node/test_outbox.py::test_a_letter_waits_for_exactly_its_line",
)
def outbox_holds_nothing(patch: Patch) -> None:
    """Every letter leaves at once."""

    def offer(self: Outbox, letters: list[Letter]) -> list[Letter]:
        return letters

    patch.replace(Outbox, "offer", offer)


@mutant(
    "a failed sync (fault D2); node.host",
    "tests/node/test_host_disk.py::test_disk_full_and_over_quota_are_the_only_errors_that_pass",
)
def host_survives_a_failed_sync(patch: Patch) -> None:
    """A sync that failed for good is taken for a full disk and tried again."""
    on_sync_failed = Host._on_sync_failed

    def hopeful(self: Host, error: OSError) -> None:
        on_sync_failed(self, OSError(errno.ENOSPC, str(error)))

    patch.replace(Host, "_on_sync_failed", hopeful)


@mutant(
    "a full disk (fault D3); node.host", "tests/node/test_host_disk.py::test_records_do_not_pile_up_over_a_full_disk"
)
def records_pile_up_over_a_full_disk(patch: Patch) -> None:
    """A member with a full disk goes on taking in messages that make it write."""
    patch.replace(host, "INKED", ())


@mutant(
    "a full disk (fault D3); node.requests",
    "tests/node/test_host_disk.py::test_a_leader_alone_in_its_cluster_refuses_until_there_is_room_and_then_goes_on",
)
def full_disk_takes_commands(patch: Patch) -> None:
    """A leader with a full disk takes in commands."""
    patch.replace(Requests, "_require_room", lambda self: None)


@mutant(
    "node.host.LAZY_SYNC_MS; liveness",
    "tests/node/test_host_disk.py::test_what_no_letter_waits_for_is_made_durable_all_the_same_in_the_end",
)
def unawaited_records_never_synced(patch: Patch) -> None:
    """Records that no letter waits for stay in memory for ever."""
    patch.replace(Host, "_sync_lazily", lambda self: None)


@mutant(
    "node.settings.Limits",
    "tests/node/test_host_costs.py::test_no_more_slots_are_open_than_the_pipeline_is_deep",
)
def pipeline_without_an_end(patch: Patch) -> None:
    """A leader begins as many decrees as there are commands."""

    def may_propose(self: Host) -> bool:
        return self._requests.are_waiting and self.legislator.may_propose and not self.is_disk_full

    patch.replace(Host, "_may_propose", may_propose)


# --- what callers are told ---


@mutant("errors.RequestError", "tests/node/test_proposals.py::test_a_command_in_a_slot_expires_as_unknown")
def deadline_in_a_slot_told_as_refusal(patch: Patch) -> None:
    """A command that may have been applied is said not to have been, at its deadline."""
    patch.replace(proposals, "DeadlineExceeded", NotLeader)


@mutant(
    "errors.RequestError",
    "tests/node/test_forwarding.py::test_past_its_deadline_a_forwarded_command_is_unknown",
)
def deadline_at_the_leader_told_as_refusal(patch: Patch) -> None:
    """A forwarded command that may have been applied is said not to have been, at its deadline."""
    patch.replace(forwarding, "DeadlineExceeded", NotLeader)


@mutant(
    "node.service.error_of",
    "tests/client/test_service.py::test_a_hint_travels_and_an_unknown_code_claims_nothing",
)
def unknown_code_told_as_refusal(patch: Patch) -> None:
    """An error code of a later release is taken for a refusal."""

    error_of = service.error_of

    def certain(failure: service.Failure) -> RequestError:
        return error_of(failure) if failure.code in service.ERRORS else RequestError(failure.message)

    patch.replace(service, "error_of", certain)


@mutant(
    "client.Client.submit",
    "tests/client/test_client.py::test_a_write_whose_connection_breaks_has_an_unknown_outcome",
)
def unknown_write_tried_again(patch: Patch) -> None:
    """The client repeats a write that may have been applied."""
    fulfil = Client._fulfil

    async def insistent(self: Client, wish: Any, timeout: float | None) -> service.Result:
        return await fulfil(self, structs.replace(wish, is_repeatable=True), timeout)

    patch.replace(Client, "_fulfil", insistent)


@mutant(
    "node.settings.Limits",
    "tests/node/test_proposals.py::test_one_command_too_many_is_refused_wherever_the_others_are",
)
def queue_limit_ignored(patch: Patch) -> None:
    """Commands are taken in beyond the limit of those that wait."""
    admit = Proposals.admit

    def hospitable(self: Proposals, command: bytes, elsewhere: int = 0, elsewhere_bytes: int = 0) -> None:
        try:
            admit(self, command, elsewhere, elsewhere_bytes)
        except Overloaded:
            return

    patch.replace(Proposals, "admit", hospitable)


@mutant(
    "node.proposals.Batch",
    "tests/node/test_proposals.py::test_what_passed_was_not_ours_and_ours_comes_back_unanswered",
)
def foreign_decree_answers_our_commands(patch: Patch) -> None:
    """Commands are answered with the results of the decree that beat theirs in the slot."""
    settle = Proposals.settle

    def mistaken(self: Proposals, slot: Slot, decree: Decree, results: list[Result]) -> list[Pending]:
        for batch in self._open.get(slot, ()):
            decree = structs.replace(decree, ballot=batch.ballot)
        return settle(self, slot, decree, results)

    patch.replace(Proposals, "settle", mistaken)


@mutant("node.readings", "tests/node/test_readings.py::test_a_reader_waits_until_the_slot_is_applied_here")
def read_served_before_it_is_applied(patch: Patch) -> None:
    """A reader is let in before this member has applied what the read must see."""
    serve = Readings.serve

    def early(self: Readings, applied_until: Slot) -> None:
        for due in self._due:
            due.passed_until = min(due.passed_until, applied_until)
        serve(self, applied_until)

    patch.replace(Readings, "serve", early)


@mutant(
    "docs/reads.md, Stale reads with a bound",
    "tests/node/test_readings.py::test_a_state_is_as_fresh_as_the_question_was_and_not_as_the_answer",
    "tests/node/test_host_requests.py::test_a_state_that_a_barrier_confirmed_serves_stale_reads_until_it_is_too_old",
)
def age_counted_from_the_answer(patch: Patch) -> None:
    """A state is taken to be as fresh as the answer to a barrier, here ten milliseconds after its question."""
    settle = Readings._settle

    def rejuvenating(self: Readings, number: int, passed_until: Slot | None) -> None:
        if number in self._barriers:
            self._barriers[number].asked_ms += 10
        settle(self, number, passed_until)

    patch.replace(Readings, "_settle", rejuvenating)


@mutant(
    "3.3.4; docs/reads.md, Reads by slot",
    "tests/node/test_readings.py::test_who_wants_to_see_a_slot_waits_until_that_slot_is_applied",
)
def slot_read_one_too_early(patch: Patch) -> None:
    """A read that names a slot is answered when everything before that slot is applied."""
    add_for = Readings.add_for

    def hasty(self: Readings, slot: Slot, reply: Any, deadline_ms: int) -> None:
        add_for(self, Slot(slot - 1), reply, deadline_ms)

    patch.replace(Readings, "add_for", hasty)


# --- commands that go through another member ---


@mutant("decision 5", "tests/node/test_forwarding.py::test_a_command_is_taken_in_once_however_often_it_comes")
def forwards_begun_twice(patch: Patch) -> None:
    """A repeated forward is taken for a new one."""
    receive = Incoming.receive

    def forgetful(self: Incoming, sender: Any, message: Forward, presiding: Ballot | None) -> Any:
        for origin in self._origins.values():
            origin.taken.clear()
        return receive(self, sender, message, presiding)

    patch.replace(Incoming, "receive", forgetful)


@mutant(
    "decision 5", "tests/node/test_forwarding.py::test_a_forward_to_an_older_ballot_of_this_life_is_refused_definitely"
)
def forward_of_any_ballot_begun(patch: Patch) -> None:
    """A leader begins commands that were forwarded to it under another ballot."""
    receive = Incoming.receive

    def obliging(self: Incoming, sender: Any, message: Forward, presiding: Ballot | None) -> Any:
        return receive(self, sender, structs.replace(message, ballot=presiding or message.ballot), presiding)

    patch.replace(Incoming, "receive", obliging)


@mutant(
    "decision 5; errors.RequestError",
    "tests/node/test_forwarding.py::test_a_forward_to_a_ballot_of_an_earlier_life_has_an_unknown_fate",
)
def restarted_leader_claims_to_know(patch: Patch) -> None:
    """A leader refuses what an earlier life of its process may have begun."""
    receive = Incoming.receive

    def confident(self: Incoming, sender: Any, message: Forward, presiding: Ballot | None) -> Any:
        self._earlier_lives = NO_BALLOT
        return receive(self, sender, message, presiding)

    patch.replace(Incoming, "receive", confident)


@mutant("decision 5", "tests/node/test_forwarding.py::test_a_refusal_under_another_ballot_is_not_about_this_command")
def refusal_of_another_ballot_believed(patch: Patch) -> None:
    """A command is tried elsewhere because another ballot than the one that has it refused it."""
    on_refusals = Outgoing.on_refusals

    def gullible(self: Outgoing, message: Refusals) -> list[Pending]:
        again: list[Pending] = []
        for number, code, text in message.refusals:
            sent = self._sent.get(number)
            ballot = sent.ballot if sent is not None else message.ballot
            again += on_refusals(self, Refusals(message.boot, ballot, ((number, code, text),)))
        return again

    patch.replace(Outgoing, "on_refusals", gullible)


@mutant(
    "decision 5; node.letters.Answers", "tests/node/test_forwarding.py::test_answers_to_an_earlier_life_are_not_ours"
)
def answer_to_an_earlier_life_believed(patch: Patch) -> None:
    """A command is settled with the answer to a command of an earlier life that had its number."""
    on_answers = Outgoing.on_answers

    def gullible(self: Outgoing, message: Answers) -> None:
        on_answers(self, structs.replace(message, boot=self._boot))

    patch.replace(Outgoing, "on_answers", gullible)


# --- batches, and what becomes of a lost slot ---


@mutant("gap G2", "tests/node/test_host_disk.py::test_disk_full_and_over_quota_are_the_only_errors_that_pass")
def failed_sync_shrugged_off(patch: Patch) -> None:
    """A sync that failed is taken for one that went well."""

    def on_sync_failed(self: Host, error: OSError) -> None:
        self._on_synced(self.legislator.ledger.line)

    patch.replace(Host, "_on_sync_failed", on_sync_failed)


@mutant("gap G14", "tests/node/test_host_costs.py::test_a_batch_is_no_larger_than_the_limit")
def batches_of_one(patch: Patch) -> None:
    """Every command has a decree of its own."""
    patch.replace(Requests, "next_batch", lambda self: self._proposals.take(1))


@mutant("3.2.2", "tests/node/test_host_costs.py::test_a_write_at_a_follower_costs_two_delays_more")
def requests_not_passed_on(patch: Patch) -> None:
    """Requests given to a member that does not preside stay there."""
    patch.replace(Requests, "forward", lambda self, leader: None)


@mutant(
    "node.proposals.Proposals.begin",
    "tests/node/test_proposals.py::test_of_two_batches_of_ours_in_one_slot_only_the_outcome_says_which_was_beaten",
)
def beaten_by_our_own_next_ballot(patch: Patch) -> None:
    """A decree is given up as soon as its proposer proposes another one in its slot."""
    original = Proposals.begin

    def begin(self: Proposals, slot: Slot, batch: Batch) -> None:
        earlier = self._open.pop(slot, [])
        original(self, slot, batch)
        for beaten in earlier:
            self._count(beaten, -1)
            self.add_again(beaten.pendings)

    patch.replace(Proposals, "begin", begin)


@mutant("gap G23", "tests/plays/test_plays.py::test_a_play_ends_as_it_says[g23_clocks_that_jump_move_no_president]")
def hourglass_follows_the_wall_clock(patch: Patch) -> None:
    """Time that passes is read off a clock that people may set.

    Only forward: set back, a deadline that a timer has come for would lie ahead again, and the timer fire for ever.
    """
    original = SimClock.monotonic_ms
    patch.replace(SimClock, "monotonic_ms", lambda self: original(self) + max(0, self._quartz.wall_error_ms))
