"""Length limits that only move down.

``ratchet.json`` holds the longest file and the longest function of each package, in lines,
rounded up to the next step, so that a small edit does not touch the record.  Growing past
the record fails; so does a record that reality no longer needs.  Above the ceiling, each
file or function is listed by itself, exactly, without a step.

A function's own docstring is not counted: an action that states when it is enabled and
what it does must not have to trade that text for code.

Run ``python tests/tidy/ratchet.py --write`` to tighten; raising anything also needs
``--allow-growth``, and the difference shows in review.
"""

import argparse
import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).with_name("ratchet.json")

KINDS = ("file", "function")

# Shorter than this is nobody's worry: a young package grows freely up to here.
COMFORT = {"file": 300, "function": 40}

# Longer than this is listed by itself.
CEILING = {"file": 600, "function": 60}

STEP = {"file": 50, "function": 5}


@dataclass(frozen=True)
class Length:
    """How long one file or function is.  ``where`` is a path, or ``path::Class.function``."""

    where: str
    package: str
    kind: str
    lines: int


@dataclass
class Record:
    """What ``ratchet.json`` says: limits by package and kind, and lengths of what is over the ceiling."""

    packages: dict[str, dict[str, int]] = field(default_factory=dict)
    overruns: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "Record":
        """The record on disk."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(content["packages"], content["overruns"])

    def dump(self) -> str:
        """The record as text, in a fixed order so that differences are small."""
        return json.dumps({"packages": self.packages, "overruns": self.overruns}, indent=2, sort_keys=True) + "\n"

    def limit(self, package: str, kind: str) -> int:
        """The longest that anything of a package may be.  A package without a record has the comfort limit."""
        return self.packages.get(package, {}).get(kind, COMFORT[kind])


def lengths_of(path: str, text: str) -> Iterator[Length]:
    """The length of a file and of each function in it, methods and inner functions too."""
    parts = path.split("/")
    package = parts[2] if len(parts) > 3 else "."
    yield Length(path, package, "file", len(text.splitlines()))
    for name, node in _functions(ast.parse(text, path), ""):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        first = node.body[0]
        if ast.get_docstring(node, clean=False) is not None:
            lines -= (first.end_lineno or first.lineno) - first.lineno + 1
        yield Length(f"{path}::{name}", package, "function", lines)


def lengths_in(root: Path) -> list[Length]:
    """The lengths of everything in the package's source."""
    return [
        length
        for path in sorted((root / "src/paxon").rglob("*.py"))
        for length in lengths_of(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    ]


def objections(lengths: list[Length], record: Record) -> Iterator[str]:
    """Where reality and the record differ, in words."""
    tight = tightest(lengths)
    for length in lengths:
        if length.where in record.overruns:
            continue
        limit = min(record.limit(length.package, length.kind), CEILING[length.kind])
        if length.lines > limit:
            yield f"{length.where}: {length.lines} lines, and {limit} is the limit; split it by reason to change"
    found = {length.where: length.lines for length in lengths}
    for where, recorded in sorted(record.overruns.items()):
        if where not in tight.overruns:
            yield f"{where}: no longer over the ceiling; the ratchet can be tightened"
        elif found[where] > recorded:
            yield f"{where}: {found[where]} lines, grown from {recorded}; split it by reason to change"
        elif found[where] < recorded:
            yield f"{where}: {found[where]} lines, recorded as {recorded}; the ratchet can be tightened"
    for package, limits in sorted(record.packages.items()):
        for kind, recorded in sorted(limits.items()):
            if recorded > tight.limit(package, kind):
                yield (
                    f"{package}: the longest {kind} needs {tight.limit(package, kind)}, recorded as {recorded}; "
                    "the ratchet can be tightened"
                )


def tightest(lengths: list[Length]) -> Record:
    """The smallest record that reality fits in."""
    record = Record()
    for length in lengths:
        if length.lines > CEILING[length.kind]:
            record.overruns[length.where] = length.lines
            continue
        step = STEP[length.kind]
        needed = -(-length.lines // step) * step
        if needed > record.limit(length.package, length.kind):
            record.packages.setdefault(length.package, {})[length.kind] = needed
    return record


def growth(old: Record, new: Record) -> Iterator[str]:
    """What ``new`` allows that ``old`` does not."""
    for package, limits in sorted(new.packages.items()):
        for kind, needed in sorted(limits.items()):
            if needed > old.limit(package, kind):
                yield f"{package}: longest {kind} from {old.limit(package, kind)} to {needed}"
    for where, lines in sorted(new.overruns.items()):
        if lines > old.overruns.get(where, 0):
            yield f"{where}: {lines} lines, over the ceiling"


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
            yield from _functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)


def main(arguments: list[str]) -> int:
    """Check the record, or write it.  Returns the exit code."""
    parser = argparse.ArgumentParser(description="Check or tighten the limits on the length of files and functions.")
    parser.add_argument("--write", action="store_true", help="write the smallest record that reality fits in")
    parser.add_argument("--allow-growth", action="store_true", help="with --write: raise limits too")
    options = parser.parse_args(arguments)
    lengths = lengths_in(ROOT)
    record = Record.load(RECORD) if RECORD.exists() else Record()
    if not options.write:
        found = list(objections(lengths, record))
        print("\n".join(found) if found else "tight")
        return 1 if found else 0
    wanted = tightest(lengths)
    grown = list(growth(record, wanted))
    if grown and not options.allow_growth:
        print("\n".join(["not written: this would raise limits; shorten, or add --allow-growth", *grown]))
        return 1
    RECORD.write_text(wanted.dump(), encoding="utf-8")
    print("\n".join(grown) if grown else "written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
