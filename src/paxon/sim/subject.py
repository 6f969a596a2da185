"""What a world replicates: how each member comes by its machine, what clients ask of it, and who judges the whole.

Knows: the registers that the simulator brings along.  A user's machine is in ``paxon.sim.guard``.
"""

from contextlib import AbstractContextManager, nullcontext
from random import Random
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from paxon.core.decree import NodeId
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.dice import Dice
from paxon.sim.history import RegisterHistory, Witness
from paxon.sim.machine import ComparedMachine, Orders, RegisterOrders, Registers
from paxon.sim.oracle import Oracle
from paxon.sim.plan import Plan
from paxon.sim.strikes import Strikes

if TYPE_CHECKING:
    from paxon.sim.workload import Parliament, Workload


class Onlookers(Struct, frozen=True):
    """Who takes note of a run."""

    agenda: Agenda
    trace: Trace
    strikes: Strikes
    oracle: Oracle


class Clients(Protocol):
    """Clients that remember what they asked for, beside those of a workload, who do not."""

    def start(self) -> None:
        """The run begins."""

    def act(self) -> None:
        """Some client does something more."""

    def stop(self) -> None:
        """Nothing new is begun; what was begun is brought to its end."""

    def unfinished(self) -> str:
        """What is still missing after the storm, in words; empty if nothing is."""


class Subject(Protocol):
    """A kind of state machine, as the simulator handles it."""

    def plan(self, seed: int, plan: Plan) -> Plan:
        """The plan of a seed, or what has to be otherwise for this subject."""

    def reference(self) -> ComparedMachine:
        """The machine that no member has, which shows what the others should come to."""

    def machine(self, member: NodeId, life: int, strikes: Strikes) -> ComparedMachine:
        """A fresh machine for one life of a member."""

    def orders(self, seed: int, clients: Random, strikes: Strikes) -> Orders:
        """What the clients of a seed ask for; ``clients`` is the chance by which they do everything else."""

    def witness(self, onlookers: Onlookers) -> Witness:
        """Who hears what clients are told."""

    def clients(
        self, seed: int, onlookers: Onlookers, workload: "Workload", parliament: "Parliament"
    ) -> Clients | None:
        """Clients of its own kind, if there are to be any."""

    def running(self) -> AbstractContextManager[None]:
        """To be entered while any of its machines may be called."""

    def again(self, seed: int, plan: Plan) -> str:
        """How to run a seed, which had this plan, once more."""


class RegisterSubject:
    """Satisfies ``Subject`` with ``Registers``."""

    def plan(self, seed: int, plan: Plan) -> Plan:
        """See ``Subject``."""
        return plan

    def reference(self) -> ComparedMachine:
        """See ``Subject``."""
        return Registers()

    def machine(self, member: NodeId, life: int, strikes: Strikes) -> ComparedMachine:
        """See ``Subject``."""
        return Registers()

    def orders(self, seed: int, clients: Random, strikes: Strikes) -> Orders:
        """See ``Subject``."""
        return RegisterOrders(clients, Dice(f"{seed}/questions"), strikes)

    def witness(self, onlookers: Onlookers) -> RegisterHistory:
        """See ``Subject``."""
        return RegisterHistory(onlookers.agenda, onlookers.trace)

    def clients(self, seed: int, onlookers: Onlookers, workload: "Workload", parliament: "Parliament") -> None:
        """See ``Subject``."""

    def running(self) -> AbstractContextManager[None]:
        """See ``Subject``."""
        return nullcontext()

    def again(self, seed: int, plan: Plan) -> str:
        """See ``Subject``."""
        return f"python -m paxon.sim {seed}"


REGISTERS = RegisterSubject()
