"""Core keeps to the paper's words, and nothing is abbreviated."""

import pytest

from tests.tidy.names import abbreviation_findings, industry_findings, words_of
from tests.tidy.source import SourceFile, demand_none, listed, python_files


def test_core_uses_the_papers_words() -> None:
    demand_none(industry_findings(python_files("src/paxon")))


def test_no_name_is_abbreviated() -> None:
    demand_none(abbreviation_findings(python_files("src/paxon")))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("next_ballot", ("next", "ballot")),
        ("NextBallot", ("next", "ballot")),
        ("_HTTPServer2", ("http", "server", "2")),
        ("__init__", ("init",)),
        ("MAX_MSG", ("max", "msg")),
    ],
)
def test_a_name_falls_into_its_words(name: str, words: tuple[str, ...]) -> None:
    assert words_of(name) == words


@pytest.mark.parametrize(
    "text",
    [
        "prepare = 1",
        "def accept(): ...",
        "async def accepted(): ...",
        "class AppendEntries: ...",
        "self.commit()",
        "def f(candidate): ...",
        "f(follower=1)",
        "committed_until: int",
        "import raft",
        "from x import y as entry",
        "match x:\n    case nack: ...",
        "match x:\n    case [*entries]: ...",
        "try: ...\nexcept E as nack: ...",
        "log_index += 1",
        "send_promise_msg()",
    ],
)
def test_an_industry_word_in_core_is_found(text: str) -> None:
    assert listed(industry_findings([SourceFile("src/paxon/core/a.py", text)]))
    assert not listed(industry_findings([SourceFile("src/paxon/node/a.py", text)]))


def test_an_industry_word_as_a_file_name_is_found() -> None:
    assert listed(industry_findings([SourceFile("src/paxon/core/candidate.py", "")]))


@pytest.mark.parametrize(
    "text",
    [
        '"""Prepare: the industry calls this accept."""',
        "# commit the entry",
        "promised = leader = acceptable = True",
        "text = 'entries'",
    ],
)
def test_text_and_other_words_are_let_be(text: str) -> None:
    assert not listed(industry_findings([SourceFile("src/paxon/core/a.py", text)]))


@pytest.mark.parametrize(
    "text",
    [
        "bal = 1",
        "def handle_msg(): ...",
        "def f(cfg): ...",
        "class Req: ...",
        "self.idx = 1",
        "for resp in x: ...",
        "nextBal: int",
        "lambda msg: 1",
    ],
)
def test_an_abbreviation_is_found(text: str) -> None:
    assert listed(abbreviation_findings([SourceFile("src/paxon/cli/a.py", text)]))


@pytest.mark.parametrize(
    "text",
    ["ballot = message = index = request = response = 1", "print(error.msg)", "f(msg=1)", "balance = required = 2"],
)
def test_whole_words_and_foreign_names_are_let_be(text: str) -> None:
    assert not listed(abbreviation_findings([SourceFile("src/paxon/cli/a.py", text)]))
