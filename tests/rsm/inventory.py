"""A state machine as a user would write it."""

from dataclasses import dataclass

from paxon.errors import Rejected
from paxon.rsm.contract import Context, StateMachine, command, query


@dataclass(frozen=True)
class Reserved:
    """What was reserved, and how much is left."""

    order: str
    left: int


class OutOfStock(Rejected):
    """There is none of it."""


class Inventory(StateMachine):
    """Stock by article, and the orders that have some of it."""

    def __init__(self) -> None:
        self.stock: dict[str, int] = {}
        self.orders: dict[str, list[str]] = {}
        self.changes = 0

    @command
    def supply(self, ctx: Context, sku: str, amount: int = 1) -> int:
        """Put some on the shelf."""
        self.changes += 1
        self.stock[sku] = self.stock.get(sku, 0) + amount
        return self.stock[sku]

    @command
    def reserve(self, ctx: Context, sku: str, *, order: str) -> Reserved:
        """Take one for an order."""
        self.changes += 1
        self.orders.setdefault(order, []).append(sku)
        if self.stock.get(sku, 0) == 0:
            raise OutOfStock(sku, self.changes)
        self.stock[sku] -= 1
        return Reserved(order, self.stock[sku])

    @command
    def reckless(self, ctx: Context, sku: str) -> None:
        """Change a lot, and then fail."""
        self.changes += 1
        self.orders.clear()
        del self.stock[sku]
        raise LookupError(f"no {sku} any more")

    @command
    def draw(self, ctx: Context) -> tuple[int, int, int]:
        """What is decided about this very command."""
        return ctx.slot, ctx.now_ms, ctx.random.below(1 << 30)

    @query
    def left(self, sku: str) -> int:
        """How many there are."""
        return self.stock.get(sku, 0)

    @query
    def orders_of(self, order: str) -> list[str]:
        """What an order has."""
        return self.orders.get(order, [])

    @query
    def meddling(self) -> int:
        """A query that changes something, which it must not."""
        self.changes += 1
        return self.changes
