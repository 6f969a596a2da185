"""One part of a history as an SVG picture: bars for operations, marks for the instants at which they take effect."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Final, Generic

from msgspec import Struct

from paxon.checker.history import InputT, Operation, OutputT
from paxon.checker.layout import LEFT, Bar, Layout, lay_out, points
from paxon.checker.model import Model, StateT
from paxon.checker.result import Linearizable, NotLinearizable, Part, Placed
from paxon.checker.words import interval_text, operation_text

ROW: Final = 38
"""From one row to the next, in pixels: a bar, and above it the number of its mark."""

BAR: Final = 20
NOTCH: Final = 5
"""How far a mark reaches into its bar from above and from below: the words in the middle stay readable."""

NAMES: Final = 96
"""Room for the names of processes."""

NAME_MAX: Final = 11
"""Longer names are cut."""

TOP: Final = 34
"""Room for the axis."""

LETTER: Final = 6.7
"""The width of a letter of the bars' typeface, a little more than most browsers need."""

LABEL_MAX: Final = 36
"""Longer words are cut; the whole is shown when the pointer rests on the bar."""

CROWDED: Final = 9
"""Numbers of marks that are closer than this are written to the outside of the pair."""

LATER_MAX: Final = 4
"""How many operations after the impossible one are drawn; they cannot explain it, and it should be in sight."""

TICK_MIN: Final = 64
"""Times on the axis are at least this far apart."""

STYLE: Final = """
svg { display: block; flex: none; }
.flow { display: flex; width: max-content; min-width: 100%; direction: ltr; }
svg.names { position: sticky; left: 0; background: var(--paper); border-right: 1px solid var(--line); }
svg text { font: 11px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1b1f24; }
svg .process, svg .time { fill: var(--dim); } svg .process { font-weight: 700; font-size: 12px; }
svg .lane { fill: var(--soft); } svg .grid { stroke: var(--line); }
svg rect.bar { stroke-width: 1.2; rx: 3px; }
svg .placed { fill: #cfe3f8; stroke: #3f7fbf; } svg .guessed { fill: #e6dcf5; stroke: #7d5bb5; stroke-dasharray: 4 2; }
svg .left { fill: #f4f2ee; stroke: #8b8578; stroke-dasharray: 2 3; } svg .later { fill: #eceef0; stroke: #b3bac2; }
svg .stuck { fill: #fbe3b8; stroke: #b7791f; } svg .impossible { fill: #ffd0d0; stroke: #c4212b; stroke-width: 2.4; }
svg .mark { stroke: #14508c; stroke-width: 2; } svg .head { fill: #14508c; }
svg .order { fill: none; stroke: #14508c; stroke-width: 1; stroke-opacity: .35; }
svg text.number { font-size: 9.5px; fill: var(--ink); }
svg text.cross { font-size: 12px; font-weight: 700; fill: var(--bad); text-anchor: start; }
svg .deadline { stroke: var(--bad); stroke-width: 1.4; stroke-dasharray: 5 3; }
@media (prefers-color-scheme: dark) { svg .mark { stroke: #7db8f2; } svg .head { fill: #7db8f2; }
  svg .order { stroke: #7db8f2; } }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 14px 0 10px; font-size: 13px; color: var(--dim); }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
"""

_LEGEND_ENTRIES: Final = (
    ("placed", "has its place in the order"),
    ("guessed", "outcome unknown, took effect in this order"),
    ("left", "outcome unknown, did not take effect"),
    ("impossible", "the first impossible operation"),
    ("stuck", "might come next, does not fit either"),
    ("later", "not reached"),
)

LEGEND: Final = (
    '<div class="legend">'
    + "".join(
        f'<span><svg width="30" height="14"><rect class="bar {kind}" x="2" y="2" width="26" height="10"/></svg>'
        f"{words}</span>"
        for kind, words in _LEGEND_ENTRIES
    )
    + '<span><svg width="12" height="16"><line class="mark" x1="6" x2="6" y1="4" y2="16"/>'
    '<circle class="head" cx="6" cy="4" r="3"/></svg>takes effect here; the number is its place in the order</span>'
    "<span>Time runs to the right, in order but not to scale.</span></div>"
)


class _Fate(Struct, Generic[InputT, OutputT, StateT], frozen=True):
    """What the search made of one operation: a style's name, and its place in the order if it has one."""

    kind: str
    number: int = 0
    placed: Placed[InputT, OutputT, StateT] | None = None


def draw(part: Part[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT], drawn_max: int) -> tuple[str, int]:
    """The picture, as an element of HTML, and how many operations are in it: at most ``drawn_max``."""
    fates = _fates(part)
    chosen = _chosen(part, fates, drawn_max)
    bars = [_bar(part.history.operations[number], fates[number], model) for number in chosen]
    fate_of = {number: fates[number] for number in chosen}
    pairs = list(zip(bars, fate_of.values(), strict=True))
    layout = lay_out(bars)
    height = TOP + ROW * sum(rows for _, rows in layout.lanes.values()) + 8
    inside = [*_ground(layout, height)]
    for bar, fate in pairs:
        inside += _drawn_bar(bar, fate, model)
    inside += _order(pairs, layout)
    inside += _deadline(pairs, height)
    names = "".join(_names(layout))
    return (
        f'<div class="flow"><svg class="names" width="{NAMES}" height="{height}">{names}</svg>'
        f'<svg width="{layout.right:.0f}" height="{height}" role="img">{"".join(inside)}</svg></div>'
    ), len(chosen)


def _fates(part: Part[InputT, OutputT, StateT]) -> list[_Fate[InputT, OutputT, StateT]]:
    """For each operation of the part, what became of it.  Equal operations are the same to everybody."""
    result = part.result
    order = result.order if isinstance(result, Linearizable) else result.prefix
    waiting: dict[Operation[InputT, OutputT], list[_Fate[InputT, OutputT, StateT]]] = {}
    for number, placed in enumerate(order, 1):
        kind = "guessed" if placed.operation.is_unknown else "placed"
        waiting.setdefault(placed.operation, []).append(_Fate(kind, number, placed))
    if isinstance(result, NotLinearizable):
        for place, unplaced in enumerate(result.dead_ends[0].unplaced):
            waiting.setdefault(unplaced.operation, []).append(_Fate("stuck" if place else "impossible"))
    fates = []
    for operation in part.history.operations:
        left = waiting.get(operation)
        if left:
            fates.append(left.pop(0))
        else:
            fates.append(_Fate("left" if operation.is_unknown else "later"))
    return fates


def _chosen(
    part: Part[InputT, OutputT, StateT], fates: Sequence[_Fate[InputT, OutputT, StateT]], drawn_max: int
) -> list[int]:
    """Which operations are drawn: all if there are few, else up to a few after the impossible one, or the first."""
    operations = part.history.operations
    by_call = sorted(range(len(operations)), key=lambda number: operations[number].call)
    until = drawn_max
    if isinstance(part.result, NotLinearizable):
        deadline = part.result.impossible.returned or 0
        called = sum(operation.call <= deadline for operation in operations)
        until = called + LATER_MAX
    window = by_call[max(0, min(until, len(by_call)) - drawn_max) : until]
    missing = [number for number in by_call if fates[number].kind == "impossible" and number not in window]
    return [*missing, *window[len(missing) :]]


def _bar(
    operation: Operation[InputT, OutputT],
    fate: _Fate[InputT, OutputT, StateT],
    model: Model[InputT, OutputT, StateT],
) -> Bar[InputT, OutputT]:
    label = _label(operation, model)
    return Bar(operation, len(label) * LETTER + 12, stays=fate.kind == "guessed")


def _label(operation: Operation[InputT, OutputT], model: Model[InputT, OutputT, StateT]) -> str:
    text = operation_text(operation, model)
    return text if len(text) <= LABEL_MAX else f"{text[: LABEL_MAX - 1]}…"


def _names(layout: Layout[InputT, OutputT]) -> Iterator[str]:
    """The processes' names, which stay in sight while the rest moves."""
    for number, (process, (first, rows)) in enumerate(layout.lanes.items()):
        top = TOP + ROW * first
        if number % 2 == 0:
            yield f'<rect class="lane" x="0" y="{top}" width="{NAMES}" height="{ROW * rows}"/>'
        name = process if len(process) <= NAME_MAX else f"{process[: NAME_MAX - 1]}…"
        yield f'<text class="process" x="8" y="{top + 28}">{escape(name)}</text>'


def _ground(layout: Layout[InputT, OutputT], height: int) -> Iterator[str]:
    """Lanes and the axis."""
    for number, (first, rows) in enumerate(layout.lanes.values()):
        if number % 2 == 0:
            top = TOP + ROW * first
            yield f'<rect class="lane" x="0" y="{top}" width="{layout.right:.0f}" height="{ROW * rows}"/>'
    last = -float("inf")
    for time, place in layout.axis.items():
        if place - last >= TICK_MIN:
            last = place
            yield f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP - 8}" y2="{height - 8}"/>'
            yield f'<text class="time" x="{place:.1f}" y="{TOP - 14}" text-anchor="middle">{time}</text>'


def _drawn_bar(
    bar: Bar[InputT, OutputT], fate: _Fate[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT]
) -> Iterator[str]:
    operation = bar.operation
    top = TOP + ROW * bar.row + ROW - BAR - 4
    state = "" if fate.placed is None else f"\nstate after it: {model.state_text(fate.placed.state)}"
    about = f"{operation.process}: {operation_text(operation, model)}\n{interval_text(operation)}{state}"
    width = max(bar.right - bar.left - 2, 4)
    yield f"<g><title>{escape(about)}</title>"
    if operation.is_unknown:
        # An open end: nobody knows where this one is over.
        left, right, bottom = bar.left + 1, bar.left + 1 + width, top + BAR
        path = f"M{right - 9:.1f} {top}H{left:.1f}V{bottom}H{right - 9:.1f}L{right:.1f} {top + BAR / 2}Z"
        yield f'<path class="bar {fate.kind}" d="{path}"/>'
    else:
        yield f'<rect class="bar {fate.kind}" x="{bar.left + 1:.1f}" y="{top}" width="{width:.1f}" height="{BAR}"/>'
    yield f'<text x="{bar.left + 6:.1f}" y="{top + 14}">{escape(_label(operation, model))}</text></g>'
    if fate.kind == "impossible":
        yield f'<text class="cross" x="{bar.left + 1:.1f}" y="{top - 4}">✗ impossible</text>'


def _order(
    pairs: Sequence[tuple[Bar[InputT, OutputT], _Fate[InputT, OutputT, StateT]]], layout: Layout[InputT, OutputT]
) -> Iterator[str]:
    """The marks, each with its number, and a line from each to the next."""
    placed = sorted((pair for pair in pairs if pair[1].number), key=lambda pair: pair[1].number)
    # A longest order ends before the return that it cannot pass.
    ends = [bar.right for bar, fate in pairs if fate.kind == "impossible"] or [bar.right for bar in layout.bars]
    places = points([bar for bar, _ in placed], max([LEFT, *ends]))
    heads = [(place, TOP + ROW * bar.row + ROW - BAR - 6) for place, (bar, _) in zip(places, placed, strict=True)]
    numbers = [fate.number for _, fate in placed]
    for (one, other), (number, following) in zip(pairwise(heads), pairwise(numbers), strict=True):
        if following == number + 1:
            yield f'<path class="order" d="M{one[0]:.1f} {one[1]}L{other[0]:.1f} {other[1]}"/>'
    edge = float("inf")
    for before, (place, top), after, number in zip([-edge, *places], heads, [*places[1:], edge], numbers, strict=False):
        bottom = top + 2 + BAR
        mark = f"M{place:.1f} {top}v{NOTCH + 2}M{place:.1f} {bottom}v-{NOTCH}"
        yield f'<path class="mark" d="{mark}"/><circle class="head" cx="{place:.1f}" cy="{top}" r="3"/>'
        anchor = "end" if after - place < CROWDED else "start" if place - before < CROWDED else "middle"
        yield f'<text class="number" text-anchor="{anchor}" x="{place:.1f}" y="{top - 4}">{number}</text>'


def _deadline(
    pairs: Sequence[tuple[Bar[InputT, OutputT], _Fate[InputT, OutputT, StateT]]], height: int
) -> Iterator[str]:
    """The instant at which the explanations run out."""
    for bar, fate in pairs:
        if fate.kind == "impossible":
            yield f'<line class="deadline" x1="{bar.right:.1f}" x2="{bar.right:.1f}" y1="{TOP - 8}" y2="{height - 8}"/>'
