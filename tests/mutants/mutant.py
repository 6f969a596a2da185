"""What a mutant is: one rule of the shipped code, broken as narrowly as that can be done, and who notices.

Knows: how code is replaced, and whether the replacement ran and made sense.  Does not know: any rule.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from inspect import isfunction
from types import FunctionType, ModuleType
from typing import Any

import pytest

ACCIDENTS = (ImportError, AttributeError, NameError, TypeError, RecursionError)
"""What code raises that was written carelessly.  No shipped rule shows in one of these, so none of them kills."""


class Unbreakable(Exception):
    """There is nothing where a mutant wants to replace something, or what it brings is what is there already."""


class Patch:
    """The hands of a mutant.  Everything it replaces comes back when the ``MonkeyPatch`` is undone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.replacements = 0
        self.calls = 0
        """How often a replaced function ran."""
        self.accidents: list[str] = []
        """Errors of replaced functions themselves.  Shipped code may catch them, so the test need not show them."""

    def replace(self, owner: type | ModuleType, name: str, new: Any) -> None:
        """Put ``new`` in the place of what ``owner`` itself defines as ``name``.

        A function named in the module that defines it is replaced in every module that imported it by name, too.

        Raises:
            Unbreakable: if there is no such thing, or it would not change.
        """
        if name not in vars(owner):
            raise Unbreakable(f"{owner.__name__} has no {name} of its own")
        old = vars(owner)[name]
        if old is new:
            raise Unbreakable(f"{owner.__name__}.{name} would stay what it is")
        replacement = self._watched(new)
        self._monkeypatch.setattr(owner, name, replacement)
        if isinstance(owner, ModuleType) and getattr(old, "__module__", None) == owner.__name__:
            for module, alias in _imports_of(old):
                self._monkeypatch.setattr(module, alias, replacement)
        self.replacements += 1

    def replace_body(self, function: Callable[..., Any], new: Callable[..., Any]) -> None:
        """Give ``function`` the code of ``new``, for functions that are held where no name is looked up.

        ``new`` may use its arguments and the globals of ``function`` only, and cannot be watched.

        Raises:
            Unbreakable: if one of them is no function written in Python.
        """
        if not (isfunction(function) and isfunction(new)):
            raise Unbreakable(f"only a function has a body, and {function} or {new} is none")
        self._monkeypatch.setattr(function, "__code__", new.__code__)
        self.replacements += 1

    def _watched(self, new: Any) -> Any:
        if isinstance(new, staticmethod):
            return staticmethod(self._watched(new.__func__))
        if isinstance(new, property):
            return property(self._watched(new.fget))
        if not isfunction(new):
            return new

        @functools.wraps(new)
        def watched(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            try:
                return new(*arguments, **named)
            except ACCIDENTS as error:
                if _is_raised_in(error, new):
                    self.accidents.append(f"{type(error).__name__}: {error}")
                raise

        return watched


def _imports_of(thing: object) -> list[tuple[ModuleType, str]]:
    """Where among the code and its tests a thing is known by a name."""
    return [
        (module, alias)
        for name, module in list(sys.modules.items())
        # The mutants themselves hold on to what they replace, in order to call it.
        if name.startswith(("paxon.", "tests.")) and not name.startswith("tests.mutants.")
        for alias, value in list(vars(module).items())
        if value is thing
    ]


def _is_raised_in(error: BaseException, function: FunctionType) -> bool:
    """Whether ``error`` comes from the mutant's own file, or from calling it in a way that it does not allow."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename in (__file__, function.__code__.co_filename)


Break = Callable[[Patch], None]


@dataclass(frozen=True)
class Mutant:
    """One broken rule."""

    name: str
    area: str
    """Which part of the code it breaks: the module of the catalogue it stands in."""
    broken: str
    """What goes wrong, in one sentence."""
    source: str
    """Where the rule comes from: a section of the paper, an invariant, a decision, a document."""
    killers: tuple[str, ...]
    """The cheapest test that notices, by its pytest node id; each of them if there are several."""
    damage: Break

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> Patch:
        """Break the rule until ``monkeypatch`` is undone.

        Raises:
            Unbreakable: if the shipped code has not what is to be replaced, or nothing would change.
        """
        patch = Patch(monkeypatch)
        self.damage(patch)
        if not patch.replacements:
            raise Unbreakable(f"{self.name} replaces nothing")
        return patch


def mutant(source: str, *killers: str) -> Callable[[Break], Mutant]:
    """Make a mutant of the function that does the damage; its docstring says what is broken."""

    def made(damage: Break) -> Mutant:
        if not damage.__doc__:
            raise Unbreakable(f"{damage.__name__} does not say what it breaks")
        broken = " ".join(damage.__doc__.split())
        return Mutant(damage.__name__, damage.__module__.rpartition(".")[2], broken, source, killers, damage)

    return made
