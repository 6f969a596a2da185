"""Histories made by really executing something, one operation at a time, and ways to spoil them.

The executors are written apart from the models: a dictionary, a list, a number, and the name
server that ships.  Agreement is then not the agreement of one piece of code with itself.
"""

from collections import deque
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from msgspec.structs import replace

from paxon.checker import History, Model, Operation
from paxon.checker.counter import Add, Counter, Total
from paxon.checker.key_value import (
    CompareAndPut,
    Compared,
    Delete,
    Deleted,
    Found,
    Get,
    KeyValue,
    KeyValueInput,
    KeyValueOutput,
    KeyValueState,
    Put,
    Written,
)
from paxon.checker.model import Done, Got, Read, Scalar, Write
from paxon.checker.queue import Dequeue, Enqueue, Queue
from paxon.checker.register import CompareAndSet, CompareAndSetRegister, Register, Swapped
from paxon.checker.revisions import PutIfUnchanged, Removed, Revisions, Seen, Stored, Tried
from paxon.core.decree import Slot
from paxon.kv import name_server
from paxon.rsm.machine import Context

Execute = Callable[[Any], Any]
Draw = Callable[[Random, int], Any]


class Subject(NamedTuple):
    """What is checked: a model, real executions of it, and random inputs, given how many came before.

    ``undivided`` is a model of the whole object at once, for those who do not know of parts.
    """

    model: Model[Any, Any, Any]
    undivided: Model[Any, Any, Any]
    executor: Callable[[], Execute]
    draw: Draw


def request(
    process: str, call: int, given: Any, returned: int | None = None, output: Any = None
) -> Operation[Any, Any]:
    """An ``Operation`` of any model, for lists with several kinds of inputs and outputs."""
    return Operation(process, call, given, returned, output)


class AllKeys(Model[KeyValueInput, KeyValueOutput, tuple[tuple[str, KeyValueState], ...]]):
    """All keys of a ``KeyValue`` in one state, for a history that is not divided."""

    def init(self) -> tuple[tuple[str, KeyValueState], ...]:
        return ()

    def step(
        self,
        state: tuple[tuple[str, KeyValueState], ...],
        input: KeyValueInput,  # noqa: A002
        output: KeyValueOutput | None,
    ) -> tuple[bool, tuple[tuple[str, KeyValueState], ...]]:
        one, keys = KeyValue(), dict(state)
        fits, keys[input.key] = one.step(keys.get(input.key, one.init()), input, output)
        return fits, tuple(sorted(keys.items()))


class Clients(NamedTuple):
    """How the clients of a generated history behave."""

    processes: int = 3
    unknown: float = 0.25
    """The part of operations whose outcome nobody learns."""
    reach: int = 25
    """How far a call and a return are from the effect, at most.  Effects are about ten units apart."""


def generate(subject: Subject, random: Random, length: int, clients: Clients) -> History[Any, Any]:
    """A linearizable history: each operation was executed at an instant within its interval, or, if unknown, maybe."""
    execute = subject.executor()
    free_at = [0] * clients.processes
    plans: list[tuple[int, Operation[Any, Any], bool]] = []
    now = 0
    for number in range(length):
        now += random.randint(0, 20)
        process = min(range(clients.processes), key=lambda name: (free_at[name] > now, random.random()))
        call = max(free_at[process], now - random.randint(0, clients.reach))
        effect = max(call, now)
        returned = effect + random.randint(0, clients.reach)
        free_at[process] = returned
        given = subject.draw(random, number)
        if random.random() < clients.unknown:
            late = effect + random.choice((0, 0, clients.reach, 10 * clients.reach))
            plans.append((late, Operation(f"p{process}", call, given), random.random() < 0.5))
        else:
            # The output is not known before the execution; any stands in for it.
            plans.append((effect, Operation(f"p{process}", call, given, returned, Done()), True))
    plans.sort(key=lambda plan: plan[0])
    operations = []
    for _, operation, happens in plans:
        output = execute(operation.input) if happens else None
        operations.append(operation if operation.is_unknown else replace(operation, output=output))
    random.shuffle(operations)
    return History(tuple(operations))


def spoil(history: History[Any, Any], random: Random) -> History[Any, Any]:
    """The history with one thing changed, so that it is mostly not linearizable any more."""
    operations = list(history.operations)
    known = [place for place, operation in enumerate(operations) if not operation.is_unknown]
    if not known:
        return history
    one, other = random.choice(known), random.choice(known)
    kind = random.randrange(4)
    if kind == 0:  # somebody else's output of the same kind
        alike = [place for place in known if type(operations[place].output) is type(operations[one].output)]
        operations[one] = replace(operations[one], output=operations[random.choice(alike)].output)
    elif kind == 1:  # seen much later than it happened
        shift = random.randint(1, 60)
        call, returned = operations[one].call + shift, (operations[one].returned or 0) + shift
        operations[one] = replace(operations[one], call=call, returned=returned)
    elif kind == 2:  # two answers exchanged
        outputs = operations[one].output, operations[other].output
        if type(outputs[0]) is type(outputs[1]):
            operations[one] = replace(operations[one], output=outputs[1])
            operations[other] = replace(operations[other], output=outputs[0])
    else:  # forgotten altogether
        del operations[one]
    return History(tuple(operations))


def _register() -> Execute:
    value: list[Scalar] = [None]

    def execute(given: Any) -> Any:
        match given:
            case Read():
                return Got(value[0])
            case CompareAndSet(expected=expected) if value[0] != expected:
                return Swapped(False)
        value[0] = given.value
        return Swapped(True) if isinstance(given, CompareAndSet) else Done()

    return execute


def _counter() -> Execute:
    amounts: list[int] = []

    def execute(given: Any) -> Any:
        if isinstance(given, Add):
            amounts.append(given.amount)
            return Total(sum(amounts)) if given.amount > 1 else Total()
        return Total(sum(amounts))

    return execute


def _queue() -> Execute:
    items: deque[Any] = deque()

    def execute(given: Any) -> Any:
        if isinstance(given, Enqueue):
            items.append(given.value)
            return Done()
        return Got(items.popleft() if items else None)

    return execute


def _name_server() -> Execute:
    """The shipped state machine, asked in its own bytes."""
    server = name_server.NameServer()

    def told(value: bytes | None) -> str | None:
        return None if value is None else value.decode()

    def execute(given: Any) -> Any:
        key = given.key.encode()
        context = Context(Slot(1), 0)
        match given:
            case Get():
                found = name_server.read_reply(server.query(name_server.get(key)), name_server.Found)
                return Found(told(found.value), found.version)
            case Put(value=str(value)):
                reply = server.apply(name_server.put(key, value.encode()), context)
                return Written(name_server.read_reply(reply, name_server.Written).version)
            case Delete():
                reply = server.apply(name_server.delete(key), context)
                return Deleted(name_server.read_reply(reply, name_server.Deleted).version)
            case CompareAndPut(expected=expected, value=str(value)):
                wanted = None if expected is None else str(expected).encode()
                reply = server.apply(name_server.compare_and_put(key, wanted, value.encode()), context)
                compared = name_server.read_reply(reply, name_server.Compared)
                return Compared(compared.written, told(compared.found), compared.version)
        raise AssertionError(given)

    return execute


def _revisions() -> Execute:
    """Every change ever made, and what follows from them."""
    changes: list[tuple[str, Scalar]] = []

    def of(key: str) -> tuple[Scalar, int, int]:
        value, at, version = None, 0, 0
        for revision, (changed, new) in enumerate(changes, 1):
            if changed == key:
                value, at, version = (new, revision, version + 1) if new is not None else (None, 0, 0)
        return value, at, version

    def execute(given: Any) -> Any:
        value, at, version = of(given.key)
        match given:
            case Get():
                return Seen(value, at, version, len(changes)) if at % 2 else Seen(value, at)
            case Delete():
                changes.extend([(given.key, None)] if version else [])
                return Removed(version > 0, len(changes))
            case CompareAndPut(expected=expected) if expected != value:
                return Tried(False, len(changes))
            case PutIfUnchanged(mod_revision=expected) if expected != at:
                return Tried(False, len(changes))
        changes.append((given.key, given.value))
        if isinstance(given, Put):
            return Stored(len(changes), of(given.key)[2]) if len(changes) % 2 else Stored(len(changes))
        return Tried(True, len(changes))

    return execute


def _draw_register(random: Random, number: int) -> Any:
    return random.choice((Read(), Read(), Write(number), Write(random.randrange(3))))


def _draw_compare_and_set(random: Random, number: int) -> Any:
    swap = CompareAndSet(random.choice((None, 0, 1)), random.randrange(3))
    return random.choice((Read(), swap, swap, Write(random.randrange(3)), Write(number)))


def _draw_counter(random: Random, number: int) -> Any:
    return random.choice((Read(), Add(), Add(), Add(random.choice((2, 5, -1, 0)))))


def _draw_queue(random: Random, number: int) -> Any:
    return random.choice((Enqueue(number), Enqueue(random.randrange(2)), Dequeue(), Dequeue()))


def _draw_key_value(random: Random, number: int) -> Any:
    key, value = random.choice("ab"), str(random.choice((number, 0, 1)))
    compare = CompareAndPut(key, random.choice((None, "0", "1")), value)
    return random.choice((Get(key), Get(key), Put(key, value), Put(key, value), Delete(key), compare))


def _draw_revisions(random: Random, number: int) -> Any:
    key = random.choice("ab")
    unchanged = PutIfUnchanged(key, random.randrange(4), number)
    return random.choice((_draw_key_value(random, number), unchanged, Get(key)))


SUBJECTS = {
    "register": Subject(Register(), Register(), _register, _draw_register),
    "compare-and-set": Subject(CompareAndSetRegister(), CompareAndSetRegister(), _register, _draw_compare_and_set),
    "counter": Subject(Counter(), Counter(), _counter, _draw_counter),
    "queue": Subject(Queue(), Queue(), _queue, _draw_queue),
    "key-value": Subject(KeyValue(), AllKeys(), _name_server, _draw_key_value),
    "revisions": Subject(Revisions(), Revisions(), _revisions, _draw_revisions),
}


def small_histories(subject: Subject, seeds: range) -> Iterator[tuple[int, History[Any, Any], History[Any, Any]]]:
    """For each seed a linearizable history of up to seven operations, and the same one spoilt up to three times."""
    for seed in seeds:
        random = Random(seed)
        clients = Clients(random.randint(1, 4), random.choice((0.0, 0.3, 0.6)), random.choice((2, 10, 40)))
        history = spoilt = generate(subject, random, random.randint(2, 7), clients)
        for _ in range(random.randint(1, 3)):
            spoilt = spoil(spoilt, random)
        yield seed, history, spoilt
