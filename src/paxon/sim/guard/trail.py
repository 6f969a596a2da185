"""One machine alone, through a sequence that was decided: what each command gave and left behind.

Knows: nothing of members.  Two trails of one sequence that differ show a machine that depends on
more than its commands; where and how they were made shows on what.
"""

from collections.abc import Callable

from msgspec import Struct

from paxon.core.decree import Slot
from paxon.rsm.machine import Context
from paxon.sim.guard.machine import GuardedMachine, MachineAtFault
from paxon.sim.machine import Result, answer_of, result_of


class Decided(Struct, frozen=True, array_like=True):
    """One command of a course, as the machine sees it."""

    slot: int
    now_ms: int
    command: bytes


class Asked(Struct, frozen=True, array_like=True):
    """A question that a client asked of some member that had applied ``applied`` commands, and the answer."""

    applied: int
    question: bytes
    answer: Result


class Course(Struct, frozen=True, array_like=True):
    """What a run decided, and what its clients read."""

    decided: tuple[Decided, ...]
    asked: tuple[Asked, ...] = ()


class Step(Struct, frozen=True, array_like=True):
    """What one command gave, and the state after it."""

    result: Result
    digest: bytes


class Trail(Struct, frozen=True, array_like=True):
    """What became of a course.  It ends early where a promise broke, and ``fault`` then says which."""

    steps: tuple[Step, ...]
    answers: tuple[Result, ...] = ()
    fault: str = ""


def walk(make: Callable[[], GuardedMachine], course: Course, *, asks: bool = True) -> Trail:
    """Walk a course with a fresh machine, and ask in between what clients asked, if it ``asks``."""
    steps: list[Step] = []
    answers: list[Result] = []
    questions = sorted(course.asked, key=lambda asked: asked.applied) if asks else []
    try:
        machine = make()
        for number in range(len(course.decided) + 1):
            while len(answers) < len(questions) and questions[len(answers)].applied == number:
                answers.append(answer_of(machine, questions[len(answers)].question))
            if number < len(course.decided):
                decided = course.decided[number]
                result = result_of(machine, decided.command, Context(Slot(decided.slot), decided.now_ms))
                steps.append(Step(result, machine.digest))
    except MachineAtFault as fault:
        return Trail(tuple(steps), tuple(answers), str(fault))
    return Trail(tuple(steps), tuple(answers))
