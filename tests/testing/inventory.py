"""A typed class for simulated clusters, and classes that break what it keeps."""

import time
from collections.abc import Iterator
from random import Random

import paxon
from paxon.testing import Call, call


class SoldOut(paxon.Rejected):
    """There is nothing left of it."""


class Inventory(paxon.StateMachine):
    """How much there is, and what is reserved until a decided time."""

    def __init__(self) -> None:
        self.stock: dict[str, int] = {}
        self.reserved_until: list[tuple[int, str]] = []

    @paxon.command
    def supply(self, ctx: paxon.Context, sku: str, amount: int = 1) -> int:
        self.stock[sku] = self.stock.get(sku, 0) + amount
        ctx.emit("supplied", sku)
        return self.stock[sku]

    @paxon.command
    def reserve(self, ctx: paxon.Context, sku: str, ms: int) -> None:
        self.stock[sku] = self.stock.get(sku, 0) - 1
        if self.stock[sku] < 0:
            raise SoldOut(sku)
        self.reserved_until.append((ctx.now_ms + ms, sku))

    @paxon.command
    def cancel(self, ctx: paxon.Context) -> None:
        """Undo the latest reservation.  Raises ``IndexError`` if there is none, after a change that is taken back."""
        self.stock["cancelled"] = self.stock.get("cancelled", 0) + 1
        self.stock[self.reserved_until.pop()[1]] += 1

    @paxon.query
    def left(self, sku: str) -> int:
        return self.stock.get(sku, 0)

    def next_due_ms(self) -> int | None:
        return min((until_ms for until_ms, _ in self.reserved_until), default=None)

    def on_due(self, ctx: paxon.Context) -> None:
        for until_ms, sku in [one for one in self.reserved_until if one[0] <= ctx.now_ms]:
            self.reserved_until.remove((until_ms, sku))
            self.stock[sku] += 1


class Chosen(Inventory):
    """Says itself what it is to be asked."""

    @staticmethod
    def simulated_commands(random: Random) -> Iterator[Call]:
        while True:
            yield call(Chosen.supply, random.choice("ab"), amount=random.randrange(5))
            yield call(Chosen.reserve, "a", random.randrange(500))

    @staticmethod
    def simulated_queries(random: Random) -> Iterator[Call]:
        while True:
            yield call(Chosen.left, "a")


class Late(Inventory):
    """Emits what the clock says; its state and its results are right."""

    @paxon.command
    def supply(self, ctx: paxon.Context, sku: str, amount: int = 1) -> int:
        ctx.emit("at", time.time())
        return super().supply(ctx, sku, amount)


class Impatient(Inventory):
    """Lets as many reservations lapse as the clock says; its results are right."""

    def on_due(self, ctx: paxon.Context) -> None:
        self.reserved_until = self.reserved_until[: int(time.time()) % 3]
