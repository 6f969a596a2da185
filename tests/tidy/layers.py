"""Which package may import which, read from the source's own imports.

An import counts wherever it stands: in a function, under ``TYPE_CHECKING``, or as a literal
given to ``import_module``.  A layer that holds only at run time does not hold in a reader's head.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from tests.tidy.source import Finding, SourceFile, dotted_names, full_name

LAYERS = {
    "core": 0,
    "checker": 1,
    "codec": 1,
    "rsm": 1,
    "collections": 2,
    "kv": 2,
    "storage": 2,
    "net": 2,
    "node": 3,
    "sim": 4,
    "client": 4,
    "server": 4,
    "dashboard": 4,
    "cli": 5,
    "testing": 5,
}

# Modules below every layer: anything may import them, they import nothing of Paxon, and they are as pure as core.
GROUND = {"errors", "version"}

# The package itself, `python -m paxon` and `paxon.sync` stand above every layer; nothing in a layer may import them.
ROOF = {"__init__", "__main__", "sync"}

# Lower packages that a package must not know all the same.
STRANGERS = {
    "checker": {"core"},  # histories may come from anything, not only from Paxon
    "kv": {"core"},  # a key-value store does not know that Paxos exists
    "node": {"kv"},  # a node replicates commands, not keys and values
}

PURE = {"checker", "core", "codec", "rsm", "collections", "kv"}

# Programs in pure packages, run with `python -m`: they read files and print, and nothing may import them.
PROGRAMS = {"checker.__main__"}

FOREIGN_IN_PURE = {
    "checker": {"msgspec"},
    "core": {"msgspec"},
    "codec": {"msgspec", "google_crc32c"},
    "rsm": {"msgspec"},
    "collections": {"msgspec"},
    "kv": {"msgspec", "sortedcontainers"},
}

# Whatever reads a clock, draws lots, touches the outside, runs something beside us, or differs between processes.
_IMPURE_MODULES = """
    _thread asyncio atexit builtins calendar concurrent contextvars ctypes datetime dbm faulthandler fcntl
    fileinput ftplib gc getpass glob http imaplib importlib inspect io linecache locale logging mmap
    multiprocessing os pathlib pickle pkgutil platform poplib pty pwd queue random readline resource runpy sched
    secrets select selectors shelve shutil signal smtplib socket socketserver sqlite3 ssl subprocess sys syslog
    tempfile termios threading time tracemalloc tty urllib uuid warnings weakref webbrowser xmlrpc zipfile
    zoneinfo
"""
IMPURE_MODULES = set(_IMPURE_MODULES.split())

# Single modules that may import one of these all the same, each with its reason.  Who needs it no more leaves the list.
ADMITTED = {
    # Looks classes of records up among the modules that the program imported, and does nothing else with them.
    "rsm.classes": {"sys"},
}

# `hash` of text differs from process to process, `id` from run to run.
IMPURE_CALLS = {"open", "print", "input", "breakpoint", "hash", "id", "__import__"}


@dataclass(frozen=True)
class Import:
    """One imported module, with the line that asks for it."""

    module: str
    line: int


def imports_of(file: SourceFile) -> Iterator[Import]:
    """Every module that ``file`` imports.  ``from paxon import kv`` counts as ``paxon.kv``."""
    package = ["paxon", *file.in_package[:-1]]
    names = dotted_names(file.tree)
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package[: len(package) - node.level + 1], *([base] if base else [])])
            for alias in node.names:
                yield Import(f"{base}.{alias.name}" if base == "paxon" else base, node.lineno)
        elif (
            isinstance(node, ast.Call)
            and full_name(node.func, names) == "importlib.import_module"
            and node.args
            and isinstance(node.args[0], ast.Constant)
        ):
            yield Import(str(node.args[0].value), node.lineno)


def layer_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Imports that do not point strictly down, and packages or modules that have no place in the table."""
    for file in files:
        owner, is_package = _owner(file)
        known = owner in LAYERS if is_package else owner in GROUND | ROOF
        if not known:
            yield Finding(file.path, 1, f"{owner!r} has no layer in tests/tidy/layers.py")
            continue
        if owner in ROOF and not is_package:
            continue
        for imported in imports_of(file):
            claim = _objection(owner, imported.module)
            if claim:
                yield Finding(file.path, imported.line, claim)


def purity_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Imports and calls by which time, chance or the outside would get into the pure zone."""
    for file in files:
        owner, is_package = _owner(file)
        module = ".".join(file.in_package).removesuffix(".py")
        if owner not in (PURE if is_package else GROUND) or module in PROGRAMS:
            continue
        admitted = ADMITTED.get(module, set())
        for unused in sorted(admitted - {imported.module for imported in imports_of(file)}):
            yield Finding(
                file.path, 1, f"{module} does not import {unused}: take it off ADMITTED in tests/tidy/layers.py"
            )
        for imported in imports_of(file):
            top = imported.module.split(".")[0]
            if top == "paxon":
                continue
            if top in IMPURE_MODULES - admitted:
                yield Finding(file.path, imported.line, f"{owner} is pure and may not import {top}")
            elif top not in sys.stdlib_module_names and top not in FOREIGN_IN_PURE.get(owner, set()):
                yield Finding(file.path, imported.line, f"{owner} is pure and may not stand on {top}")
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_CALLS:
                yield Finding(file.path, node.lineno, f"{owner} is pure and may not call {node.func.id}()")


def _owner(file: SourceFile) -> tuple[str, bool]:
    """The package a file belongs to, or the top-level module that it is; and whether it is in a package."""
    inside = file.in_package
    return (inside[0], True) if len(inside) > 1 else (inside[0].removesuffix(".py"), False)


def _objection(owner: str, module: str) -> str | None:
    """Why ``owner`` may not import ``module``, or ``None`` if it may."""
    top, _, rest = module.partition(".")
    if top != "paxon":
        return None
    target = rest.split(".")[0]
    if rest in PROGRAMS:
        return f"{module} is a program, and nothing imports it"
    if owner in GROUND:
        return f"{owner} is below every layer and imports nothing of Paxon, not {module}"
    if target == owner or target in GROUND:
        return None
    if target not in LAYERS:
        return f"import from the package that has it, not from paxon itself ({module})"
    if LAYERS[target] >= LAYERS[owner]:
        return f"{owner} (layer {LAYERS[owner]}) may not import {target} (layer {LAYERS[target]})"
    if target in STRANGERS.get(owner, set()):
        return f"{owner} may not know {target}"
    return None
