"""The pytest plugin: two options and one fixture.  It imports nothing else of Paxon until a test wants it."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from paxon.testing import options

if TYPE_CHECKING:
    from paxon.testing.cluster import ClusterFactory, MachineT, SimulatedCluster


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("paxon", "simulations with paxon.testing")
    group.addoption("--paxon-seeds", type=int, metavar="N", help="run N seeds in each call of paxon.testing.simulate")
    group.addoption("--paxon-start", type=int, metavar="SEED", help="begin with this seed")


def pytest_configure(config: pytest.Config) -> None:
    """Note the options where ``simulate`` looks for them.

    Raises:
        UsageError: if they make no sense.
    """
    seeds, start = config.getoption("--paxon-seeds"), config.getoption("--paxon-start")
    if seeds is not None and seeds < 1:
        raise pytest.UsageError("--paxon-seeds: at least one seed is run")
    if start is not None and start < 0:
        raise pytest.UsageError("--paxon-start: seeds are not negative")
    options.seeds, options.start = seeds, start


@pytest.fixture
def simulated_cluster() -> "Iterator[ClusterFactory]":
    """``SimulatedCluster`` itself, to be called; every cluster is checked once more when the test is over."""
    from paxon.testing.cluster import SimulatedCluster

    made: list[SimulatedCluster[Any]] = []

    def make(machine: "Callable[[], MachineT]", members: int = 3, seed: int = 0) -> "SimulatedCluster[MachineT]":
        cluster = SimulatedCluster(machine, members, seed)
        made.append(cluster)
        return cluster

    yield make
    for cluster in made:
        cluster.close()
