"""docs/api: what the docstrings of everything public say, as pages.  ``python -m tests.docs.api`` writes them."""

import ast
import enum
import importlib
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator
from functools import cache, cached_property
from typing import Any, TypeVar

from msgspec import Struct

from paxon.collections import STANDARD
from tests.docs.documents import ROOT

PAGES = ROOT / "docs" / "api"

INTRODUCTIONS = {
    "paxon": "The library: members, outside clients, the contract of replicated classes, and every error of a call.",
    "paxon.sync": "The same for programs without an event loop.",
    "paxon.collections": "The ready-made structures, by the classes that `submit` and `read` take methods of.",
    "paxon.testing": "For the tests of your own classes: real clusters in one process, and simulated ones.",
}

_ERRORS = re.compile(r"^([A-Z]\w+(?:, [A-Z]\w+)*):")
"""What a line under *Raises* begins with."""

HEAD = """\
# `{name}`

{introduction} Made from the docstrings by `python -m tests.docs.api`; a test keeps it true.

"""


def public(page: str) -> dict[str, Any]:
    """What a page is about, by name."""
    module = importlib.import_module(page)
    if page == "paxon.collections":
        return {kind.__name__: kind for kind in sorted(STANDARD.values(), key=lambda kind: kind.__name__)}
    found = {name: getattr(module, name) for name in module.__all__}
    return {name: thing for name, thing in found.items() if not name.startswith("_") and not inspect.ismodule(thing)}


def text_of(page: str) -> str:
    """A whole page.  Behind what is public come the classes that it takes and gives."""
    named = public(page)
    elsewhere = {thing for other in INTRODUCTIONS if other != page for thing in public(other).values()}
    parts = [HEAD.format(name=page, introduction=INTRODUCTIONS[page])]
    is_by_place = page == "paxon.collections"
    parts += [_entry(_place(thing) if is_by_place else f"{page}.{name}", thing) for name, thing in named.items()]
    reached = _reached(list(named.values()), elsewhere)
    if reached:
        parts.append("## What these take and give\n\n")
        parts += [_entry(_place(thing), thing, level=3) for thing in reached]
    return "".join(parts).rstrip() + "\n"


def _place(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _reached(known: list[Any], elsewhere: set[Any]) -> list[type]:
    """Paxon's classes in the annotations of what is known, and in theirs, sorted."""
    found: dict[str, type] = {}
    waiting = list(known)
    while waiting:
        for kind in _classes_in(waiting.pop()):
            if kind not in known and kind not in elsewhere and _place(kind) not in found:
                found[_place(kind)] = kind
                waiting.append(kind)
    return [found[place] for place in sorted(found, key=lambda place: place.rpartition(".")[2])]


def _classes_in(thing: Any) -> Iterator[type]:
    functions = [thing] if not isinstance(thing, type) else [value for _, value in _members(thing)]
    annotations: list[Any] = []
    for function in functions:
        is_property = isinstance(function, property)
        plain = function.fget if is_property else inspect.unwrap(getattr(function, "__func__", function))
        annotations += _hints(plain).values()
    if isinstance(thing, type) and issubclass(thing, Struct):
        annotations += _hints(thing).values()
    for annotation in annotations:
        yield from _classes_of(annotation)


def _classes_of(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, TypeVar):
        return
    is_ours = isinstance(annotation, type) and annotation.__module__.startswith("paxon.")
    if is_ours and not annotation.__name__.startswith("_"):
        yield annotation
    for argument in typing.get_args(annotation):
        for one in argument if isinstance(argument, list) else [argument]:
            yield from _classes_of(one)


def _hints(thing: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(thing)
    except (NameError, TypeError):
        return {}


def _members(kind: type) -> list[tuple[str, Any]]:
    """The public methods and properties of a class, with those of bases that are not public themselves."""
    own: dict[str, Any] = {}
    told = {above for base in kind.__mro__[1:] if _is_public(base) for above in base.__mro__}
    for base in kind.__mro__:
        if base.__module__.partition(".")[0] != "paxon" or base in told:
            continue
        for name, value in vars(base).items():
            shown = isinstance(value, types.FunctionType | property | classmethod | staticmethod | cached_property)
            if shown and not name.startswith("_") and getattr(value, "__doc__", None):
                own.setdefault(name, value)
    if "__getitem__" in vars(kind):
        own["__getitem__"] = vars(kind)["__getitem__"]
    return list(own.items())


@cache
def _everything_public() -> frozenset[Any]:
    return frozenset(thing for page in INTRODUCTIONS for thing in public(page).values())


def _is_public(kind: type) -> bool:
    return kind in _everything_public()


def _entry(name: str, thing: Any, level: int = 2) -> str:
    """One class or function."""
    lines = [f"{'#' * level} `{name}`", ""]
    if not isinstance(thing, type):
        lines += [f"```python\n{_signature(name.rpartition('.')[2], thing)}\n```", "", _prose(thing.__doc__), ""]
        return "\n".join(lines) + "\n"
    bases = [base for base in thing.__bases__ if base.__module__.startswith("paxon.") and _is_public(base)]
    if bases:
        lines += [f"With everything of {', '.join(f'`{base.__name__}`' for base in bases)}.", ""]
    if thing.__doc__ and not thing.__doc__.startswith(f"{thing.__name__}("):
        lines += [_prose(thing.__doc__), ""]
    maker = vars(thing).get("__init__")
    if isinstance(maker, types.FunctionType) and maker.__doc__ and _is_made_by_users(thing, maker):
        lines += [f"```python\n{_signature(thing.__name__, maker)}\n```", "", _prose(maker.__doc__), ""]
    lines += _fields(thing)
    for attribute, value in _members(thing):
        lines += [f"**{attribute}**", "", *_described(attribute, value)]
    return "\n".join(lines) + "\n"


def _is_made_by_users(kind: type, maker: types.FunctionType) -> bool:
    """Whether it is public, and so is everything that it is made of."""
    needed = {one for annotation in _hints(maker).values() for one in _classes_of(annotation)}
    return needed | {kind} <= _everything_public()


def _described(name: str, value: Any) -> list[str]:
    if isinstance(value, property | cached_property):
        getter = value.fget if isinstance(value, property) else value.func
        kind = _spelled(_annotations(getter).get("return", ""))
        return [f"```python\n{name}: {kind}\n```", "", _prose(value.__doc__), ""]
    function = inspect.unwrap(getattr(value, "__func__", value))
    return [f"```python\n{_signature(name, function)}\n```", "", _prose(value.__doc__), ""]


def _fields(kind: type) -> list[str]:
    """The fields of a record, and the members of an enumeration, with what is said of each."""
    if issubclass(kind, enum.Enum):
        return [*(f"- `{one.name}`" for one in kind), ""]
    if not issubclass(kind, Struct):
        return []
    said = _field_docstrings(kind)
    lines = []
    for name, annotation in _annotations(kind).items():
        if not name.startswith("_") and "ClassVar" not in _spelled(annotation):
            lines.append(f"- `{name}: {_spelled(annotation)}`" + (f": {said[name]}" if name in said else ""))
    return [*lines, ""] if lines else []


def _field_docstrings(kind: type) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    said = {}
    for node, after in zip(body.body, body.body[1:], strict=False):
        match node, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                said[name] = " ".join(text.replace("``", "`").split())
    return said


def _annotations(thing: Any) -> dict[str, Any]:
    return inspect.get_annotations(thing)


def _signature(name: str, function: Any) -> str:
    """As it is written, without the body, on as many lines as it takes."""
    function = inspect.unwrap(function)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = list(_arguments(tree.args))
    returns = f" -> {ast.unparse(tree.returns)}" if tree.returns is not None and name != tree.name.title() else ""
    head = "async def" if isinstance(tree, ast.AsyncFunctionDef) else "def"
    if tree.name == "__init__":
        head, returns = "class", ""
    if any("contextmanager" in ast.unparse(one) for one in tree.decorator_list):
        inner = re.sub(r"^ -> (Async)?(Iterator|Generator)\[(.*?)(, None, None)?\]$", r" as \3", returns)
        head, returns = "async with" if "asynccontextmanager" in ast.unparse(tree.decorator_list[-1]) else "with", inner
    one_line = f"{head} {name}({', '.join(arguments)}){returns}"
    if len(one_line) <= 110:
        return one_line
    return f"{head} {name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){returns}"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    """Each argument with its annotation and default; ``self`` and ``cls`` are left out."""
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(positional) - len(arguments.defaults)) + arguments.defaults
    for argument, default in zip(positional, defaults, strict=True):
        if argument.arg not in ("self", "cls"):
            yield _argument(argument, default)
    if arguments.vararg is not None:
        yield f"*{_argument(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg is not None:
        yield f"**{_argument(arguments.kwarg, None)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    typed = argument.arg + (f": {ast.unparse(argument.annotation)}" if argument.annotation is not None else "")
    if default is None:
        return typed
    return f"{typed} = {ast.unparse(default)}" if argument.annotation is not None else f"{typed}={ast.unparse(default)}"


def _spelled(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z_])", "", str(annotation))


def _prose(docstring: str | None) -> str:
    """A docstring as Markdown: programs in fences, errors as a list."""
    paragraphs = re.split(r"\n[ \t]*\n", inspect.cleandoc(docstring or ""))
    shown: list[str] = []
    for paragraph in paragraphs:
        if _is_program(paragraph):
            program = textwrap.dedent(paragraph)
            if shown and shown[-1].startswith("```python"):
                shown[-1] = shown[-1].removesuffix("\n```") + f"\n\n{program}\n```"
            else:
                shown.append(f"```python\n{program}\n```")
        elif paragraph.lstrip().startswith("Raises:"):
            errors = re.split(r"\n    (?=\S)", paragraph.lstrip())[1:]
            items = [_ERRORS.sub(_coded, " ".join(error.replace("``", "`").split())) for error in errors]
            shown.append("Raises:\n\n" + "\n".join(f"- {item}" for item in items))
        else:
            shown.append(paragraph.replace("``", "`").replace("::", ":"))
    return "\n\n".join(shown)


def _coded(match: re.Match[str]) -> str:
    return ", ".join(f"`{name}`" for name in match[1].split(", ")) + ":"


def _is_program(paragraph: str) -> bool:
    body = textwrap.dedent(paragraph)
    if "(" not in body:
        return False
    try:
        ast.parse(body if not body.rstrip().endswith(":") else body + " ...")
    except SyntaxError:
        return False
    return True


def main() -> None:
    """Write the pages."""
    PAGES.mkdir(exist_ok=True)
    for page in INTRODUCTIONS:
        (PAGES / f"{page}.md").write_text(text_of(page), encoding="utf-8")


if __name__ == "__main__":
    main()
