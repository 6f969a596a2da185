"""Classes of typed commands and queries go into the simulator as they are."""

import pytest

import paxon
from paxon.errors import ApplyFailed, ConfigurationError, ContractError, OutcomeUnknown
from paxon.testing import SimulatedCluster, SimulationFailed, simulate
from tests.testing.inventory import Chosen, Impatient, Inventory, Late, SoldOut


def test_typed_calls_are_carried_out_at_whichever_member() -> None:
    with SimulatedCluster(Inventory, members=3, seed=7) as cluster:
        assert cluster.submit(Inventory.supply, "a", amount=2) == 2
        assert cluster[2].submit(Inventory.supply, "a") == 3
        assert cluster.read(Inventory.left, "a") == 3
        assert cluster[3].read(Inventory.left, "a") == 3
        assert cluster[3].stale().read(Inventory.left, "b") == 0
        cluster.settle()
        assert cluster.machine(1).stock == {"a": 3}


def test_refusals_come_back_as_themselves_and_other_errors_as_failures() -> None:
    with SimulatedCluster(Inventory) as cluster:
        with pytest.raises(SoldOut, match="b"):
            cluster.submit(Inventory.reserve, "b", 100)
        with pytest.raises(ApplyFailed, match="IndexError"):
            cluster.submit(Inventory.cancel)
        cluster.settle()
        assert cluster.machine(1).stock == {}


def test_time_makes_due_what_waits_for_it() -> None:
    with SimulatedCluster(Inventory) as cluster:
        cluster.submit(Inventory.supply, "a")
        cluster.submit(Inventory.reserve, "a", 5_000)
        assert cluster.read(Inventory.left, "a") == 0
        cluster.run(seconds=6)
        cluster.submit(Inventory.supply, "b")
        assert cluster.read(Inventory.left, "a") == 1


def test_a_command_that_was_begun_is_waited_for_later() -> None:
    with SimulatedCluster(Inventory) as cluster:
        pending = [cluster[1].begin(Inventory.supply, "a") for _ in range(3)]
        assert sorted(one.result() for one in pending) == [1, 2, 3]


def test_a_member_that_is_cut_off_does_not_know() -> None:
    with SimulatedCluster(Inventory, seed=7) as cluster:
        cluster.submit(Inventory.supply, "a")
        old = cluster.leader or 1
        cluster.partition([old], [member for member in cluster.members if member != old])
        with pytest.raises(OutcomeUnknown):
            cluster[old].within(1).submit(Inventory.supply, "a")
        cluster.heal()
        cluster.settle()


def test_what_is_no_call_of_the_class_is_refused() -> None:
    with SimulatedCluster(Inventory) as cluster:
        with pytest.raises(ContractError, match="changes nothing: read it"):
            cluster.submit(Inventory.left, "a")  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="Expected `int`"):
            cluster.submit(Inventory.supply, "a", "b")  # type: ignore[call-overload]
        with pytest.raises(ConfigurationError, match="no member 4"):
            cluster[4]


@pytest.mark.parametrize("machine", [Inventory, Chosen])
def test_a_good_class_survives_bad_luck_and_snapshots(machine: type[Inventory]) -> None:
    simulated = simulate(machine, seeds=6)
    assert simulated.faults["P8"] > 0
    assert simulated.counts["trimmed ledgers"] > 0
    assert simulated.counts["acknowledged"] > 100


def test_the_calls_that_a_class_chooses_are_the_only_ones() -> None:
    simulated = simulate(Chosen, seeds=1, profile="calm")
    assert simulated.counts["reads"] > 0


@pytest.mark.parametrize("machine", [Late, Impatient])
def test_what_looks_at_the_clock_is_named_though_its_results_are_right(machine: type[Inventory]) -> None:
    with pytest.raises(SimulationFailed, match=r"depends on the clock: time\.time \(inventory\.py:\d+\)"):
        simulate(machine, seeds=5)


def test_a_class_that_breaks_the_contract_is_refused_with_the_remedy() -> None:
    class Untyped(paxon.StateMachine):
        @paxon.command
        def add(self, ctx: paxon.Context, amount) -> None:  # type: ignore[no-untyped-def]
            """Do nothing."""

    with pytest.raises(ConfigurationError, match="write amount: TYPE"):
        SimulatedCluster(Untyped)
