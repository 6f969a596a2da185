"""Replicated objects for the guard: a good one and one that looks at the clock, each by way of a function."""

import random
import time
from collections.abc import Iterator

from paxon.rsm.contract import Context, StateMachine, command
from paxon.rsm.objects import ReplicatedObject, Signature, submission


class Stock(StateMachine):
    """How much there is."""

    def __init__(self) -> None:
        self.left = 0

    @command
    def add(self, context: Context, amount: int) -> int:
        self.left += amount
        return self.left


class Perishing(StateMachine):
    """Loses some by the clock."""

    def __init__(self) -> None:
        self.left = 0

    @command
    def add(self, context: Context, amount: int) -> int:
        self.left += amount - int(time.time()) % 3
        return self.left


def stock() -> ReplicatedObject[Stock]:
    return ReplicatedObject(Stock())


def perishing() -> ReplicatedObject[Perishing]:
    return ReplicatedObject(Perishing())


def deliveries(random: random.Random) -> Iterator[bytes]:
    while True:
        yield submission(Signature(Stock), Stock.add, random.randrange(9))[0]


def perishing_deliveries(random: random.Random) -> Iterator[bytes]:
    while True:
        yield submission(Signature(Perishing), Perishing.add, random.randrange(9))[0]
