"""Clients with sessions as a subject of the simulator, for one run."""

from contextlib import AbstractContextManager, nullcontext
from random import Random

from paxon.core.decree import NodeId
from paxon.rsm.feed import Event
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import Answer, Plain, Request, encode
from paxon.sim.greetings import name_of
from paxon.sim.plan import Plan, unusual
from paxon.sim.replica import PLAIN_FROM, Replica, marked
from paxon.sim.sessions.clients import SessionClients
from paxon.sim.sessions.judge import Judge
from paxon.sim.sessions.machine import PART, QUESTION, Tally, numbers_in
from paxon.sim.sessions.witness import SessionWitness
from paxon.sim.strikes import Strikes
from paxon.sim.subject import Onlookers
from paxon.sim.workload import Parliament, Workload

WORKLOAD = "sessions"
"""What such runs are called on a command line."""


class SessionOrders:
    """Satisfies ``Orders``: commands without a session, each sent once."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def command(self, number: int) -> bytes:
        """See ``Orders``.  Its number is below zero, where no session's command has one."""
        _, command = self._judge.order(b"", number, -number, "")
        return marked(PLAIN_FROM + number, encode(Plain(command)))

    def question(self) -> bytes:
        """See ``Orders``."""
        return QUESTION


class SessionSubject:
    """Satisfies ``Subject``.  Every run takes one of its own."""

    def __init__(self) -> None:
        self._judge = Judge()
        self._witness: SessionWitness | None = None

    def plan(self, seed: int, plan: Plan) -> Plan:
        """See ``Subject``."""
        return plan

    def reference(self) -> Replica:
        """See ``Subject``."""

        def heard(requests: list[Request], context: Context, answers: list[Answer], events: list[Event]) -> None:
            self._judge.decided(requests, context, answers, numbers_in(events))

        return Replica("nobody", {PART: Tally()}, heard)

    def machine(self, member: NodeId, life: int, strikes: Strikes) -> Replica:
        """See ``Subject``."""
        return Replica(name_of(member), {PART: Tally()}, applies_many=member % 2 == 0)

    def orders(self, seed: int, clients: Random, strikes: Strikes) -> SessionOrders:
        """See ``Subject``."""
        return SessionOrders(self._judge)

    def witness(self, onlookers: Onlookers) -> SessionWitness:
        """See ``Subject``."""
        self._judge.counts = onlookers.trace.counts
        self._witness = SessionWitness(onlookers.agenda, onlookers.trace, self._judge)
        return self._witness

    def clients(self, seed: int, onlookers: Onlookers, workload: Workload, parliament: Parliament) -> SessionClients:
        """See ``Subject``."""
        witness = self._witness or self.witness(onlookers)
        return SessionClients(seed, onlookers, workload, parliament, self._judge, witness)

    def running(self) -> AbstractContextManager[None]:
        """See ``Subject``."""
        return nullcontext()

    def again(self, seed: int, plan: Plan) -> str:
        """See ``Subject``."""
        options = [f"--workload {WORKLOAD}", f"--start {seed}", "--seeds 1"]
        return f"paxon simulate {' '.join([*options, *unusual(seed, plan)])}"
