"""docs/checker.md: its Python runs, its command prints what it shows, and its tables are complete."""

import re
from typing import Any

import pytest

from paxon.checker.__main__ import MODELS, _options, main
from tests.docs.documents import ROOT, first_cells, sections

TEXT = (ROOT / "docs/checker.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_its_python_runs() -> None:
    names: dict[str, Any] = {"__name__": "document"}
    for block in blocks("python"):
        exec(compile(block, "docs/checker.md", "exec"), names)  # noqa: S102
    assert "Lock" in names


def test_its_command_prints_what_it_shows(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names: dict[str, Any] = {"__name__": "document"}
    exec(compile(blocks("python")[0], "docs/checker.md", "exec"), names)  # noqa: S102
    monkeypatch.chdir(tmp_path)
    (tmp_path / "history.jsonl").write_text("".join(names["history"].dump()), encoding="utf-8")
    command, *shown = blocks("console")[0].splitlines()
    assert main(command.split()[4:]) == 1
    printed = " ".join(capsys.readouterr().out.split())
    for sentence in re.split(r"\.\.\.", " ".join(" ".join(shown).split())):
        assert sentence.strip() in printed
    assert (tmp_path / "out.html").exists()


def test_its_tables_are_complete() -> None:
    assert [cell.strip("`") for cell in first_cells(sections(TEXT)["Models"])] == list(MODELS)
    for row in MODELS.values():
        assert f"{row.__name__}`" in sections(TEXT)["Models"]
    options = {cell.strip("`").split()[0] for cell in first_cells(sections(TEXT)["Two minutes"])}
    known = {"HISTORY", *(f"--{name.replace('_', '-')}" for name in vars(_options(["x", "--model", "kv"])))}
    assert options == known - {"--history"}
    for name in MODELS:
        assert f"`{name}`" in sections(TEXT)["Two minutes"]
