"""Why two runs of one machine differ: one thing at a time is changed, and what makes a difference is named.

Knows: the kinds of things that a machine may depend on and must not.  Does not know: members.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from paxon.sim.guard.interpreters import HASH_SEEDS, Interpreter
from paxon.sim.guard.machine import opened, shown
from paxon.sim.guard.surroundings import Mix
from paxon.sim.guard.trail import Asked, Course, Step, Trail
from paxon.sim.machine import Result

if TYPE_CHECKING:
    from paxon.sim.guard.subject import UserSubject

KINDS = {
    "clock": "the clock",
    "chance": "chance",
    "environment": "the environment: a variable, the process's number, the host's name or the directory",
}
"""What surroundings can vary."""

VARIATIONS = range(1, 9)
"""Several, because a coarse look, such as the parity of a second, gives the same by chance."""

OTHER_HASH_SEEDS = ("3", "4", "5", "6")
"""Asked as well when the usual two agree with each other and not with us."""

SHARED_KINDS = (bool, int, float, str, bytes, bytearray, list, tuple, dict, set, frozenset)
"""Values in classes and modules whose change is noticed."""

_ADDRESS = re.compile(rb"0x[0-9a-f]{6,}")


class Difference(Struct, frozen=True):
    """The first place where two runs differ."""

    number: int
    """How many commands came before."""
    what: str
    one: str
    other: str

    @classmethod
    def between(cls, number: int, one: str, step: Step, other: str, other_step: Step) -> "Difference":
        """Two machines had different things come of a command."""
        if step.result != other_step.result:
            return cls(number, "result", f"{shown(step.result)} in {one}", f"{shown(other_step.result)} in {other}")
        return cls(number, "digest", f"{shown(step.digest)} in {one}", f"{shown(other_step.digest)} in {other}")

    @classmethod
    def of_answers(cls, asked: Asked, other: str, answer: Result) -> "Difference":
        """Two machines answered a question differently."""
        what = f"answer to {shown(asked.question)}"
        return cls(asked.applied, what, f"{shown(asked.answer)} for a client", f"{shown(answer)} in {other}")


def accusation(subject: "UserSubject", course: Course, difference: Difference) -> str:
    """What happened, and what it comes from, in lines."""
    number = min(difference.number, len(course.decided) - 1)
    decided = course.decided[number]
    command = f"command {number + 1} ({shown(opened(decided.command))}, slot {decided.slot})"
    lines = [
        f"{subject.name} is not deterministic: {difference.what} of {command} differs",
        f"  {difference.one}",
        f"  {difference.other}",
    ]
    return "\n".join([*lines, *(f"  it depends on {reason}" for reason in causes(subject, course))])


def causes(subject: "UserSubject", course: Course) -> list[str]:
    """Everything that alone makes a difference, in words after *it depends on*."""
    before = _shared(subject)
    first, sites = _walk(subject, course)
    after = _shared(subject)
    changed = sorted(name for name, value in after.items() if before.get(name) != value)
    shared = f"what all machines of the process share: {', '.join(changed)} changes while commands are applied"
    second, _ = _walk(subject, course)
    if first != second:
        return [shared if changed else _unsettled(first, second, sites)]
    reasons = []
    for kind, words in KINDS.items():
        for by in VARIATIONS:
            varied, sites = _walk(subject, course, Mix().varied(kind, by))
            if varied != first:
                reasons.append(f"{words}{_at(sites, kind)}")
                break
    if subject.walk(course).steps != first.steps:
        reasons.append("questions: query changes the state")
    if not reasons and changed:
        reasons.append(shared)
    if not reasons:
        reasons.append(_elsewhere(subject, course, first, sites))
    return reasons


def _walk(subject: "UserSubject", course: Course, mix: Mix | None = None) -> tuple[Trail, dict[str, set[str]]]:
    """A trail without questions, and which lines asked for what on the way."""
    asked: dict[str, set[str]] = {}
    trail = subject.walk(course, mix, asks=False, asked=asked)
    return trail, asked


def _at(sites: dict[str, set[str]], kind: str) -> str:
    found = sorted(sites.get(kind, ()))
    return f": {', '.join(found)}" if found else ""


def _unsettled(first: Trail, second: Trail, sites: dict[str, set[str]]) -> str:
    """Twice the same, and yet not: what is left are addresses, and what we cannot reach."""
    if found := _at(sites, "id"):
        return f"the addresses of objects{found}"
    for one, other in zip(first.steps, second.steps, strict=False):
        if one != other and any(_ADDRESS.search(_bytes(value)) for value in (one.result, one.digest)):
            return "the addresses of objects: there is one in what it gives, as in the repr of an object without one"
    return "something that differs between two runs in one process: an address, a clock or chance that Python hides"


def _elsewhere(subject: "UserSubject", course: Course, here: Trail, sites: dict[str, set[str]]) -> str:
    """Nothing in this process makes a difference: see what another process does."""
    if not subject.origin.is_somewhere:
        return "something that other processes might show, but they cannot import a class made inside of a function"
    one, *others = (*HASH_SEEDS, *OTHER_HASH_SEEDS)
    there = _fresh(subject, course, one)
    if there != _fresh(subject, course, one):
        return "something that differs between two processes: what its module worked out when it was imported"
    if any(_fresh(subject, course, other) != there for other in others):
        return f"the hash seed: the order of a set, or hash(){_at(sites, 'hash')}"
    if there != here:
        return "something that this process has and a fresh one has not, such as what was done before"
    return "something that no other run shows"


def _fresh(subject: "UserSubject", course: Course, hash_seed: str) -> Trail:
    interpreter = Interpreter(hash_seed, subject.origin, subject.workload_origin)
    try:
        interpreter.start(course, asks=False)
        return interpreter.finish()
    finally:
        interpreter.close()


def _shared(subject: "UserSubject") -> dict[str, str]:
    """What the machine's classes and modules hold, by name."""
    held: dict[str, str] = {}
    for module in subject.modules:
        held.update(_values(module.__name__, vars(module).items()))
        for name, kind in vars(module).items():
            if isinstance(kind, type) and kind.__module__ == module.__name__:
                held.update(_values(f"{module.__name__}.{name}", vars(kind).items()))
    return held


def _values(owner: str, items: object) -> Iterator[tuple[str, str]]:
    for name, value in list(items):  # type: ignore[call-overload]
        if isinstance(value, SHARED_KINDS) and not name.startswith("__"):
            yield f"{owner}.{name}", repr(value)


def _bytes(value: Result) -> bytes:
    return value if isinstance(value, bytes) else value.text.encode()
