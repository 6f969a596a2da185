"""The answer as a page: what was found, in words, and a picture of each part of the history.

The page is one file.  It loads nothing, runs nothing, and names nothing from outside.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from paxon.checker.check import verdict
from paxon.checker.history import InputT, OutputT
from paxon.checker.model import Model, StateT
from paxon.checker.palette import PALETTE
from paxon.checker.picture import LEGEND, STYLE, draw
from paxon.checker.result import Linearizable, NotLinearizable, Part
from paxon.checker.words import explain, part_text

DRAWN_MAX: Final = 300
"""How many operations of one part are drawn unless the caller says otherwise: about ten screens side by side."""

_PAGE_STYLE: Final = """
body { margin: 0; padding: 24px 28px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 21px; margin: 0 0 4px; } h1.good { color: var(--good); } h1.bad { color: var(--bad); }
h1.doubt { color: var(--doubt); }
.words { max-width: 60em; } .words p { margin: 8px 0 2px; } .words ul { margin: 2px 0 8px; padding-left: 22px; }
.note { color: var(--dim); margin: 2px 0; }
details { border-top: 1px solid var(--line); padding: 8px 0; }
summary { cursor: pointer; font-weight: 600; } summary .good { color: var(--good); } summary .bad { color: var(--bad); }
summary .doubt { color: var(--doubt); } summary small { font-weight: 400; color: var(--dim); }
.scroll { overflow-x: auto; }
/* A picture that is too wide begins at its right end, where the impossible operation is. */
.scroll.bad { direction: rtl; }
"""


def render(
    parts: Sequence[Part[InputT, OutputT, StateT]],
    model: Model[InputT, OutputT, StateT],
    *,
    title: str = "History",
    drawn_max: int = DRAWN_MAX,
) -> str:
    """An HTML page about the ``parts`` that ``check_parts`` returned.

    At most ``drawn_max`` operations of each part are drawn: those that lead to the impossible
    one and a few after it, or the first.  Parts that are not linearizable come first and are open; the first part is
    open in any case.
    """
    result = verdict(parts)
    kind = _kind(result)
    words = "\n".join(_paragraphs(explain(result, model)))
    ordered = sorted(parts, key=lambda part: _RANK[_kind(part.result)])
    sections = "\n".join(
        _section(part, model, drawn_max, is_open=not number or _kind(part.result) == "bad")
        for number, part in enumerate(ordered)
    )
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{escape(title)}: {_HEADING[kind]}</title><style>{PALETTE}{_PAGE_STYLE}{STYLE}</style></head><body>
<h1 class="{kind}">{escape(title)}: {_HEADING[kind]}</h1>
<div class="words">{words}</div>
{LEGEND}
{sections}
</body></html>
"""


_HEADING: Final = {"good": "linearizable", "bad": "not linearizable", "doubt": "no answer"}
_RANK: Final = {"bad": 0, "doubt": 1, "good": 2}


def _kind(result: object) -> str:
    if isinstance(result, Linearizable):
        return "good"
    return "bad" if isinstance(result, NotLinearizable) else "doubt"


def _paragraphs(lines: Sequence[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith("- ") != inside:
            yield "</ul>" if inside else "<ul>"
            inside = not inside
        yield f"<li>{escape(line[2:])}</li>" if inside else f"<p>{escape(line)}</p>"
    if inside:
        yield "</ul>"


def _section(
    part: Part[InputT, OutputT, StateT], model: Model[InputT, OutputT, StateT], drawn_max: int, *, is_open: bool
) -> str:
    kind = _kind(part.result)
    picture, drawn = draw(part, model, drawn_max)
    few = f'<p class="note">{drawn:,} of {len(part.history):,} operations are drawn.</p>'
    return f"""<details{" open" if is_open else ""}>
<summary>{escape(part_text(part.key))}: <span class="{kind}">{_HEADING[kind]}</span>
<small>{len(part.history):,} operations, {part.result.steps:,} steps</small></summary>
{few if drawn < len(part.history) else ""}<div class="scroll {kind}">{picture}</div></details>"""
