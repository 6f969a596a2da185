"""For the tests of your own state machine: a simulated cluster under your control, and whole campaigns of seeds.

``SimulatedCluster`` is one parliament on a virtual network, disk and clock, in which you cut links,
crash members and turn clocks; ``simulate`` runs your machine through many seeds of bad luck and
fails with the seed and the reason.  docs/testing-your-machine.md has examples.  With pytest, the
fixture ``simulated_cluster`` and the options ``--paxon-seeds`` and ``--paxon-start`` are there as
soon as Paxon is installed.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paxon.rsm.machine import ByteMachine, Context
    from paxon.sim.guard.typed import Call, call
    from paxon.testing.cluster import ClusterFactory, SimulatedCluster
    from paxon.testing.failure import SimulationFailed
    from paxon.testing.real_cluster import Cluster
    from paxon.testing.requests import Pending
    from paxon.testing.seeds import simulate
    from paxon.testing.views import MemberView

__all__ = [
    "ByteMachine",
    "Call",
    "Cluster",
    "ClusterFactory",
    "Context",
    "MemberView",
    "Pending",
    "SimulatedCluster",
    "SimulationFailed",
    "call",
    "simulate",
]

_PLACES = {
    "Call": "paxon.sim.guard.typed",
    "Cluster": "paxon.testing.real_cluster",
    "ClusterFactory": "paxon.testing.cluster",
    "Context": "paxon.rsm.machine",
    "MemberView": "paxon.testing.views",
    "Pending": "paxon.testing.requests",
    "SimulatedCluster": "paxon.testing.cluster",
    "SimulationFailed": "paxon.testing.failure",
    "ByteMachine": "paxon.rsm.machine",
    "call": "paxon.sim.guard.typed",
    "simulate": "paxon.testing.seeds",
}
"""Where each name is.  Looked up when it is first wanted: pytest loads this package in every run of every project
that has Paxon installed, and most of those runs simulate nothing."""


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
