"""Clients with sessions in the simulator: each command once, in order, and as its client was told.

``make simulate`` runs two hundred other seeds of them.
"""

import os
import subprocess
import sys
from collections import Counter

import pytest

from paxon.core.decree import Slot
from paxon.errors import ConfigurationError, InvariantViolation
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import (
    Confirmed,
    Done,
    Early,
    Ended,
    Failed,
    Open,
    Opened,
    Perform,
    Tick,
    Withdrawn,
    decode_answer,
    encode,
)
from paxon.sim.choice import SESSIONS_EVERY, subject_of
from paxon.sim.plan import PROFILES
from paxon.sim.replica import Replica, marked
from paxon.sim.sessions.judge import Judge, Order
from paxon.sim.sessions.machine import PART, Tally, addition
from paxon.sim.sessions.subject import SessionSubject
from paxon.sim.subject import REGISTERS
from paxon.sim.world import Report, Violation, World
from tests.mutants import exactly_once
from tests.mutants.mutant import Mutant

SEEDS = range(2_000, 2_000 + len(PROFILES))
"""One of every mix of faults."""

A = b"session a"
TTL_MS = 1_000


def run(seed: int) -> Report:
    return World(seed, subject=SessionSubject()).run()


# --- whole runs ---


@pytest.fixture(scope="module")
def counts() -> Counter[str]:
    """What the runs of all these seeds were like; each of them fails if a rule breaks."""
    return sum((Counter(run(seed).counts) for seed in SEEDS), Counter())


def test_every_rule_holds_and_the_runs_contain_what_they_are_meant_to_contain(counts: Counter[str]) -> None:
    wanted = (
        "answered from memory",
        "answered twice",
        "commands in sessions",
        "early",
        "errands",
        "leader crashes",
        "operations judged",
        "resends",
        "sessions closed",
        "sessions expired",
        "sessions left behind",
        "snapshots fetched",
        "starts from a snapshot",
        "told: session_ended",
        "withdrawals",
    )
    assert [name for name in wanted if not counts[name]] == []
    assert counts["commands in sessions"] > 100 * len(SEEDS)
    assert counts["histories given up"] == 0


def test_a_trace_does_not_depend_on_the_hash_seed() -> None:
    program = (
        "from paxon.sim.sessions.subject import SessionSubject; from paxon.sim.world import World; "
        "print(World(9, subject=SessionSubject()).run().digest)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == run(9).digest


def test_a_part_of_the_seeds_has_sessions_and_with_every_mix_of_faults() -> None:
    seeds = [seed for seed in range(1_000) if isinstance(subject_of(seed, None, None), SessionSubject)]
    assert len(seeds) == 1_000 // SESSIONS_EVERY
    assert {seed % len(PROFILES) for seed in seeds} == set(range(len(PROFILES)))
    assert isinstance(subject_of(0, None, "sessions"), SessionSubject)
    assert subject_of(SESSIONS_EVERY - 1, None, "registers") is REGISTERS
    with pytest.raises(ConfigurationError, match="no workload 'lists'"):
        subject_of(0, None, "lists")


MUTANTS: dict[Mutant, str] = {
    exactly_once.replies_forgotten_before_they_are_confirmed: r"not by Confirmed|is kept until its client has it",
    exactly_once.early_commands_applied: r"is answered by Early",
    exactly_once.failures_not_remembered: r"not Early|not by Early|is given to the machine once",
    exactly_once.withdrawn_numbers_not_used_up: r"not Early|not by Early|never applied",
    exactly_once.ended_sessions_come_back_to_life: r"the Open of .* is answered by Ended",
    exactly_once.commands_of_ended_sessions_applied: r"is answered by Ended",
    exactly_once.sessions_end_by_a_members_own_clock: r"has the state that everybody has|and not (by )?Ended",
    exactly_once.use_does_not_keep_a_session_alive: r"and not (by )?Ended",
    exactly_once.a_resend_confirms_what_has_no_answer: r"is kept until its client has it",
    exactly_once.numbers_lost_in_a_snapshot: r"has the state that everybody has",
    exactly_once.replies_lost_in_a_snapshot: r"has the state that everybody has",
    exactly_once.time_stands_still_while_nobody_submits: r"what is due has not happened",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.apply(monkeypatch)
    with pytest.raises(Violation, match=rf"\A[^\n]*({MUTANTS[mutant]})[^\0]*--workload sessions"):
        _run_seeds()


def _run_seeds() -> None:
    for seed in range(4, 1_000, SESSIONS_EVERY):
        run(seed)


# --- the machine ---


def test_a_machine_that_is_restored_goes_on_like_the_one_that_was_captured() -> None:
    there, here = Replica("m1", {PART: Tally()}), Replica("m2", {PART: Tally()})

    def applied(machine: Replica, slot: int, command: bytes) -> tuple[object, bytes]:
        return decode_answer(machine.apply(marked(slot, command), Context(Slot(slot), slot))), machine.digest

    announcement = there.errand(is_leader=False, now_ms=0)
    assert announcement is not None
    applied(there, 1, announcement)
    applied(there, 2, encode(Open(A, TTL_MS)))
    applied(there, 3, encode(Perform(A, 0, 0, addition(7, ""))))
    here.restore(there.capture())
    assert here.digest == there.digest
    for command in (Perform(A, 0, 0, addition(7, "")), Perform(A, 1, 1, addition(8, ""))):
        assert applied(here, 4, encode(command)) == applied(there, 4, encode(command))


# --- the judge ---


class Court:
    """A judge, and decided time."""

    def __init__(self) -> None:
        self.judge = Judge()
        self.now_ms = 10_000
        self._numbers = 0
        self.decide(Open(A, TTL_MS), Opened(0))

    def decide(self, request: Open | Perform | Tick, answer: object, *added: int, after_ms: int = 1) -> None:
        self.now_ms += after_ms
        self.judge.decided([request], Context(Slot(1), self.now_ms), [answer], list(added))  # type: ignore[list-item]

    def order(self, sequence: int) -> tuple[Order, Perform]:
        self._numbers += 1
        order, command = self.judge.order(A, sequence, self._numbers, "")
        return order, Perform(A, sequence, 0, command)

    def applied(self, sequence: int) -> tuple[Order, Perform, Done]:
        """An order that was applied as it should be."""
        order, request = self.order(sequence)
        done = receipt(order.number)
        self.decide(request, done, order.number)
        return order, request, done


def receipt(number: int) -> Done:
    """What a tally answers that has added nothing but this."""
    tally = Replica("m1", {PART: Tally()})
    announcement = tally.errand(is_leader=False, now_ms=0)
    assert announcement is not None
    tally.apply(marked(1, announcement), Context(Slot(1), 1))
    tally.apply(marked(2, encode(Open(A, TTL_MS))), Context(Slot(2), 2))
    answer = decode_answer(tally.apply(marked(3, encode(Perform(A, 0, 0, addition(number, "")))), Context(Slot(3), 3)))
    assert isinstance(answer, Done)
    return answer


@pytest.fixture
def court() -> Court:
    return Court()


def test_a_session_that_goes_well_is_not_accused(court: Court) -> None:
    order, request, done = court.applied(0)
    court.decide(request, done)
    court.judge.told(order, done)
    court.judge.repeated(order, Confirmed(), is_afterthought=True)
    second, request = court.order(1)
    court.decide(Perform(A, 1, 1, None), Withdrawn())
    court.decide(request, Withdrawn())
    court.judge.told(second, Withdrawn())
    court.decide(Tick(), Done(b""), after_ms=TTL_MS)
    third, request = court.order(2)
    court.decide(request, Ended(2))
    court.judge.told_of_end(third, Ended(2), is_withdrawn=False)
    assert court.judge.counts["sessions expired"] == 1


def test_a_number_that_is_added_twice_is_noticed(court: Court) -> None:
    order, request, done = court.applied(0)
    with pytest.raises(InvariantViolation, match="is added once"):
        court.decide(request, done, order.number)


def test_a_receipt_for_what_was_not_added_is_noticed(court: Court) -> None:
    order, request = court.order(0)
    with pytest.raises(InvariantViolation, match="is added where its client has a receipt"):
        court.decide(request, receipt(order.number))


def test_another_answer_than_the_first_time_is_noticed(court: Court) -> None:
    _, request, _ = court.applied(0)
    with pytest.raises(InvariantViolation, match="is answered by Done"):
        court.decide(request, Failed("something else"))


def test_an_end_before_its_time_and_one_after_it_are_noticed(court: Court) -> None:
    _, request = court.order(0)
    with pytest.raises(InvariantViolation, match="gives a result, and not Ended"):
        court.decide(request, Ended(0), after_ms=TTL_MS - 1)
    late = Court()
    order, request = late.order(0)
    with pytest.raises(InvariantViolation, match="is answered by Ended"):
        late.decide(request, receipt(order.number), order.number, after_ms=TTL_MS)


def test_an_outcome_that_is_not_the_decided_one_is_noticed(court: Court) -> None:
    order, _, _ = court.applied(0)
    with pytest.raises(InvariantViolation, match="and not Failed"):
        court.judge.told(order, Failed("no"))


def test_a_client_that_is_told_of_no_effect_is_told_for_ever(court: Court) -> None:
    order, request = court.order(0)
    court.judge.told_of_end(order, Ended(0), is_withdrawn=False)
    with pytest.raises(InvariantViolation, match="never applied: its client was told so"):
        court.decide(request, receipt(order.number), order.number)


def test_a_lost_result_of_what_was_not_applied_is_noticed(court: Court) -> None:
    order, _ = court.order(0)
    with pytest.raises(InvariantViolation, match="was applied: ResultLost"):
        court.judge.told_of_end(order, Ended(1), is_withdrawn=False)


def test_an_afterthought_that_comes_too_early_is_noticed(court: Court) -> None:
    order, _, done = court.applied(0)
    court.judge.told(order, done)
    court.judge.repeated(order, Early(0), is_afterthought=False)
    with pytest.raises(InvariantViolation, match="comes too early"):
        court.judge.repeated(order, Early(0), is_afterthought=True)
