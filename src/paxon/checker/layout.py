"""Where everything goes in a picture of a history: a lane for each process, time from left to right.

The axis keeps the order of events but not their distances: it is stretched until each bar
has room for its words, and long silences are cut short.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Final, Generic

from msgspec import Struct

from paxon.checker.history import InputT, Operation, OutputT

LEFT: Final = 14
"""Room before the first event, in pixels, as everything here."""

RIGHT: Final = 60
"""Room for the tails of operations whose end nobody knows."""

TAIL: Final = 26
"""How much longer than its words an operation without a return is drawn."""

GAP_MIN: Final = 4
GAP_TYPICAL: Final = 14
GAP_MAX: Final = 48
"""Between two events that follow each other: at least, when the time between them is the median, and at most."""

CHASERS_MAX: Final = 8
"""How many of the next points may press a point to the left.  More would leave none of them any room."""


class Bar(Struct, Generic[InputT, OutputT]):
    """An operation to be drawn: its words' width, its row from the top, and from where to where it goes.

    ``stays`` says that an operation without a return needs its row to the end of the picture.
    """

    operation: Operation[InputT, OutputT]
    width: float
    stays: bool = False
    row: int = 0
    left: float = 0
    right: float = 0


class Layout(Struct, Generic[InputT, OutputT], frozen=True):
    """Bars in their places; the first row of each process and how many it has; times with their places; the width."""

    bars: Sequence[Bar[InputT, OutputT]]
    lanes: Mapping[str, tuple[int, int]]
    axis: Mapping[int, float]
    right: float


def lay_out(bars: Sequence[Bar[InputT, OutputT]]) -> Layout[InputT, OutputT]:
    """Give each bar its row and its place on the axis."""
    bars = sorted(bars, key=lambda bar: (bar.operation.call, bar.operation.returned or bar.operation.call))
    lanes = _rows(bars)
    axis = _axis(bars)
    right = max([LEFT, *axis.values(), *(bar.right for bar in bars)]) + RIGHT
    for bar in bars:
        if bar.stays:
            bar.right = right - RIGHT / 2
    return Layout(bars, lanes, axis, right)


def points(bars: Sequence[Bar[InputT, OutputT]], end: float) -> list[float]:
    """Places for the instants at which bars take effect in this order: never to the left of the one before."""
    latest = end
    limits = []
    for bar in reversed(bars):
        latest = min(latest, end if bar.operation.is_unknown else bar.right)
        limits.append(latest)
    limits.reverse()
    places: list[float] = []
    place = 0.0
    for number, bar in enumerate(bars):
        place = max(place, bar.left)
        # All that follow and could be here too share the room with this one.
        chasers = 1
        for later in bars[number + 1 : number + CHASERS_MAX]:
            if later.left >= limits[number]:
                break
            chasers += 1
        place += max(0.0, limits[number] - place) / (chasers + 1)
        places.append(place)
    return places


def _rows(bars: Sequence[Bar[InputT, OutputT]]) -> dict[str, tuple[int, int]]:
    """Rows for all bars: as few for each process as keep its own bars apart."""
    # An instant that must show a whole operation has a width: two bars that meet there do not touch but overlap.
    instants = {bar.operation.call for bar in bars if bar.operation.returned == bar.operation.call}
    free_from: dict[str, list[float]] = {}
    inner: list[int] = []
    for bar in bars:
        call, returned = bar.operation.call, bar.operation.returned
        rows = free_from.setdefault(bar.operation.process, [])
        row = next((number for number, time in enumerate(rows) if time <= call), len(rows))
        end: float = call + 1 if returned is None else returned + (returned in instants)
        rows[row : row + 1] = [float("inf") if bar.stays else end]
        inner.append(row)
    lanes: dict[str, tuple[int, int]] = {}
    first = 0
    for process in sorted(free_from, key=_natural):
        lanes[process] = (first, len(free_from[process]))
        first += len(free_from[process])
    for bar, row in zip(bars, inner, strict=True):
        bar.row = lanes[bar.operation.process][0] + row
    return lanes


def _axis(bars: Sequence[Bar[InputT, OutputT]]) -> dict[int, float]:
    """The place of each time at which something happens.  Sets where bars begin and end."""
    calls: dict[int, list[Bar[InputT, OutputT]]] = {}
    returns: dict[int, list[Bar[InputT, OutputT]]] = {}
    for bar in bars:
        calls.setdefault(bar.operation.call, []).append(bar)
        if bar.operation.returned is not None:
            returns.setdefault(bar.operation.returned, []).append(bar)
    times = sorted({*calls, *returns})
    typical = median([later - time for time, later in pairwise(times)] or [1]) or 1
    axis: dict[int, float] = {}
    row_end: dict[int, float] = {}
    place = float(LEFT)
    for number, time in enumerate(times):
        if number:
            place += min(max((time - times[number - 1]) / typical * GAP_TYPICAL, GAP_MIN), GAP_MAX)
        for bar in calls.get(time, []):
            place = max(place, row_end.get(bar.row, 0))
        for bar in returns.get(time, []):
            if bar.operation.call < time:
                place = max(place, bar.left + bar.width)
        axis[time] = place
        for bar in calls.get(time, []):
            bar.left, bar.right = place, place + bar.width + TAIL
            row_end[bar.row] = bar.right if bar.operation.is_unknown else place
        # What was called and returned at one instant gets room for its words all the same.
        instant = [bar.width for bar in returns.get(time, []) if bar.operation.call == time]
        place += max(instant, default=0)
        for bar in returns.get(time, []):
            bar.right = place
            row_end[bar.row] = max(place, row_end[bar.row])
    return axis


def _natural(name: str) -> tuple[str, int, str]:
    """A key that sorts ``p2`` before ``p10``."""
    digits = len(name) - len(name.rstrip("0123456789"))
    return (name[: len(name) - digits], int(name[len(name) - digits :] or 0), name)
