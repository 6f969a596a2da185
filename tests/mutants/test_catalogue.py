"""The catalogue is whole: every mutant says what it breaks, fits the shipped code, and names tests that exist."""

import ast
import sys

import pytest

from tests.mutants import page
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.tidy.source import ROOT

BREAK_RULES_THEMSELVES = ("tests/mutants/", "tests/sim/test_mutants.py", "tests/explorer/test_broken_rules.py")
"""Under a second mutant they tell nothing."""

every_mutant = pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)


def definitions(path: str) -> set[str]:
    """The tests in a file, as node ids without parameters."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    found = set()
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        owner = f"{path}::{node.name}" if isinstance(node, ast.ClassDef) else path
        found |= {f"{owner}::{test.name}" for test in inside if isinstance(test, ast.FunctionDef)}
    return found


def shipped() -> dict[str, object]:
    """What every name in the shipped code stands for."""
    modules = {name: module for name, module in sys.modules.items() if name.startswith("paxon.")}
    found: dict[str, object] = {}
    for name, module in modules.items():
        for attribute, value in vars(module).items():
            found[f"{name}.{attribute}"] = value
            if isinstance(value, type) and value.__module__ == name:
                found |= {f"{name}.{attribute}.{member}": thing for member, thing in vars(value).items()}
    return found


def test_there_are_many() -> None:
    assert len(MUTANTS) >= 36


@every_mutant
def test_a_mutant_says_what_it_breaks_and_where_the_rule_is_from(mutant: Mutant) -> None:
    assert mutant.broken.endswith(".")
    assert mutant.source


@every_mutant
def test_a_mutant_names_killers_that_exist(mutant: Mutant) -> None:
    assert mutant.killers
    for killer in mutant.killers:
        path = killer.partition("::")[0]
        assert killer.partition("[")[0] in definitions(path)
        assert not killer.startswith(BREAK_RULES_THEMSELVES)


@every_mutant
def test_a_mutant_fits_the_shipped_code_and_leaves_it_as_it_was(mutant: Mutant) -> None:
    before = shipped()
    with pytest.MonkeyPatch.context() as monkeypatch:
        mutant.apply(monkeypatch)
    after = shipped()
    assert before.keys() == after.keys()
    assert [name for name, value in after.items() if value is not before[name]] == []


def test_the_page_has_the_whole_catalogue() -> None:
    text = page.PATH.read_text(encoding="utf-8")
    assert page.catalogue() in text, "out of date: python -m tests.mutants --write"
