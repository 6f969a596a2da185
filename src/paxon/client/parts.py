"""Which replicated classes a cluster has, by part, and the calls of their methods in bytes.

Knows: classes and their signatures.  Does not know: how a call travels.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from paxon.collections import STANDARD
from paxon.errors import ContractError
from paxon.rsm.assembly import head_for
from paxon.rsm.calls import Spelling
from paxon.rsm.contract import StateMachine, inherited_from
from paxon.rsm.objects import Signature, wrong_kind

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")

RESERVED: Final = "paxon."
"""Names of parts that begin like this are Paxon's own."""


def named(
    machines: Iterable[type[StateMachine]], parts: Mapping[str, type[StateMachine]] | None
) -> dict[str, type[StateMachine]]:
    """A user's classes by part: ``machines`` under their own names, and ``parts``.

    Raises:
        ContractError: if something is no class of state machines, or a name is taken.
    """
    found: dict[str, type[StateMachine]] = {}
    for given, kind in [*((None, one) for one in machines), *(parts or {}).items()]:
        if not _is_machine(kind):
            raise ContractError(f"{kind!r} is no class of state machines: derive it from paxon.StateMachine")
        name = given or kind.__name__
        if name.startswith(RESERVED):
            raise ContractError(f"the part {name!r} has a name of Paxon's own: choose another")
        if name in found:
            raise ContractError(f"two parts are named {name!r}: name them, as in {{'one': {kind.__name__}, ...}}")
        found[name] = kind
    return found


def _is_machine(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, StateMachine)


class Parts:
    """The classes of a cluster, by part."""

    def __init__(self, own: Mapping[str, type[StateMachine]]) -> None:
        """Those of a user; those that every cluster has are there beside them.

        Raises:
            ContractError: if a class cannot be replicated.
        """
        self.kinds = {**own, **STANDARD}
        self._found: dict[Callable[..., Any], list[PartMethod]] = {}
        inherited: dict[Callable[..., Any], list[PartMethod]] = {}
        for name, kind in self.kinds.items():
            for spelling in Signature(kind).spellings:
                method = PartMethod(name, spelling)
                self._found.setdefault(spelling.method.function, []).append(method)
                for function in inherited_from(spelling.method.function):
                    inherited.setdefault(function, []).append(method)
        # A method of a class that is no part itself is that of the part that inherits it.
        self._found = inherited | self._found
        for function, found in self._found.items():
            # A user may well have a part of a ready-made class.
            self._found[function] = [one for one in found if not one.part.startswith(RESERVED)] or found
        only = {function: found[0] for function, found in self._found.items() if len(found) == 1}
        self._commands = {function: method for function, method in only.items() if method.is_command}
        self._queries = {function: method for function, method in only.items() if not method.is_command}

    def part_of(self, function: Callable[..., Any]) -> str:
        """The one part that has this command or query.

        Raises:
            ContractError: if none or several have it.
        """
        return self._find(function).part

    def part_named(self, kind: type[StateMachine]) -> str:
        """The one part of this class.

        Raises:
            ContractError: if none or several are.
        """
        parts = [name for name, one in self.kinds.items() if one is kind]
        # A user may well have a part of a ready-made class.
        parts = [name for name in parts if not name.startswith(RESERVED)] or parts
        if len(parts) != 1:
            raise ContractError(f"{kind.__name__} is the class of {len(parts)} parts here, where it should be of one")
        return parts[0]

    def _find(self, function: Callable[..., Any]) -> "PartMethod":
        found = self._found.get(function, [])
        if len(found) == 1:
            return found[0]
        name = getattr(function, "__qualname__", repr(function))
        if not found:
            known = ", ".join(kind.__name__ for part, kind in self.kinds.items() if not part.startswith(RESERVED))
            raise ContractError(f"{name} is no command or query of the classes given here ({known or 'none'})")
        parts = ", ".join(one.part for one in found)
        kinds = sorted({self.kinds[one.part].__name__ for one in found})
        remedy = (
            "derive a class for each" if len(kinds) == 1 else f"call it by the class you mean, {' or '.join(kinds)}"
        )
        raise ContractError(f"{name} belongs to several parts ({parts}): {remedy}")

    def command(self, function: Callable[..., Any]) -> "PartMethod":
        """The one command that ``function`` is.

        Raises:
            ContractError: if it is none, or one of several parts.
        """
        command = self._commands.get(function)
        if command is None:
            found = self._find(function)
            raise wrong_kind(found.spelling, found.part)
        return command

    def query(self, function: Callable[..., Any]) -> "PartMethod":
        """The one query that ``function`` is.

        Raises:
            ContractError: if it is none, or one of several parts.
        """
        query = self._queries.get(function)
        if query is None:
            found = self._find(function)
            raise wrong_kind(found.spelling, found.part)
        return query


class PartMethod:
    """One method of one part, and how its calls are spelled."""

    def __init__(self, part: str, spelling: Spelling) -> None:
        self.part = part
        self.spelling = spelling
        self.is_command = spelling.method.is_command
        self.ability = spelling.method.ability
        self.result = spelling.result
        """Reads the result in a reply; see ``Spelling.result``."""
        self._head = head_for(part)

    def call(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> bytes:
        """A call in bytes.

        Raises:
            TypeError: if the arguments do not fit the method, or are not of their types.
        """
        return self._head + self.spelling.call(*arguments, **named)
