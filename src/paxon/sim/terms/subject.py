"""Holders of offices as a subject of the simulator, for one run."""

from contextlib import AbstractContextManager, nullcontext
from random import Random

from msgspec import structs

from paxon.collections.holding_rule import HoldingRule, least_ttl_s
from paxon.collections.terms import Terms
from paxon.core.decree import NodeId
from paxon.rsm.feed import Event
from paxon.rsm.machine import Context
from paxon.rsm.session_requests import Answer, Request
from paxon.sim.dice import Dice
from paxon.sim.greetings import name_of
from paxon.sim.machine import Result
from paxon.sim.plan import Plan, unusual
from paxon.sim.post import Post
from paxon.sim.replica import PLAIN_FROM, Replica, marked
from paxon.sim.strikes import Strikes
from paxon.sim.subject import Onlookers
from paxon.sim.terms.calls import OFFICES, PART, QUESTION, withdrawing
from paxon.sim.terms.client import TermClient
from paxon.sim.terms.judge import Judge
from paxon.sim.workload import Parliament, Workload

WORKLOAD = "terms"
"""What such runs are called on a command line."""

CLIENTS = (3, 6)

TTLS_S = (0.4, 1.0, 3.0)
"""From less than an election to more than most outages."""

SKEWS_MS = (50, 300, 600)
"""By how much the wall clocks of members are off at the most: of the size of the ttls, or nobody would notice a holder
that does not reckon with it."""

BOUNDED = 0.6
"""How often clocks that would jump are kept from it, so that such a run too has a bound to be inside of."""


class NoHistory:
    """Satisfies ``Witness``: all that there is to judge of offices is what the judge sees."""

    def called(self, member: NodeId, command: bytes | None, question: bytes | None) -> int:
        """See ``Witness``."""
        return 0

    def returned(self, number: int, result: Result, applied: int) -> None:
        """See ``Witness``."""

    def refused(self, number: int) -> None:
        """See ``Witness``."""

    def judge(self) -> None:
        """See ``Witness``."""

    def explain(self) -> str:
        """See ``Witness``."""
        return ""


class TermOrders:
    """Satisfies ``Orders``: commands that change nothing."""

    def command(self, number: int) -> bytes:
        """See ``Orders``."""
        return marked(PLAIN_FROM + number, withdrawing(OFFICES[0], b"nobody"))

    def question(self) -> bytes:
        """See ``Orders``."""
        return QUESTION


class TermClients:
    """Satisfies ``Clients``, and ``Exchange`` for each of them."""

    def __init__(
        self, seed: int, onlookers: Onlookers, workload: Workload, parliament: Parliament, judge: Judge, skew_ms: int
    ) -> None:
        self.agenda = onlookers.agenda
        self.judge = judge
        self.random = Dice(f"{seed}/terms")
        self.post = Post(onlookers, workload, parliament, self.random)
        # Two clocks that are off by the same in different directions; a millisecond each for what is not whole.
        clock_error_s = 2 * (skew_ms + 1) / 1000
        self.rule = HoldingRule(max(self.random.choice(TTLS_S), least_ttl_s(clock_error_s)), clock_error_s)
        self._clients: list[TermClient] = []
        judge.on_granted = self._hint

    def start(self) -> None:
        """See ``Clients``."""
        self._clients = [TermClient(number, self) for number in range(self.random.randint(*CLIENTS))]
        self.post.run_errands()

    def act(self) -> None:
        """See ``Clients``."""
        self.random.choice(self._clients).act()

    def stop(self) -> None:
        """See ``Clients``: nobody begins anything that is not asked of it, and ``unfinished`` sees everybody off."""

    def _hint(self, seeker: bytes) -> None:
        for client in self._clients:
            client.hint(seeker)

    def unfinished(self) -> str:
        """See ``Clients``: everybody has left, and what they left behind has lapsed."""
        for client in self._clients:
            client.leave()
        if any(client.term is not None for client in self._clients):
            return "clients have not left their offices"
        return self.post.unfinished()


class TermSubject:
    """Satisfies ``Subject``.  Every run takes one of its own."""

    def __init__(self) -> None:
        self._judge = Judge()
        self._skew_ms = max(SKEWS_MS)

    def plan(self, seed: int, plan: Plan) -> Plan:
        """See ``Subject``: clocks keep to a bound, or they jump, and then holders reckon with too small a one."""
        machines, random = plan.machines, Dice(f"{seed}/bound")
        self._judge.is_within = not machines.clock_step_every_ms or random.random() < BOUNDED
        self._skew_ms = random.choice(SKEWS_MS)
        if not self._judge.is_within:
            return plan
        return structs.replace(plan, machines=structs.replace(machines, clock_step_every_ms=0, skew_ms=self._skew_ms))

    def reference(self) -> Replica:
        """See ``Subject``."""

        def heard(requests: list[Request], context: Context, answers: list[Answer], events: list[Event]) -> None:
            self._judge.decided(events)

        return Replica("nobody", {PART: Terms()}, heard)

    def machine(self, member: NodeId, life: int, strikes: Strikes) -> Replica:
        """See ``Subject``."""
        return Replica(name_of(member), {PART: Terms()}, applies_many=member % 2 == 0)

    def orders(self, seed: int, clients: Random, strikes: Strikes) -> TermOrders:
        """See ``Subject``."""
        return TermOrders()

    def witness(self, onlookers: Onlookers) -> NoHistory:
        """See ``Subject``."""
        self._judge.counts = onlookers.trace.counts
        return NoHistory()

    def clients(self, seed: int, onlookers: Onlookers, workload: Workload, parliament: Parliament) -> TermClients:
        """See ``Subject``."""
        return TermClients(seed, onlookers, workload, parliament, self._judge, self._skew_ms)

    def running(self) -> AbstractContextManager[None]:
        """See ``Subject``."""
        return nullcontext()

    def again(self, seed: int, plan: Plan) -> str:
        """See ``Subject``."""
        options = [f"--workload {WORKLOAD}", f"--start {seed}", "--seeds 1"]
        return f"paxon simulate {' '.join([*options, *unusual(seed, plan)])}"
