"""The history of clients with sessions, for the linearizability checker: one counter that everybody adds to.

Knows: when a client began with a command and when it knew its outcome, however often it was sent
between.  Does not know: attempts, or sessions.

Clients that are gone leave commands of unknown outcome, and nothing tells one addition from another: a
checker would try each in the place of each.  So the judge is asked what they gave, as if the client
came back for it at the end of the run; the history then has no unknown outcomes.
"""

from paxon.checker.check import check_parts, verdict
from paxon.checker.counter import Add, Counter, CounterInput, Total
from paxon.checker.history import Recorder
from paxon.checker.model import Read
from paxon.checker.result import NotLinearizable, OutOfBudget
from paxon.checker.words import explain
from paxon.core.decree import NodeId
from paxon.errors import check
from paxon.rsm.session_requests import Answer, Done, Ended, Plain, decode_answer, decode_requests
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.history import STEPS_MAX
from paxon.sim.machine import Raised, Result
from paxon.sim.replica import unmarked
from paxon.sim.sessions.judge import Judge, Order
from paxon.sim.sessions.machine import count_in, receipt_in

NO_CALL = 0
"""The number of what is no call of a client: an attempt of a session, or an errand."""


class SessionWitness:
    """Satisfies ``Witness``."""

    def __init__(self, agenda: Agenda, trace: Trace, judge: Judge) -> None:
        self._agenda = agenda
        self._trace = trace
        self._judge = judge
        self._recorder: Recorder[CounterInput, Total] = Recorder()
        self._reads: set[int] = set()
        self._unsettled: dict[int, Order] = {}

    # --- commands of sessions ---

    def begun(self, order: Order) -> int:
        """A client begins with an order.  Returns the call's number."""
        call = self._recorder.call(order.session.decode(), Add(), self._agenda.now_ms)
        self._unsettled[call] = order
        return call

    def settled(self, call: int, order: Order) -> None:
        """A client knows the outcome of its order, or that it was applied and its result is lost."""
        is_lost = isinstance(order.told, Ended) and not order.is_void
        self._finish(call, order.decided if is_lost else order.told)

    def _finish(self, call: int, answer: Answer | None) -> None:
        del self._unsettled[call]
        receipt = receipt_in(answer.result) if isinstance(answer, Done) else None
        if receipt is None:
            self._recorder.refused(call)
        else:
            self._recorder.returned(call, Total(receipt.total), self._agenda.now_ms)

    # --- Witness ---

    def called(self, member: NodeId, command: bytes | None, question: bytes | None) -> int:
        """See ``Witness``."""
        if command is not None:
            request = decode_requests(unmarked(command))[0]
            order = self._judge.orders.get(request.command) if isinstance(request, Plain) else None
            return NO_CALL if order is None else self.begun(order)
        call = self._recorder.call(f"at {member}", Read(), self._agenda.now_ms)
        self._reads.add(call)
        return call

    def returned(self, number: int, result: Result, applied: int) -> None:
        """See ``Witness``."""
        if number == NO_CALL:
            return
        if isinstance(result, Raised):
            self.refused(number)
        elif number in self._reads:
            self._recorder.returned(number, Total(count_in(result)), self._agenda.now_ms)
        else:
            self._finish(number, decode_answer(result))

    def refused(self, number: int) -> None:
        """See ``Witness``."""
        if number != NO_CALL:
            self._unsettled.pop(number, None)
            self._recorder.refused(number)

    def judge(self) -> None:
        """See ``Witness``."""
        for call, order in list(self._unsettled.items()):
            self._finish(call, order.decided)
        history, model = self._recorder.history(), Counter()
        result = verdict(check_parts(history, model, steps_max=STEPS_MAX))
        check(not isinstance(result, NotLinearizable), f"clients see one order: {' '.join(explain(result, model))}")
        self._trace.counts["operations judged"] += len(history)
        self._trace.counts["histories given up"] += isinstance(result, OutOfBudget)

    def explain(self) -> str:
        """See ``Witness``: the machine is as it should be."""
        return ""
