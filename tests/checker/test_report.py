"""Words, layout and page: complete, inside their bounds, and nothing from outside."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from paxon.checker import History, NotLinearizable, Operation, OutOfBudget, check_history, check_parts
from paxon.checker.counter import Add, Counter, Total
from paxon.checker.key_value import Found, Get, KeyValue, Put, Written
from paxon.checker.layout import LEFT, Bar, lay_out, points
from paxon.checker.model import Done, Got, Read, Write
from paxon.checker.register import Register
from paxon.checker.report import render
from paxon.checker.words import explain
from tests.checker.histories import SUBJECTS, Clients, generate, request, spoil

STALE: History[Any, Any] = History(
    (
        request("a", 0, Put("k", "<1>"), 1, Written(1)),
        request("a", 2, Put("k", "2"), 3, Written(2)),
        request("b", 4, Get("k"), 5, Found("<1>", 1)),
        request("c", 4, Put("k", "3")),
        request("d", 0, Get("other"), 9, Found(None, 0)),
    )
)


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects what stands between them."""

    EMPTY = frozenset(("meta", "rect", "line", "circle", "path"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.styles: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "class"]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.styles += [value or "" for name, value in attrs if name == "class"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def pictures(page: str) -> Page:
    """The part of the page below the legend."""
    return Page(page[page.index("<details") : page.index("</body>")])


def test_a_stale_read_in_words() -> None:
    lines = explain(check_history(STALE, KeyValue()), KeyValue())
    assert lines[0] == "Not linearizable: key k."
    assert lines[1].startswith("The first impossible operation is b: get k → <1> (v1), called at 4, returned at 5.")
    assert "- b: get k → <1> (v1) (called at 4, returned at 5): it would answer 2 (v2)." in lines
    assert (
        "- It would fit right after number 1 (a: put k=<1> → written (v1)), but number 2 (a: put k=2 → written (v2)) "
        "comes after that and returned at 3, before b called at 4."
    ) in lines
    assert lines[2].startswith("Way 1 of 2: 2 operations can be put in order, these: ")
    assert any(line.startswith("Way 2 of 2: ") and "c: put k=3 → ?" in line for line in lines)


@pytest.mark.parametrize(
    ("operations", "claim"),
    [
        ([], "Linearizable: an order of 0 operations explains everything."),
        ([request("a", 0, Write(1), 1, Done())], "Linearizable: an order of 1 operation explains everything."),
        ([request("a", 0, Read(), 1, Got(1))], "Nothing can come first. The state is: nothing."),
        ([request("a", 0, Read(), 1, Got(1))], "At no place in this order would a get that answer."),
    ],
)
def test_short_stories_in_words(operations: list[Operation[Any, Any]], claim: str) -> None:
    lines = explain(check_history(History(tuple(operations)), Register()), Register())
    assert any(claim in line for line in lines)


def test_an_operation_may_fit_where_others_then_do_not() -> None:
    operations = (
        request("a", 0, Add(), 9, Total(1)),
        request("b", 0, Add(), 10, Total(1)),
    )
    lines = explain(check_history(History(operations), Counter()), Counter())
    assert "- It would fit at the very first, but then what comes after it fits no longer." in lines


def test_a_long_list_is_cut() -> None:
    reads = tuple(request(f"p{number}", 0, Read(), 9, Got(number)) for number in range(20))
    assert "- and 14 more." in explain(check_history(History(reads), Register()), Register())


def test_no_answer_in_words() -> None:
    result = check_history(STALE, KeyValue(), steps_max=1)
    assert isinstance(result, OutOfBudget)
    assert explain(result, KeyValue())[0].startswith("No answer: the search of key k was given up after 1 step,")


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_page_is_well_formed_and_shows_every_operation(name: str) -> None:
    subject = SUBJECTS[name]
    for seed in range(4):
        history = generate(subject, Random(seed), 25, Clients(processes=4))
        for drawn in (history, spoil(history, Random(seed))):
            parts = check_parts(drawn, subject.model, steps_max=20_000)
            text = render(parts, subject.model, title="<a & b>")
            page = Page(text)
            assert "<a & b>: " in "".join(page.words)
            assert "script" not in page.tags
            assert not re.search(r"https?://|@import|url\(", text)
            shown = pictures(text)
            drawn_count = shown.tags.count("title")
            noted = re.findall(r"([\d,]+) of ([\d,]+) operations are drawn", text)
            assert drawn_count == len(drawn) - sum(int(all_) - int(few) for few, all_ in noted)


def test_the_impossible_operation_is_marked_in_the_failed_part_only() -> None:
    parts = check_parts(STALE, KeyValue())
    shown = pictures(render(parts, KeyValue()))
    assert shown.styles.count("bar impossible") == 1
    assert shown.styles.count("deadline") == 1
    words = "".join(shown.words)
    assert "✗ impossible" in words
    assert words.index("key k") < words.index("key other"), "what failed comes first"


def test_every_fate_has_its_look() -> None:
    operations = (
        request("a", 0, Write(1)),
        request("b", 1, Read(), 2, Got(1)),
        request("c", 1, Write(5)),
        request("b", 3, Read(), 4, Got(7)),
        request("d", 3, Read(), 9, Got(8)),
        request("b", 11, Read(), 12, Got(1)),
    )
    parts = check_parts(History(operations), Register())
    assert isinstance(parts[0].result, NotLinearizable)
    styles = pictures(render(parts, Register())).styles
    for kind in ("placed", "guessed", "left", "impossible", "stuck", "later"):
        assert styles.count(f"bar {kind}") == 1, kind


def test_a_long_failed_history_shows_its_end() -> None:
    operations = [request("a", time, Write(time), time + 1, Done()) for time in range(0, 2_000, 2)]
    operations.insert(500, request("b", 1_000, Read(), 1_001, Got(7)))
    parts = check_parts(History(tuple(operations)), Register())
    text = render(parts, Register(), drawn_max=50)
    assert "50 of 1,001 operations are drawn." in text
    shown = pictures(text)
    assert shown.styles.count("bar impossible") == 1
    assert shown.styles.count("bar later") < 10
    assert shown.styles.count("bar placed") > 30


def test_an_impossible_operation_that_began_long_ago_is_drawn_all_the_same() -> None:
    operations = [request("a", time, Write(time), time + 1, Done()) for time in range(0, 400, 2)]
    operations.append(request("b", 0, Read(), 300, Got(-1)))
    parts = check_parts(History(tuple(operations)), Register())
    shown = pictures(render(parts, Register(), drawn_max=20))
    assert shown.styles.count("bar impossible") == 1
    assert shown.tags.count("title") == 20


@pytest.mark.parametrize("seed", range(20))
def test_bars_have_room_and_keep_the_order_of_events(seed: int) -> None:
    random = Random(seed)
    history = generate(SUBJECTS["register"], random, 40, Clients(3, 0.3, random.choice((0, 5, 40))))
    bars = [Bar(operation, random.uniform(20, 200), stays=random.random() < 0.3) for operation in history.operations]
    for bar in bars:
        bar.stays = bar.stays and bar.operation.is_unknown
    layout = lay_out(bars)
    events = sorted(
        [(bar.operation.call, 0, bar.left) for bar in layout.bars]
        + [(bar.operation.returned, 1, bar.right) for bar in layout.bars if bar.operation.returned is not None]
    )
    places = [place for _, _, place in events]
    assert places == sorted(places)
    for bar in layout.bars:
        assert bar.left >= LEFT
        assert bar.right - bar.left >= bar.width - 1e-6
        assert bar.right <= layout.right
        first, rows = layout.lanes[bar.operation.process]
        assert first <= bar.row < first + rows
    rows_used: dict[int, list[Bar[Any, Any]]] = {}
    for bar in sorted(layout.bars, key=lambda bar: (bar.left, bar.right)):
        rows_used.setdefault(bar.row, []).append(bar)
    for row in rows_used.values():
        for one, other in pairwise(row):
            assert one.right <= other.left + 1e-6, (one, other)


@pytest.mark.parametrize("seed", range(10))
def test_marks_lie_on_their_bars_and_in_their_order(seed: int) -> None:
    history = generate(SUBJECTS["key-value"], Random(seed), 60, Clients(4, 0.1, 30))
    for part in check_parts(history, KeyValue()):
        operations = [placed.operation for placed in part.result.order]  # type: ignore[union-attr]
        bars = {operation: Bar(operation, 50, stays=operation.is_unknown) for operation in operations}
        layout = lay_out(list(bars.values()))
        places = points([bars[operation] for operation in operations], layout.right)
        assert places == sorted(places)
        for operation, place in zip(operations, places, strict=True):
            assert bars[operation].left <= place <= bars[operation].right + 1e-6


def test_processes_are_in_natural_order() -> None:
    bars = [Bar(request(name, 0, Read(), 1, Got(None)), 10) for name in ("p10", "p2", "a", "p1")]
    assert list(lay_out(bars).lanes) == ["a", "p1", "p2", "p10"]
