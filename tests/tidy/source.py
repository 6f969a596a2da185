"""The repository's Python files, parsed once, for the checks beside this file."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SourceFile:
    """One Python file: its path from the root and its text.  Snippets in tests are made directly."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text, self.path)

    @property
    def in_package(self) -> tuple[str, ...]:
        """The path below ``src/paxon``, as ``("core", "ledger.py")``; empty for files elsewhere."""
        parts = tuple(self.path.split("/"))
        return parts[2:] if parts[:2] == ("src", "paxon") else ()


@dataclass(frozen=True)
class Finding:
    """One thing that is not tidy, printed as a line that an editor can jump to."""

    path: str
    line: int
    claim: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.claim}"


def python_files(directory: str) -> list[SourceFile]:
    """Every Python file below ``directory`` (a path from the root), in a fixed order."""
    paths = sorted((ROOT / directory).rglob("*.py"))
    return [SourceFile(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def listed(findings: Iterable[Finding]) -> str:
    """All findings, one a line.  Empty if there is none."""
    return "\n".join(str(finding) for finding in findings)


def demand_none(findings: Iterable[object]) -> None:
    """Fail the running test with all findings, one a line, if there is any."""
    lines = [str(finding) for finding in findings]
    if lines:
        pytest.fail("\n".join(["", *lines]), pytrace=False)


def dotted_names(tree: ast.Module) -> dict[str, str]:
    """What each imported name stands for: ``{"sleep": "asyncio.sleep", "t": "time"}``."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`; `import a.b as c` binds `c` to `a.b`.
                bound = alias.name if alias.asname else alias.name.split(".")[0]
                names[alias.asname or bound] = bound
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def full_name(node: ast.expr, imported: dict[str, str]) -> str | None:
    """The dotted name that an expression refers to, through imports; ``None`` if it is no plain name."""
    if isinstance(node, ast.Name):
        return imported.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        owner = full_name(node.value, imported)
        return f"{owner}.{node.attr}" if owner else None
    return None
