"""Whole numbers by name, each 0 until somebody changes it.

Knows: numbers.  Does not know: what they count.
"""

from msgspec import Struct

from paxon.collections.refusals import Changed, LimitReached, OutOfRange
from paxon.collections.values import ENTRIES_MAX, INTEGER_MAX, Integer, Name
from paxon.rsm.contract import Context, StateMachine, command, query


class Counted(Struct, frozen=True, tag="counted"):
    """The counter has this value from here on."""

    name: Name
    value: Integer


class Counters(StateMachine):
    """Counters by name.  Events are ``Counted`` under ``counter/NAME``.

    * ``value != 0`` for every counter in the state: one that is 0 leaves no trace.
    """

    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    @command
    def add(self, ctx: Context, name: Name, amount: Integer = 1) -> int:
        """Add to the counter, or take off it; its new value.

        Raises:
            OutOfRange: if that would be beyond ``INTEGER_MAX`` either way.
            LimitReached: if there are too many counters that are not 0.
        """
        return self._set(ctx, name, self.get(name) + amount)

    @command
    def set(self, ctx: Context, name: Name, value: Integer) -> int:
        """Give the counter this value; what it was before.

        Raises:
            LimitReached: if there are too many counters that are not 0.
        """
        before = self.get(name)
        self._set(ctx, name, value)
        return before

    @command
    def compare_and_set(self, ctx: Context, name: Name, expected: Integer, value: Integer) -> None:
        """Give the counter this value if it has the expected one.

        Raises:
            Changed: if it has another, with that one.
            LimitReached: if there are too many counters that are not 0.
        """
        found = self.get(name)
        if found != expected:
            raise Changed(f"the counter {name!r}", found)
        self._set(ctx, name, value)

    @query
    def get(self, name: Name) -> int:
        """The value of the counter."""
        return self.values.get(name, 0)

    def _set(self, ctx: Context, name: str, value: int) -> int:
        if abs(value) > INTEGER_MAX:
            raise OutOfRange(f"{name!r} would be {value}, beyond {INTEGER_MAX}: count in larger units")
        if value == 0:
            self.values.pop(name, 0)
        elif name not in self.values and len(self.values) >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} counters are not 0: set those to 0 that nobody needs")
        else:
            self.values[name] = value
        ctx.emit(f"counter/{name}", Counted(name, value))
        return value
