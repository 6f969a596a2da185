"""The glossary has a row for each message that members exchange."""

import importlib
import inspect
from types import ModuleType

import pytest

from tests.docs.documents import ROOT, glossary_objections
from tests.tidy.source import demand_none


def messages_of(module: ModuleType) -> list[str]:
    """The message classes that a module exports: in ``__all__``, or else public and made in it."""
    exported = getattr(module, "__all__", None)
    return [
        name
        for name, thing in vars(module).items()
        if inspect.isclass(thing)
        and (name in exported if exported is not None else not name.startswith("_"))
        and thing.__module__ == module.__name__
    ]


def test_every_message_has_its_row() -> None:
    if not (ROOT / "src/paxon/core/messages.py").exists():
        pytest.skip("paxon.core.messages is not there")
    names = messages_of(importlib.import_module("paxon.core.messages"))
    assert "NextBallot" in names
    demand_none(glossary_objections(names, (ROOT / "docs/glossary.md").read_text(encoding="utf-8")))


def test_messages_are_the_classes_made_in_the_module() -> None:
    module = ModuleType("made_up")
    exec("from fractions import Fraction\nclass A: ...\nclass _B: ...\nC = A | int\nd = A()\n", vars(module))  # noqa: S102
    assert messages_of(module) == ["A"]
    vars(module)["__all__"] = ["_B"]
    assert messages_of(module) == ["_B"]


def test_a_missing_row_is_found() -> None:
    text = "`Voted` and `Late`\n\n| paper | core |\n|---|---|\n| voting | `Voted`, `Success(slot)` |\n"
    assert not list(glossary_objections(["Voted", "Success"], text))
    assert len(list(glossary_objections(["Late", "Vote"], text))) == 2
