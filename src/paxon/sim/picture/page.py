"""A recording as a page: one file that loads nothing, in which one walks through the run.

Knows: what of a recording the page's script needs, and how to write it small.  Does not know:
where anything is drawn; that is ``page.js``.
"""

import hashlib
from base64 import b64encode
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from paxon.checker.palette import PALETTE
from paxon.core.decree import NodeId
from paxon.sim.picture.look import GROUPS, colours, group_of
from paxon.sim.recording import MARKS, SPANS, Arrow, Recording, Span
from paxon.sim.strikes import Strike
from paxon.sim.words import letter_words

REQUEST_ROWS: Final = 4
"""Requests at one member that overlap are drawn below each other, in this many rows at most."""


class Caption(Struct, frozen=True):
    """What the picture is of."""

    title: str
    members: Sequence[NodeId]
    notes: Sequence[str] = ()
    claim: str = ""
    """The rule that broke at the last moment of the recording; empty if none did."""
    strikes: Sequence[Strike] = ()
    is_to_scale: bool = True
    """Whether time is virtual time.  In a play most things happen in the same millisecond: there, moments count."""


def render(recording: Recording, caption: Caption) -> str:
    """The page."""
    here = Path(__file__)
    script = here.with_name("page.js").read_text(encoding="utf-8")
    style = PALETTE + colours() + here.with_name("page.css").read_text(encoding="utf-8")
    # A browser runs and obeys exactly what is written here, whatever a story might contain.
    policy = f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}"
    data = msgspec.json.encode(_data(recording, caption)).decode().replace("<", "\\u003c")
    verdict = f'<p class="claim">{escape(caption.claim)}</p>' if caption.claim else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(caption.title)}</title><style>{style}</style></head><body>
<header><h1>{escape(caption.title)}</h1>
{verdict}<p class="note">{escape(" · ".join(caption.notes))}</p></header>
{_BODY}
<script type="application/json" id="run">{data}</script>
<script>{script}</script>
</body></html>
"""


_BODY: Final = """<canvas id="overview" aria-hidden="true"></canvas>
<div class="bar">
<button id="play" title="space">Play</button>
<input id="scrubber" type="range" min="0" max="1000" step="any" value="0" aria-label="Time">
<output id="clock" for="scrubber"></output>
<span class="buttons"><button id="back" title="left arrow" aria-label="Back">&#9664;</button>
<button id="forth" title="right arrow" aria-label="Forth">&#9654;</button>
<button id="out" title="-" aria-label="Show more time">&minus;</button>
<button id="in" title="+" aria-label="Show less time">+</button>
<button id="all" title="0">Whole run</button><button id="broken" title="b">Broken rule</button></span>
</div>
<canvas id="stage" tabindex="0" role="img" aria-label="Members as lines, letters as arrows; the list below has the same
in words"></canvas>
<div class="columns">
<section><h2>Selected</h2><div id="selected" aria-live="polite"></div>
<h2>Letters <small>tick what to draw</small></h2><div id="kinds" class="filters"></div>
<h2>Members</h2><div id="members" class="filters"></div>
<h2>Marks</h2><ul id="legend"></ul>
<p class="note">Drag or use the arrow keys to move, the wheel or + and &minus; to zoom, space to play, a click to read.
Add #1203 to the address to open at 1,203.</p></section>
<section><h2>In this window <small id="count"></small></h2><ol id="list"></ol></section>
</div>"""


def _digest(text: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(recording: Recording, caption: Caption) -> dict[str, Any]:
    """What ``page.js`` reads; its head says what each list holds."""
    texts: dict[str, int] = {}

    def text(words: str) -> int:
        return texts.setdefault(words, len(texts))

    def row(arrow: Arrow) -> list[int | None]:
        told = text(letter_words(arrow.message)), text(f"{arrow.fate}, a copy" if arrow.is_copy else arrow.fate)
        return [group_of(type(arrow.message)), arrow.sender, arrow.to, arrow.sent, arrow.ended, *told]

    rows = dict(request_rows(recording.spans))
    kinds, marks = list(SPANS), list(MARKS)
    spans = [
        [kinds.index(span.kind), span.member, span.began, span.ended, text(span.words), rows.get(number, 0)]
        for number, span in enumerate(recording.spans)
    ]
    return {
        "claim": caption.claim,
        "members": list(caption.members),
        "isToScale": caption.is_to_scale,
        "groups": [[group.name, group.alias, group.is_shown] for group in GROUPS],
        "markKinds": list(MARKS.items()),
        "spanKinds": list(SPANS.items()),
        "moments": recording.moments,
        "arrows": [row(arrow) for arrow in sorted(recording.arrows, key=lambda arrow: arrow.sent)],
        "spans": spans,
        "marks": [[marks.index(mark.kind), mark.member, mark.moment, text(mark.words)] for mark in recording.marks],
        "strikes": [
            [min(bisect_left(recording.moments, strike.at_ms), recording.now), strike.fault, strike.what, strike.at_ms]
            for strike in caption.strikes
        ],
        "texts": list(texts),
    }


def request_rows(spans: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """A row for each request, by its place in ``spans``: the first that is free, or else the one that soonest is."""
    free_from: dict[NodeId, list[float]] = {}
    for number, span in enumerate(spans):
        if span.kind in ("done", "failed"):
            rows = free_from.setdefault(span.member, [-1.0] * REQUEST_ROWS)
            row = next((row for row, free in enumerate(rows) if free < span.began), rows.index(min(rows)))
            rows[row] = float("inf") if span.ended is None else span.ended
            yield number, row
