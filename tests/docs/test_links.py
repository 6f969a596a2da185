"""Every link from one document to another file leads there."""

from pathlib import Path

import pytest

from tests.docs.documents import ROOT, anchors_in, documents, link_objections, links_in
from tests.tidy.source import demand_none


def test_every_link_leads_somewhere() -> None:
    demand_none(link_objections(ROOT))


def test_the_documents_are_found() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in documents(ROOT)}
    assert {"README.md", "CONTRIBUTING.md", "docs/decisions/README.md"} <= found
    assert not [path for path in found if path.startswith(".")]


def test_the_map_has_every_page() -> None:
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "decisions"}
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.target).resolve() for link in links_in(index.read_text(encoding="utf-8"))}
    assert pages - {index} <= linked


@pytest.mark.parametrize(
    "text",
    [
        "[a](gone.md)",
        "[a](docs/gone.md#x)",
        "![a](gone.png)",
        "[a]: gone.md",
        "[a](b.md#gone)",
        "[a](#gone)",
        "[a](..)",
    ],
)
def test_a_dead_link_is_found(tmp_path: Path, text: str) -> None:
    (tmp_path / "b.md").write_text("# Heading\n", encoding="utf-8")
    (tmp_path / "a.md").write_text(f"# Top\n\n{text}\n", encoding="utf-8")
    assert [line.split(": ")[0] for line in link_objections(tmp_path)] == ["a.md:3"]


@pytest.mark.parametrize(
    "text",
    [
        "[a](b.md)",
        "[a](b.md#two-words)",
        "[a](#top)",
        "[a](https://example.org/x)",
        "[a](mailto:someone@example.org)",
        "`[a](gone.md)`",
        "```\n[a](gone.md)\n```",
        "[a](inner/)",
    ],
)
def test_a_good_link_is_let_be(tmp_path: Path, text: str) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "b.md").write_text("## Two `words`!\n", encoding="utf-8")
    (tmp_path / "a.md").write_text(f"# Top\n\n{text}\n", encoding="utf-8")
    assert not list(link_objections(tmp_path))


def test_links_know_their_line_past_a_code_block() -> None:
    assert [link.line for link in links_in("```\n\n```\n\n[a](b.md)")] == [5]


def test_equal_headings_get_numbers() -> None:
    assert anchors_in("# A b\n# A b\n```\n# no\n```\n") == {"a-b", "a-b-1"}
