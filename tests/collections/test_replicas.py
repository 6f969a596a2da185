"""Two members go on alike: in processes that hash differently, and if one of them began from a snapshot."""

import hashlib
import os
import random
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from paxon.collections.barriers import Barriers
from paxon.collections.counters import Counters
from paxon.collections.maps import Maps
from paxon.collections.parties import Parties
from paxon.collections.priority_queues import PriorityQueues
from paxon.collections.queues import Queues
from paxon.collections.rate_limiters import RateLimiters
from paxon.collections.rwlocks import RWLocks
from paxon.collections.semaphores import Semaphores
from paxon.collections.sets import Sets
from paxon.collections.terms import Terms
from paxon.errors import Rejected
from paxon.rsm.contract import StateMachine, methods_of
from tests.collections.desk import Desk

KINDS: dict[str, type[StateMachine]] = {
    kind.__name__: kind
    for kind in (
        Barriers,
        Counters,
        Maps,
        Parties,
        PriorityQueues,
        Queues,
        RateLimiters,
        RWLocks,
        Semaphores,
        Sets,
        Terms,
    )
}

_POOLS: list[tuple[str, list[Any]]] = [
    ("name", ["north", "south"]),
    ("seeker holder claimant member party", [b"ada", b"bob", b"cyd", b"dee", b"eve"]),
    ("ttl_ms lease_ms per_ms", [1, 100, 250, 900]),
    ("wait write", [True, True, False]),
    ("token number generation version", list(range(1, 12))),
    ("key element", ["a", "b", "c", "d"]),
    ("value item", ["x", "y"]),
    ("amount expected priority rate", [1, 2, 3]),
    ("limit parties", [2]),
    ("attempts_max", [0, 1, 2]),
    ("burst", [4]),
]

CHOICES = {argument: pool for arguments, pool in _POOLS for argument in arguments.split()}
"""What to call a command with, by the names of its arguments."""


def answers(kind: type[StateMachine], *, moves: bool, steps: int = 300) -> list[str]:
    """What random commands are answered, what they emit, and what the state is at the end, in its order."""
    dice = random.Random(kind.__name__)
    desk: Desk[Any] = Desk(kind, Any)
    commands = [method for method in methods_of(kind).values() if method.is_command]
    told: list[str] = []
    for _ in range(steps):
        method = dice.choice(commands)
        fields = msgspec.structs.fields(method.arguments)
        values = {field.name: dice.choice(CHOICES[field.name]) for field in fields}
        if kind is Counters and "value" in values:
            values["value"] = dice.choice([0, 1, 2])
        if dice.random() < 0.3:
            desk.later(dice.choice([10, 100, 500]))
        try:
            told.append(repr(desk.do(getattr(kind, method.name), **values)))
        except Rejected as refusal:
            told.append(repr(refusal))
        if moves:
            desk.move()
    assert desk.replica.failures == 0
    return [*told, repr(desk.events), repr(ordered(desk.state))]


def ordered(value: Any) -> Any:
    """Plain data with the order that its dictionaries have, and sets, which nobody asks for theirs, sorted."""
    if isinstance(value, dict):
        return [(key, ordered(one)) for key, one in value.items()]
    return sorted(value) if isinstance(value, set) else value


def digest() -> str:
    """All answers of all structures."""
    return hashlib.blake2b(repr([answers(kind, moves=False) for kind in KINDS.values()]).encode()).hexdigest()


@pytest.mark.parametrize("name", KINDS)
def test_a_member_that_began_from_a_snapshot_goes_on_like_the_others(name: str) -> None:
    stayed, moved = answers(KINDS[name], moves=False), answers(KINDS[name], moves=True)
    assert stayed == moved
    assert len(set(stayed[:-2])) > 1, "there is more than one kind of answer"


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_members_agree_whatever_their_processes_hash_with(hash_seed: str) -> None:
    program = "from tests.collections.test_replicas import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == digest()
