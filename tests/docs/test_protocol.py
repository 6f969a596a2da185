"""The documents on the protocol name modules, classes, functions and tests that exist."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import paxon
from tests.docs.documents import ROOT, glossary_objections
from tests.docs.test_glossary import messages_of
from tests.tidy.source import demand_none

DOCUMENTS = (
    "docs/architecture.md",
    "docs/protocol.md",
    "docs/glossary.md",
    "docs/proof.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs/decisions").glob("*.md")),
)

PACKAGES = {module.name for module in pkgutil.iter_modules(paxon.__path__)}

_CODED = re.compile(r"`([^`\n]+)`")
_TEST = re.compile(r"tests/[\w/]+\.py(?:::(\w+))?\Z")
_DOTTED = re.compile(r"[a-z_]\w*(?:\.\w+)+\Z")


def named_in(text: str) -> Iterator[tuple[int, str]]:
    """What stands in code type, with its line."""
    for number, line in enumerate(text.splitlines(), 1):
        for name in _CODED.findall(line):
            yield number, name


@cache
def functions_in(path: Path) -> frozenset[str]:
    """The functions and classes of a file, methods included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@cache
def exists(dotted: str) -> bool:
    """Whether ``core.voter.Voter.on_next_ballot`` is a module of Paxon, or something in one."""
    parts = dotted.split(".")
    for known in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module("paxon." + ".".join(parts[:known]))
        except ModuleNotFoundError:
            continue
        for name in parts[known:]:
            thing = getattr(thing, name, None)
        return thing is not None
    return False


def name_objections(document: str, text: str, root: Path = ROOT) -> Iterator[str]:
    """Names in code type that look like ours and lead nowhere."""
    for number, name in named_in(text):
        where = f"{document}:{number}"
        if test := _TEST.match(name):
            path = root / name.partition("::")[0]
            if not path.is_file():
                yield f"{where}: there is no {path.relative_to(root)}"
            elif test[1] is not None and test[1] not in functions_in(path):
                yield f"{where}: {path.relative_to(root)} has no {test[1]}"
        elif _DOTTED.match(name) and name.split(".")[0] in PACKAGES and not exists(name):
            yield f"{where}: paxon.{name} does not exist"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_the_documents_name_exists(document: str) -> None:
    demand_none(name_objections(document, (ROOT / document).read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "module",
    ["core.decree", "core.effects", "core.ledger", "core.messages", "core.roster", "core.slip", "node.letters"],
)
def test_the_glossary_has_every_value_of_the_protocol(module: str) -> None:
    names = messages_of(importlib.import_module(f"paxon.{module}"))
    assert names
    demand_none(glossary_objections(names, (ROOT / "docs/glossary.md").read_text(encoding="utf-8")))


def test_every_row_of_the_protocol_names_code_or_a_test() -> None:
    """Each section of the paper that has a row says where it is and what holds it."""
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| Section")]
    assert len(rows) > 20
    for row in rows:
        *_, code, tests, _ = row.split("|")
        assert _CODED.search(code), row
        assert any(_TEST.match(name) for name in _CODED.findall(tests)), row


@pytest.mark.parametrize(
    "text",
    [
        "`core.voter.Voter.gone`",
        "`core.gone`",
        "see `core.gone.Voter`, `errors.check`",
        "`tests/docs/gone.py`",
        "`tests/docs/test_protocol.py::gone`",
    ],
)
def test_a_name_that_leads_nowhere_is_found(text: str) -> None:
    assert [line.split(": ")[0] for line in name_objections("a.md", f"# A\n\n{text}\n")] == ["a.md:3"]


@pytest.mark.parametrize(
    "text",
    [
        "`core.voter.Voter.on_next_ballot`",
        "`errors.check`",
        "`core`",
        "`core.roster.ROSTER_LAG`",
        "`tests/docs/test_protocol.py`",
        "`tests/docs/test_protocol.py::test_a_name_that_leads_nowhere_is_found`",
        "`pyproject.toml`, `timing.presence_ms`, `x.y`",
        "core.gone without code type",
    ],
)
def test_a_name_that_leads_somewhere_is_let_be(text: str) -> None:
    assert not list(name_objections("a.md", text))
