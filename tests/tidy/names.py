"""Words that may not be part of a name.

A name is looked at word by word: ``next_bal``, ``NextBal`` and ``bal`` all hold the word *bal*.
Text is free: comments and docstrings may say what a thing is called elsewhere.
"""

import ast
import re
from collections.abc import Iterator

from tests.tidy.source import Finding, SourceFile

# Core speaks as the paper's appendix does; each of these is the industry's word for something that has a name there.
INDUSTRY_WORDS = (
    "prepare",
    "promise_msg",
    "accept",
    "accepted",
    "commit",
    "committed",
    "follower",
    "candidate",
    "nack",
    "log_index",
    "entry",
    "entries",
    "append_entries",
    "raft",
)

ABBREVIATIONS = ("bal", "msg", "cfg", "idx", "req", "resp")

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def words_of(name: str) -> tuple[str, ...]:
    """``words_of("nextBal_2")`` is ``("next", "bal", "2")``."""
    return tuple(word.lower() for word in _WORD.findall(name))


def names_in(tree: ast.Module, *, only_given_here: bool) -> Iterator[tuple[str, int]]:
    """Every name in the code with its line.

    With ``only_given_here``, attributes that are merely read and keywords of calls are left
    out: those names were chosen by whoever wrote the thing that is used, maybe outside Paxon.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name):
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=context):
                if not only_given_here or not isinstance(context, ast.Load):
                    yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name):
                yield name, node.lineno
            case ast.keyword(arg=str(name)):
                if not only_given_here:
                    yield name, node.value.lineno
            case ast.alias(name=name, asname=bound):
                if bound:
                    yield bound, node.lineno
                elif not only_given_here:
                    yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case _:
                pass


def industry_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Names in core that hold one of the industry's words."""
    inside = [file for file in files if file.in_package[:1] == ("core",)]
    yield from _findings(inside, INDUSTRY_WORDS, "the industry's word; core uses the paper's", only_given_here=False)


def abbreviation_findings(files: list[SourceFile]) -> Iterator[Finding]:
    """Names given in the source that hold an abbreviation."""
    yield from _findings(files, ABBREVIATIONS, "an abbreviation; write the word out", only_given_here=True)


def _findings(
    files: list[SourceFile], banned: tuple[str, ...], objection: str, *, only_given_here: bool
) -> Iterator[Finding]:
    for file in files:
        stem = file.path.rsplit("/", 1)[-1].removesuffix(".py")
        for name, line in [(stem, 1), *names_in(file.tree, only_given_here=only_given_here)]:
            padded = f"_{'_'.join(words_of(name))}_"
            for word in banned:
                if f"_{word}_" in padded:
                    yield Finding(file.path, line, f"{name!r} holds {word!r}, {objection}")
