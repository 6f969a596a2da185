"""The history of a run's clients, judged by the linearizability checker that users have.

Knows: what clients called, when, and what they were told.  Does not know: anything that went on
inside.  The oracle sees every vote and says which rule broke; this is the second opinion, from
outside, and would hold for any other program that claims to be linearizable.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from paxon.checker.check import check_parts, verdict
from paxon.checker.history import History, Operation, Recorder
from paxon.checker.model import Scalar, SequentialModel, by_key, plain_text
from paxon.checker.report import render
from paxon.checker.result import NotLinearizable, OutOfBudget
from paxon.checker.words import explain
from paxon.core.decree import NodeId
from paxon.errors import check
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.machine import ABSENT, Raised, Result

STEPS_MAX = 200_000
"""When the search of one register's history is given up, after about a second.  Runs need some hundred steps."""


class Witness(Protocol):
    """Hears what clients do and are told, and judges it when the run is over."""

    def called(self, member: NodeId, command: bytes | None, question: bytes | None) -> int:
        """A client puts a command, or else a question, to a member.  Returns the call's number."""

    def returned(self, number: int, result: Result, applied: int) -> None:
        """The client has a result; a question was answered by a state of ``applied`` commands."""

    def refused(self, number: int) -> None:
        """The client is told that its command was not applied, or its question not answered."""

    def judge(self) -> None:
        """See whether all of it goes together.

        Raises:
            InvariantViolation: if not.
        """

    def explain(self) -> str:
        """What a rule that just broke has to do with the state machine, in words; empty if nothing."""


class Look(Struct, frozen=True, tag="read"):
    """Input: what does the register hold?  Answered by ``Held``."""

    key: str


class Exchange(Struct, frozen=True, tag="put"):
    """Input: the register holds ``value`` from here on.  Answered by ``Held``, with what it held before."""

    key: str
    value: Scalar


class Held(Struct, frozen=True, tag="held"):
    """Output: what the register held."""

    value: Scalar


class Exchanges(SequentialModel[Look | Exchange, Held, Scalar]):
    """Registers, each a part of its own, in which a put tells what was there before."""

    inputs = Look | Exchange
    outputs = Held

    def init(self) -> Scalar:
        """See ``Model.init``."""
        return ABSENT.decode()

    def apply(self, state: Scalar, input: Look | Exchange) -> tuple[Held, Scalar]:  # noqa: A002
        """See ``SequentialModel.apply``."""
        return Held(state), input.value if isinstance(input, Exchange) else state

    def changes_nothing(self, input: Look | Exchange, output: Held | None) -> bool:  # noqa: A002
        """See ``Model.changes_nothing``."""
        return isinstance(input, Look)

    def partition(self, history: History[Look | Exchange, Held]) -> Mapping[str, History[Look | Exchange, Held]]:
        """See ``Model.partition``."""
        return by_key(history, lambda given: given.key)

    def output_text(self, output: Held) -> str:
        """See ``Model.output_text``."""
        return plain_text(output.value)


class RegisterHistory:
    """Satisfies ``Witness`` for clients of ``Registers``.  Times are milliseconds of virtual time."""

    def __init__(self, agenda: Agenda, trace: Trace) -> None:
        self._agenda = agenda
        self._trace = trace
        self._recorder: Recorder[Look | Exchange, Held] = Recorder()

    def called(self, member: NodeId, command: bytes | None, question: bytes | None) -> int:
        """See ``Witness``."""
        given: Look | Exchange = Look((question or b"").decode())
        if command is not None:
            _, token, key, *_ = command.split(b" ", 3)
            given = Exchange(key.decode(), token.decode())
        return self._recorder.call(f"at {member}", given, self._agenda.now_ms)

    def returned(self, number: int, result: Result, applied: int) -> None:
        """See ``Witness``.  A command on which the machine raised did nothing."""
        if isinstance(result, Raised):
            self._recorder.refused(number)
        else:
            # A put's result begins with how many commands came before, a read's does not.
            held = result.rpartition(b" ")[2].decode()
            self._recorder.returned(number, Held(held), self._agenda.now_ms)

    def refused(self, number: int) -> None:
        """See ``Witness``."""
        self._recorder.refused(number)

    def judge(self) -> None:
        """See ``Witness``."""
        history, model = _without_unseen(self._recorder.history()), Exchanges()
        result = verdict(check_parts(history, model, steps_max=STEPS_MAX))
        check(not isinstance(result, NotLinearizable), f"clients see one order: {' '.join(explain(result, model))}")
        self._trace.counts["operations judged"] += len(history)
        self._trace.counts["histories given up"] += isinstance(result, OutOfBudget)

    def explain(self) -> str:
        """See ``Witness``: the registers are as they should be."""
        return ""

    def page(self, title: str) -> str:
        """The history as it is so far, drawn and explained."""
        model = Exchanges()
        return render(check_parts(self._recorder.history(), model, steps_max=STEPS_MAX), model, title=title)


def _without_unseen(history: History[Look | Exchange, Held]) -> History[Look | Exchange, Held]:
    """The history without puts of unknown outcome whose value nobody saw: a third of some runs, and most of the search.

    The answer is the same.  Whatever comes right after such a put, in any order, tells its value if it
    tells anything; nobody did, so what comes after it is another put of unknown outcome, or
    nothing, and either fits as well without it.
    """
    seen = {operation.output.value for operation in history.operations if operation.output is not None}

    def is_unseen(operation: Operation[Look | Exchange, Held]) -> bool:
        given = operation.input
        return operation.is_unknown and isinstance(given, Exchange) and given.value not in seen

    return History(tuple(operation for operation in history.operations if not is_unseen(operation)))
