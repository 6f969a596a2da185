"""Who hears what clients of a user's machine are told, and applies everything once more when the run is over.

Knows: where the answers of a run must agree.  ``cause`` finds out why they do not.
"""

from typing import TYPE_CHECKING

from paxon.core.decree import NodeId
from paxon.sim.guard.cause import Difference, accusation
from paxon.sim.guard.interpreters import interpreters_for
from paxon.sim.guard.machine import MachineAtFault
from paxon.sim.guard.trail import Asked, Course, Decided, Step, Trail
from paxon.sim.machine import Result

if TYPE_CHECKING:
    from paxon.sim.guard.subject import UserSubject
    from paxon.sim.subject import Onlookers

REFERENCE = "a machine apart"
HERE = "a machine that is asked what the clients asked"


class GuardWitness:
    """Satisfies ``Witness``."""

    def __init__(self, subject: "UserSubject", onlookers: "Onlookers") -> None:
        self._subject = subject
        self._onlookers = onlookers
        self._questions: dict[int, bytes] = {}
        self._asked: list[Asked] = []
        self._calls = 0

    def called(self, member: NodeId, command: bytes | None, question: bytes | None) -> int:
        """See ``Witness``."""
        self._calls += 1
        if command is None and question is not None:
            self._questions[self._calls] = question
        return self._calls

    def returned(self, number: int, result: Result, applied: int) -> None:
        """See ``Witness``."""
        question = self._questions.pop(number, None)
        if question is not None:
            self._asked.append(Asked(applied, question, result))

    def refused(self, number: int) -> None:
        """See ``Witness``."""
        self._questions.pop(number, None)

    def judge(self) -> None:
        """See ``Witness``: everything again, here and under other hash seeds, and the answers with it."""
        subject, strikes = self._subject, self._onlookers.strikes
        course = self._course()
        if not course.decided:
            return
        self._compare(course, subject.walk(course), HERE)
        started = [
            interpreter
            for interpreter in interpreters_for(subject.origin, subject.workload_origin)
            if strikes.strike("P8", f"apply all again with hash seed {interpreter.hash_seed}")
        ]
        for interpreter in started:
            interpreter.start(course)
        trails = [(interpreter.finish(), interpreter) for interpreter in started]
        for trail, interpreter in trails:
            self._compare(course, trail, f"a fresh interpreter with hash seed {interpreter.hash_seed}")
        self._onlookers.trace.counts["commands compared"] += (1 + len(trails)) * len(course.decided)

    def explain(self) -> str:
        """See ``Witness``."""
        oracle = self._onlookers.oracle
        parting = oracle.parting
        if parting is None:
            return ""
        course = self._course(parting.number + 1)
        expected = oracle.sequence[parting.number]
        found = Step(parting.result, parting.digest)
        difference = Difference.between(
            parting.number, REFERENCE, Step(expected.result, expected.digest), f"member {parting.member}", found
        )
        return accusation(self._subject, course, difference)

    def _course(self, until: int | None = None) -> Course:
        decided = self._onlookers.oracle.sequence[:until]
        asked = sorted(self._asked, key=lambda asked: asked.applied)
        return Course(
            tuple(Decided(expected.slot, expected.now_ms, expected.command) for expected in decided),
            tuple(one for one in asked if one.applied <= len(decided)),
        )

    def _compare(self, course: Course, trail: Trail, where: str) -> None:
        """See that a trail goes where the run went.

        Raises:
            MachineAtFault: if not.
        """
        sequence = self._onlookers.oracle.sequence
        if trail.fault:
            raise MachineAtFault(f"{trail.fault} (in {where})")
        difference = None
        for number, (expected, step) in enumerate(zip(sequence, trail.steps, strict=True)):
            if (expected.result, expected.digest) != (step.result, step.digest):
                difference = Difference.between(number, REFERENCE, Step(expected.result, expected.digest), where, step)
                break
        else:
            for asked, answer in zip(course.asked, trail.answers, strict=True):
                if asked.answer != answer:
                    difference = Difference.of_answers(asked, where, answer)
                    break
        if difference is not None:
            raise MachineAtFault(accusation(self._subject, course, difference))
