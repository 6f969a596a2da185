"""Things that never appear in the source, and the one thing that tests do not do: sleep."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tests.tidy.source import Finding, SourceFile, dotted_names, full_name

# Each of these can run whatever its input says.
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
UNSAFE_NAMES = {"eval", "exec", "builtins.eval", "builtins.exec", "yaml.load"}

SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep"}

# Test files that may sleep, each with its reason.  A file that no longer sleeps must leave the list.
MAY_SLEEP: dict[str, str] = {}

_FIXME = re.compile(r"\b(FIXME|XXX)\b")
_TODO = re.compile(r"\bTODO\b(?!\(#[0-9]+\))")


def assert_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Bare asserts: ``python -O`` drops them, and with them the check."""
    for file in files:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Assert):
                yield Finding(file.path, node.lineno, "bare assert; use paxon.errors.check(condition, claim)")


def note_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Notes in comments and docstrings: those that never merge, and those without an issue, as ``TODO(#12)``."""
    for file in files:
        for line, text in _prose(file):
            if _FIXME.search(text):
                yield Finding(file.path, line, "FIXME never merges: fix it")
            if _TODO.search(text):
                yield Finding(file.path, line, "a TODO names its issue, as TODO(#12)")


def unsafe_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Ways to turn bytes into running code."""
    for file in files:
        imported = dotted_names(file.tree)
        for node in ast.walk(file.tree):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Name | ast.Attribute):
                name = full_name(node, imported)
                if name in UNSAFE_NAMES:
                    yield Finding(file.path, node.lineno, f"{name} runs what its input says")
                continue
            else:
                continue
            for module in modules:
                if module.split(".")[0] in UNSAFE_MODULES or module in UNSAFE_NAMES:
                    yield Finding(file.path, node.lineno, f"{module} runs what its input says")


def sleep_findings(files: list[SourceFile], may_sleep: dict[str, str]) -> Iterator[Finding]:
    """Sleeps, and files on the list that do not sleep.  ``sleep(0)`` only lets others run and is no wait."""
    sleeping = set()
    for file in files:
        for line, name in _sleeps(file):
            sleeping.add(file.path)
            if file.path not in may_sleep:
                yield Finding(
                    file.path,
                    line,
                    f"{name} is no way to wait: wait for the thing itself with a limit, or drive the clock by hand",
                )
    for path in sorted(set(may_sleep) - sleeping):
        yield Finding(path, 1, "does not sleep: take it off MAY_SLEEP in tests/tidy/habits.py")


def _sleeps(file: SourceFile) -> Iterator[tuple[int, str]]:
    imported = dotted_names(file.tree)
    for node in ast.walk(file.tree):
        if not isinstance(node, ast.Call):
            continue
        name = full_name(node.func, imported)
        yields_only = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if name in SLEEPS and not yields_only:
            yield node.lineno, name


def _prose(file: SourceFile) -> Iterator[tuple[int, str]]:
    """The comments and docstrings of a file."""
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(file.tree):
        # Any text that stands alone documents something: a module, a class, a function, or the field above it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for offset, text in enumerate(node.value.value.splitlines()):
                yield node.lineno + offset, text
