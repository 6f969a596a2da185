"""docs/plays.md has every word of the language, every play, and a line for every erratum and gap."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from paxon.sim.play import BROKEN, Stage, run_play
from tests.docs.documents import ROOT, first_cells, sections
from tests.docs.test_protocol import name_objections
from tests.tidy.source import demand_none

PAGE = ROOT / "docs/plays.md"

PLAYS = ROOT / "tests/plays"

IDS = [*(f"E{number}" for number in range(1, 11)), *(f"G{number}" for number in range(1, 25))]

_PLAY = re.compile(r"`(\w+\.play)`")

_NOT_YET = re.compile(r"(does|do) not apply yet: needs \w+")


def rows_of(heading: str) -> list[str]:
    """The rows of the table under a heading."""
    body = sections(PAGE.read_text(encoding="utf-8"))[heading]
    return [line for line in body.splitlines() if line.startswith("| ") and not line.startswith(("| Id ", "| Word "))]


def id_objections(rows: list[str], plays: Path = PLAYS) -> Iterator[str]:
    """Ids without a row or with several, rows that show nothing, and plays that do not say which id they are about."""
    found = [row.split("|")[1].strip() for row in rows]
    for name in IDS:
        if found.count(name) != 1:
            yield f"{name}: {found.count(name)} rows"
    for name, row in zip(found, rows, strict=True):
        shown = row.split("|")[3]
        if not (_PLAY.search(shown) or re.search(r"`tests/[\w/]+\.py", shown) or _NOT_YET.search(shown)):
            yield f"{name}: names no play, no test and nothing that it waits for"
        for play in _PLAY.findall(shown):
            path = plays / play
            if not path.is_file():
                yield f"{name}: there is no {play}"
            elif not re.search(rf"\b{name}\b", path.read_text(encoding="utf-8")):
                yield f"{name}: {play} does not mention it"


def test_every_word_of_the_language_is_in_the_table() -> None:
    cells = first_cells(sections(PAGE.read_text(encoding="utf-8"))["The words"])
    assert sorted(cell.strip("`").split()[0] for cell in cells) == sorted(Stage.words())


@pytest.mark.parametrize("row", rows_of("The words"), ids=lambda row: row.split("`")[1].split()[0])
def test_the_form_in_the_table_is_understood(row: str) -> None:
    """Whether it makes sense where it stands is another matter: only a form that is no stage direction raises."""
    direction = row.split("`")[1].replace("LETTERS", "Voted 2->1 slot 3").replace("LINE", "2 presides")
    text = direction if direction.startswith("members") else f"members 3\n{direction}"
    assert run_play(f"{text}\n").startswith(text)


def test_the_example_is_what_happens() -> None:
    (example,) = re.findall(r"^```\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert run_play(example) == example
    assert BROKEN not in example


def test_every_erratum_and_every_gap_has_its_play_or_test_or_waits_for_something() -> None:
    demand_none(id_objections(rows_of("Errata and gaps")))


def test_what_the_page_names_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    demand_none(name_objections("docs/plays.md", text))
    named = set(_PLAY.findall(text))
    assert {path.name for path in PLAYS.glob("*.play")} == named


def test_a_play_named_after_an_id_is_about_it() -> None:
    for path in PLAYS.glob("*.play"):
        if found := re.match(r"([eg]\d+)_", path.name):
            heading = path.read_text(encoding="utf-8").partition("members")[0]
            assert heading.startswith(f"# {found[1].upper()}"), path.name


@pytest.mark.parametrize(
    ("row", "objection"),
    [
        ("| E1 | a | `gone.play` |", "E1: there is no gone.play"),
        ("| E1 | a | does not apply |", "E1: names no play, no test and nothing that it waits for"),
        ("| E1 | a | `e4_what_a_decree_costs.play` |", "E1: e4_what_a_decree_costs.play does not mention it"),
        ("| E11 | a | does not apply yet: needs leases |", "E1: 0 rows"),
    ],
)
def test_a_row_that_shows_nothing_is_found(row: str, objection: str) -> None:
    rows = [row, *(f"| {name} | a | does not apply yet: needs leases |" for name in IDS[1:])]
    assert objection in list(id_objections(rows))
