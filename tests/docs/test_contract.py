"""docs/contract.md: everything it shows runs, and gives the errors that it shows."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.docs.documents import ROOT

TEXT = (ROOT / "docs" / "contract.md").read_text(encoding="utf-8")

BLOCK = re.compile(r"^```python( raises| runs)?\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The classes of the page as a module, which the fresh interpreters of the simulator can import as well."""
    classes = [body for kind, body, _ in BLOCK.findall(TEXT) if not kind]
    (tmp_path / "contract_page.py").write_text("\n".join(classes), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "contract_page", raising=False)
    return importlib.import_module("contract_page")


def told_by(body: str, page: ModuleType) -> str:
    """The error that a program ends with."""
    try:
        exec(body, vars(page))  # noqa: S102
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def test_what_it_shows_runs_and_fails_as_it_says(page: ModuleType) -> None:
    shown = 0
    for kind, body, error in BLOCK.findall(TEXT):
        if kind == " runs":
            exec(body, vars(page))  # noqa: S102
        elif kind == " raises":
            told = told_by(body, page)
            wanted = ".*".join(re.escape(part) for part in error.rstrip("\n").split("..."))
            assert re.match(wanted, told, re.DOTALL), f"{body}gives\n{told}"
            shown += 1
    assert shown == TEXT.count("```text\n") > 25
