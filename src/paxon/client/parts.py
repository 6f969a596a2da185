"""Which replicated classes a cluster has, by part, and the calls of their methods in bytes.

Knows: classes and their signatures.  Does not know: how a call travels.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, ParamSpec, TypeVar

from paxon.errors import ContractError
from paxon.rsm.assembly import head_for
from paxon.rsm.calls import Spelling
from paxon.rsm.contract import StateMachine
from paxon.rsm.objects import Signature, wrong_kind

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")

Machines = Iterable[type[StateMachine]] | Mapping[str, type[StateMachine]]

RESERVED: Final = "paxon."
"""Names of parts that begin like this are Paxon's own."""


class Parts:
    """The classes of a cluster, by part."""

    def __init__(self, machines: Machines) -> None:
        """Without names of their own, parts are named after their classes.

        Raises:
            ContractError: if a class cannot be replicated, or two parts have one name.
        """
        named = list(machines.items()) if isinstance(machines, Mapping) else [(one.__name__, one) for one in machines]
        self.kinds: dict[str, type[StateMachine]] = {}
        self._found: dict[Callable[..., Any], list[PartMethod]] = {}
        for name, kind in named:
            if not (isinstance(kind, type) and issubclass(kind, StateMachine)):
                raise ContractError(f"{kind!r} is no class of state machines: derive it from paxon.StateMachine")
            if name in self.kinds:
                raise ContractError(f"two parts are named {name!r}: name them, as in {{'one': {kind.__name__}, ...}}")
            self.kinds[name] = kind
            signature = Signature(kind)
            for spelling in signature.spellings:
                self._found.setdefault(spelling.method.function, []).append(PartMethod(name, spelling))
        self._only = {function: found[0] for function, found in self._found.items() if len(found) == 1}

    def part_of(self, method: Callable[..., Any]) -> str:
        """The one part that has this command or query.

        Raises:
            ContractError: if none or several have it.
        """
        return self._find(method).part

    def part_named(self, kind: type[StateMachine]) -> str:
        """The one part of this class.

        Raises:
            ContractError: if none or several are.
        """
        parts = [name for name, one in self.kinds.items() if one is kind]
        if len(parts) != 1:
            raise ContractError(f"{kind.__name__} is the class of {len(parts)} parts here, where it should be of one")
        return parts[0]

    def _find(self, function: Callable[..., Any]) -> "PartMethod":
        only = self._only.get(function)
        if only is not None:
            return only
        found = self._found.get(function, [])
        name = getattr(function, "__qualname__", repr(function))
        if not found:
            known = ", ".join(kind.__name__ for part, kind in self.kinds.items() if not part.startswith(RESERVED))
            raise ContractError(f"{name} is no command or query of the classes given here ({known or 'none'})")
        parts = ", ".join(one.part for one in found)
        raise ContractError(f"{name} belongs to several parts ({parts}): derive a class for each")

    def command(self, function: Callable[..., Any]) -> "PartMethod":
        """The one command that ``function`` is.

        Raises:
            ContractError: if it is none, or one of several parts.
        """
        found = self._find(function)
        if not found.is_command:
            raise wrong_kind(found.spelling, found.part)
        return found

    def query(self, function: Callable[..., Any]) -> "PartMethod":
        """The one query that ``function`` is.

        Raises:
            ContractError: if it is none, or one of several parts.
        """
        found = self._find(function)
        if found.is_command:
            raise wrong_kind(found.spelling, found.part)
        return found


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
