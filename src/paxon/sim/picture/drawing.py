"""A part of a recording as a drawing for documents: one SVG file, in the colours of the page.

Time is to scale, or, in a play, goes from one moment at which something is drawn to the next.
Words are written where they have room, and otherwise left out: the page has all of them.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import atan2, ceil, cos, degrees, hypot, pi, sin
from typing import Final

from msgspec import Struct

from paxon.checker.palette import PALETTE
from paxon.core.decree import NodeId
from paxon.sim.picture.look import GROUPS, colours, group_of
from paxon.sim.picture.page import Caption, request_rows
from paxon.sim.recording import ARRIVED, Arrow, Mark, Recording
from paxon.sim.words import letter_words

LEFT: Final = 92
"""Room for the names of members, in pixels, as everything here."""

RIGHT: Final = 30
TOP: Final = 20
LANE: Final = 112
LINE: Final = 46
"""How far below the top of its lane a member's line is."""

COLUMN: Final = 36
"""From one moment to the next, where time is not to scale."""

SCALED: Final = 1_000
"""The width of all moments together, where time is to scale."""

LETTER: Final = 6.3
"""The width of a letter of the words, a little more than most browsers need."""

LEGEND: Final = 24
"""The height of a row of the legend."""

STUB: Final = 0.35
"""How much of its way a letter that was lost at once is drawn."""

_STYLE: Final = """
text { font: 11px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
.name { font-weight: 600; font-size: 13px; } .dim { fill: var(--dim); } .bad { fill: var(--bad); }
.good { fill: var(--good); } .doubt { fill: var(--doubt); } .presides { fill: var(--kind2); }
.halo { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
.paper { fill: var(--paper); } .lane { fill: var(--soft); } .line { stroke: var(--dim); stroke-width: 1.5; }
.polling { stroke: var(--kind2); stroke-width: 6; }
.trying { stroke: var(--doubt); stroke-width: 5; stroke-dasharray: 7 4; }
.gone { stroke: var(--paper); stroke-width: 5; } .down { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 2 6; }
.paused { stroke: var(--line); stroke-width: 18; } .sync { stroke: var(--dim); stroke-width: 5; }
.done { stroke: var(--good); stroke-width: 4; }
.failed { stroke: var(--doubt); stroke-width: 4; stroke-dasharray: 4 2; }
.arrow { fill: none; stroke-width: 1.5; } .copy { stroke-dasharray: 8 3; } .open { stroke-dasharray: 3 5; }
.cross { stroke: var(--bad); stroke-width: 2; fill: none; } .wrote { fill: var(--ink); }
"""


class _Words(Struct):
    """Places that words have taken."""

    taken: list[tuple[float, float]]

    def take(self, points: Sequence[tuple[float, float]]) -> bool:
        """Take a place, if nobody has it."""
        if any(abs(px - qx) < 14 and abs(py - qy) < 13 for px, py in points for qx, qy in self.taken):
            return False
        self.taken.extend(points)
        return True


class _Drawing:
    """What is drawn, and where its moments are."""

    def __init__(self, recording: Recording, caption: Caption, from_moment: int, until_moment: int) -> None:
        self.members = list(caption.members)
        self.arrows = [
            arrow
            for arrow in recording.arrows
            if arrow.sent < until_moment
            and (recording.now if arrow.ended is None else arrow.ended) >= from_moment
            and GROUPS[group_of(type(arrow.message))].is_shown
        ]
        self.marks = [mark for mark in recording.marks if from_moment <= mark.moment < until_moment]
        self.spans = [
            span
            for span in recording.spans
            if span.began < until_moment and (recording.now if span.ended is None else span.ended) >= from_moment
        ]
        self._from, self._until = from_moment, until_moment
        self._places = self._place(recording.moments, caption.is_to_scale)
        self.right = max(self._places.values(), default=LEFT) + RIGHT
        self.words = _Words([])

    def _place(self, moments: Sequence[int], is_to_scale: bool) -> dict[int, float]:
        inside = range(self._from, min(self._until, len(moments)))
        if inside and is_to_scale:
            first_ms, all_ms = moments[inside[0]], max(moments[inside[-1]] - moments[inside[0]], 1)
            return {moment: LEFT + (moments[moment] - first_ms) / all_ms * SCALED for moment in inside}
        used = {arrow.sent for arrow in self.arrows} | {arrow.ended for arrow in self.arrows}
        used |= {mark.moment for mark in self.marks} | {span.began for span in self.spans}
        used |= {span.ended for span in self.spans}
        columns = [moment for moment in inside if moment in used]
        return {moment: LEFT + COLUMN / 2 + COLUMN * number for number, moment in enumerate(columns)}

    def x(self, moment: int | None) -> float:
        """The place of a moment; the edge, if it is outside."""
        if moment is None or moment >= self._until:
            return self.right
        return self._places.get(moment, LEFT)

    def y(self, member: NodeId) -> float:
        """The place of a member's line."""
        return TOP + LINE + LANE * self.members.index(member)


def draw(recording: Recording, caption: Caption, from_moment: int = 0, until_moment: int | None = None) -> str:
    """The moments in ``[from_moment, until_moment)``, all of them unless told otherwise, as an SVG file."""
    until = recording.now + 1 if until_moment is None else until_moment
    drawing = _Drawing(recording, caption, from_moment, max(until, from_moment + 1))
    legend = list(_legend(drawing))
    height = TOP + LANE * len(drawing.members) + LEGEND * len(legend) + 4
    inside = [*_ground(drawing), *_spans(drawing)]
    for arrow in drawing.arrows:
        inside += _arrow(drawing, arrow)
    inside += [*_marks(drawing), *_states(drawing)]
    for arrow in drawing.arrows:
        inside += _label(drawing, arrow)
    inside += [
        f'<g transform="translate(0 {TOP + LANE * len(drawing.members) + LEGEND * row})">{entries}</g>'
        for row, entries in enumerate(legend)
    ]
    width = ceil(drawing.right)
    body = "\n".join(inside)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f"""<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">
<title>{escape(caption.title)}</title><desc>{escape(" · ".join(caption.notes))}</desc>
<style>{PALETTE}{colours()}{_STYLE}</style>
<rect class="paper" width="{width}" height="{height}"/>
{body}
</svg>
"""


def _ground(drawing: _Drawing) -> Iterator[str]:
    for number, member in enumerate(drawing.members):
        y = drawing.y(member)
        if number % 2 == 0:
            yield f'<rect class="lane" y="{y - LINE:g}" width="{drawing.right:g}" height="{LANE}"/>'
        yield f'<text class="name" x="10" y="{y + 5:g}">member {member}</text>'
        yield _line("line", LEFT, y, drawing.right, y)


def _spans(drawing: _Drawing) -> Iterator[str]:
    rows = dict(request_rows(drawing.spans))
    for number, span in enumerate(drawing.spans):
        below = 13 if span.kind == "sync" else 22 + 7 * rows[number] if number in rows else 0
        y = drawing.y(span.member) + below
        x1, x2 = drawing.x(span.began), drawing.x(span.ended)
        if span.kind == "down":
            yield _line("gone", x1, y, x2, y)
        yield _line(span.kind, x1, y, max(x2, x1 + 3), y)


def _states(drawing: _Drawing) -> Iterator[str]:
    """Words above the line for whoever tries, presides or is down."""
    looks = {"trying": "doubt", "polling": "presides", "down": "bad", "paused": "dim"}
    for span in drawing.spans:
        x = max(drawing.x(span.began), LEFT) + 2
        words = span.words.partition(":")[0]
        if span.kind in looks and drawing.words.take(_points(x, drawing.y(span.member) - 32, words)):
            yield _text(f"{looks[span.kind]} halo", x, drawing.y(span.member) - 28, words)


def _marks(drawing: _Drawing) -> Iterator[str]:
    for mark in drawing.marks:
        x, y = drawing.x(mark.moment), drawing.y(mark.member)
        yield f"<g><title>{escape(f'member {mark.member} {mark.words}')}</title>{_mark(mark, x, y)}</g>"
        if mark.kind == "passed" and drawing.words.take(_points(x + 9, y - 16, mark.words)):
            yield _text("good halo", x + 9, y - 12, mark.words)


def _mark(mark: Mark, x: float, y: float) -> str:
    match mark.kind:
        case "wrote":
            return f'<rect class="wrote" x="{x - 2:g}" y="{y - 7:g}" width="4" height="7"/>'
        case "passed":
            return f'<path class="good" d="M{x:g} {y - 22:g}l6 6l-6 6l-6 -6Z"/>'
        case "applied":
            return f'<path class="good" d="M{x - 4:g} {y + 2:g}h8l-4 6Z"/>'
        case "boot":
            return f'<path class="wrote" d="M{x:g} {y - 7:g}l9 7l-9 7Z"/>'
        case "power":
            return f'{_cross(x, y, 6)}<circle class="cross" cx="{x:g}" cy="{y:g}" r="10"/>'
        case _:
            return _cross(x, y, 6)


def _ends(drawing: _Drawing, arrow: Arrow) -> tuple[float, float, float, float]:
    x1, y1, y2 = drawing.x(arrow.sent), drawing.y(arrow.sender), drawing.y(arrow.to)
    if arrow.ended is None:
        return x1, y1, drawing.right, y1 + (y2 - y1) * (1 - STUB)
    if arrow.fate != ARRIVED and arrow.ended == arrow.sent:
        return x1, y1, x1 + COLUMN / 3, y1 + (y2 - y1) * STUB
    return x1, y1, drawing.x(arrow.ended), y2


def _arrow(drawing: _Drawing, arrow: Arrow) -> Iterator[str]:
    x1, y1, x2, y2 = _ends(drawing, arrow)
    group = group_of(type(arrow.message))
    about = f"{arrow.sender} to {arrow.to}: {letter_words(arrow.message)}; {arrow.fate}"
    look = "arrow" + (" open" if arrow.ended is None else " copy" if arrow.is_copy else "")
    yield f'<g stroke="var(--kind{group})" fill="var(--kind{group})"><title>{escape(about)}</title>'
    yield _line(look, x1, y1, x2, y2)
    if arrow.ended is not None and arrow.fate == ARRIVED:
        turn = atan2(y2 - y1, x2 - x1)
        wings = "L".join(f"{x2 - 8 * cos(turn + side):.1f} {y2 - 8 * sin(turn + side):.1f}" for side in (0.36, -0.36))
        yield f'<path stroke="none" d="M{x2:.1f} {y2:.1f}L{wings}Z"/>'
    elif arrow.ended is not None:
        yield _cross(x2, y2, 4)
    yield "</g>"


def _label(drawing: _Drawing, arrow: Arrow) -> Iterator[str]:
    """As many words of a letter as have room, along its arrow."""
    x1, y1, x2, y2 = _ends(drawing, arrow)
    length, turn = hypot(x2 - x1, y2 - y1), atan2(y2 - y1, x2 - x1)
    full = letter_words(arrow.message)
    for words in (full, full.partition(":")[0], full.partition(",")[0], full.partition(" ")[0]):
        width = len(words) * LETTER
        if width > length - 26:
            continue
        for part in (0.5, 0.36, 0.64):
            x, y = x1 + (x2 - x1) * part, y1 + (y2 - y1) * part
            reach = min(part, 1 - part) * length
            steps = [(step / 12 - 0.5) * width for step in range(13)]
            points = [(x + cos(turn) * step, y + sin(turn) * step) for step in steps]
            if width / 2 < reach - 6 and drawing.words.take(points):
                angle = degrees(turn if abs(turn) <= pi / 2 else turn + pi)
                colour = f"fill: var(--kind{group_of(type(arrow.message))})"
                yield (
                    f'<text class="halo" transform="translate({x:.1f} {y:.1f}) rotate({angle:.1f})" y="-4" '
                    f'text-anchor="middle" style="{colour}">{escape(words)}</text>'
                )
                return


def _legend(drawing: _Drawing) -> Iterator[str]:
    """Rows that say what the colours and marks are, as far as they occur."""
    x, row = 10.0, ""
    used = sorted({group_of(type(arrow.message)) for arrow in drawing.arrows})
    entries = [
        (
            f'<path d="M0 0H22" stroke="var(--kind{group})" stroke-width="2.5"/>',
            f"{GROUPS[group].name} ({GROUPS[group].alias})",
        )
        for group in used
    ]
    kinds = {mark.kind for mark in drawing.marks} | {span.kind for span in drawing.spans}
    for kind, words in _EXPLAINED.items():
        if kind in kinds:
            shape = _line(kind, 0, 0, 22, 0) if kind == "sync" else _mark(Mark(kind, NodeId(0), 0, ""), 11, 3)
            entries.append((shape if kind != "passed" else f'<g transform="translate(0 13)">{shape}</g>', words))
    for shape, words in entries:
        width = 34 + len(words) * LETTER + 12
        if x + width > drawing.right and row:
            yield row
            x, row = 10.0, ""
        row += f'<g transform="translate({x:g} 12)">{shape}{_text("dim", 29, 4, words)}</g>'
        x += width
    yield row


_EXPLAINED: Final = {
    "wrote": "writes in its ledger",
    "sync": "sync of the ledger",
    "passed": "a decree passes",
    "power": "power cut",
    "crash": "crash",
    "boot": "start",
}


def _points(x: float, y: float, words: str) -> list[tuple[float, float]]:
    return [(x + 12 * step, y) for step in range(ceil(len(words) * LETTER / 12) + 1)]


def _line(look: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{look}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _cross(x: float, y: float, size: float) -> str:
    both = 2 * size
    return f'<path class="cross" d="M{x - size:.1f} {y - size:.1f}l{both:g} {both:g}m0 {-both:g}l{-both:g} {both:g}"/>'


def _text(look: str, x: float, y: float, words: str) -> str:
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'
