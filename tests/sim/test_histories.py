"""Clients' histories: judged at the end of every seed, and enough by themselves to notice a stale read."""

import pytest

from paxon.core.decree import NodeId
from paxon.errors import InvariantViolation
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.history import RegisterHistory
from paxon.sim.machine import Raised
from paxon.sim.oracle import Oracle
from paxon.sim.plan import plan_of
from paxon.sim.script import Script
from paxon.sim.world import Violation, World
from tests.mutants import presidency

MEMBER = NodeId(1)

STALE_SEEDS = range(5, 400, 6)
"""Seeds with little but elections, in which a president who does not know everything is soon asked."""


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle does not look at reads: what is noticed is noticed by the history."""
    monkeypatch.setattr(Oracle, "read", lambda self, member, floor, applied_until: None)


def run_stale_seeds() -> None:
    for seed in STALE_SEEDS:
        World(seed).run()


@pytest.mark.usefixtures("unwatched")
def test_a_president_that_answers_before_it_knows_everything_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    presidency.read_before_recovery.apply(monkeypatch)
    with pytest.raises(Violation, match=r"\Aclients see one order: Not linearizable: key r\d"):
        run_stale_seeds()


def read_from_a_deposed_president() -> Script:
    script = Script(3)
    script.elect(1)
    script.submit(1)
    script.settle()
    script.elect(2, among=(2, 3))
    written = script.submit(2)
    script.settle(lambda: written.is_over, among=(2, 3))
    # The write is over when the read begins, on the one clock that all clients share.
    script.wait(1)
    script.read(1)
    script.settle()
    return script


@pytest.mark.usefixtures("unwatched")
def test_a_president_that_answers_without_a_roll_call_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    presidency.read_without_a_roll_call.apply(monkeypatch)
    with pytest.raises(InvariantViolation, match="Not linearizable: key r1"):
        read_from_a_deposed_president().world.workload.witness.judge()


def test_with_a_roll_call_nobody_is_told_an_old_value() -> None:
    read_from_a_deposed_president().world.workload.witness.judge()


@pytest.fixture
def history() -> RegisterHistory:
    return RegisterHistory(Agenda(), Trace())


def call(history: RegisterHistory, command: str = "", question: str = "r0") -> int:
    history._agenda.now_ms += 1
    return history.called(MEMBER, command.encode() or None, question.encode())


def answer(history: RegisterHistory, number: int, result: str) -> None:
    history._agenda.now_ms += 1
    history.returned(number, result.encode(), 0)


def test_puts_and_reads_in_one_order_are_let_be(history: RegisterHistory) -> None:
    answer(history, call(history, "put 7 r0"), "0 -")
    answer(history, call(history), "7")
    answer(history, call(history, "put 8 r0 padding"), "1 7")
    history.judge()
    assert history._trace.counts["operations judged"] == 3


def test_a_put_that_tells_another_value_than_was_there_is_noticed(history: RegisterHistory) -> None:
    answer(history, call(history, "put 7 r0"), "0 -")
    answer(history, call(history, "put 8 r0"), "1 -")
    with pytest.raises(InvariantViolation, match="key r0"):
        history.judge()


def test_a_put_whose_fate_is_unknown_may_have_happened_and_may_not(history: RegisterHistory) -> None:
    call(history, "put 7 r0")
    call(history, "put 8 r1")
    answer(history, call(history), "7")
    answer(history, call(history, question="r1"), "-")
    history.judge()


def test_a_refused_put_is_never_seen(history: RegisterHistory) -> None:
    history.refused(call(history, "put 7 r0"))
    answer(history, call(history), "7")
    with pytest.raises(InvariantViolation, match="key r0"):
        history.judge()


def test_a_command_on_which_the_machine_raised_did_nothing(history: RegisterHistory) -> None:
    history.returned(call(history, "poison 7 r0"), Raised("ValueError: 7"), 0)
    answer(history, call(history), "-")
    history.judge()


@pytest.mark.parametrize("seed", [1, 4, 5])
def test_a_run_records_what_its_clients_did(seed: int) -> None:
    world = World(seed, plan_of(seed))
    counts = world.run().counts
    assert counts["operations judged"] >= counts["acknowledged"] // 2 + counts["reads"]
    assert counts["histories given up"] == 0
