"""Which replicated classes a cluster has, by part, and the calls of their methods in bytes.

Knows: classes and their signatures.  Does not know: how a call travels.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from msgspec import Struct

from paxon.errors import ContractError
from paxon.rsm.assembly import head_for
from paxon.rsm.calls import Spelling
from paxon.rsm.contract import Ability, Context, StateMachine
from paxon.rsm.objects import Signature, wrong_kind

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")

Machines = Iterable[type[StateMachine]] | Mapping[str, type[StateMachine]]

RESERVED: Final = "paxon."
"""Names of parts that begin like this are Paxon's own."""


class Prepared(Struct, frozen=True):
    """One call in bytes, and how to read its reply."""

    part: str
    body: bytes
    read: Callable[[bytes], Any]
    ability: Ability


class Parts:
    """The classes of a cluster, by part."""

    def __init__(self, machines: Machines) -> None:
        """Without names of their own, parts are named after their classes.

        Raises:
            ContractError: if a class cannot be replicated, or two parts have one name.
        """
        named = list(machines.items()) if isinstance(machines, Mapping) else [(one.__name__, one) for one in machines]
        self.kinds: dict[str, type[StateMachine]] = {}
        self._found: dict[Callable[..., Any], list[_Found]] = {}
        for name, kind in named:
            if not (isinstance(kind, type) and issubclass(kind, StateMachine)):
                raise ContractError(f"{kind!r} is no class of state machines: derive it from paxon.StateMachine")
            if name in self.kinds:
                raise ContractError(f"two parts are named {name!r}: name them, as in {{'one': {kind.__name__}, ...}}")
            self.kinds[name] = kind
            signature = Signature(kind)
            for spelling in signature.spellings:
                self._found.setdefault(spelling.method.function, []).append(_Found(name, spelling))
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

    def _find(self, function: Callable[..., Any]) -> "_Found":
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

    def command(
        self, method: Callable[Concatenate[M, Context, P], R], *arguments: P.args, **named: P.kwargs
    ) -> Prepared:
        """A command, ready to be submitted.

        Raises:
            ContractError: if ``method`` is no command of one part.
            TypeError: if the arguments do not fit it.
        """
        found = self._find(method)
        if not found.method.is_command:
            raise wrong_kind(found.spelling, found.part)
        return Prepared(found.part, found.spell(*arguments, **named), found.read, found.method.ability)

    def query(self, method: Callable[Concatenate[M, P], R], *arguments: P.args, **named: P.kwargs) -> Prepared:
        """A query, ready to be asked.

        Raises:
            ContractError: if ``method`` is no query of one part.
            TypeError: if the arguments do not fit it.
        """
        found = self._find(method)
        if found.method.is_command:
            raise wrong_kind(found.spelling, found.part)
        return Prepared(found.part, found.spell(*arguments, **named), found.read, found.method.ability)


class _Found:
    """One method, where it was found."""

    def __init__(self, part: str, spelling: Spelling) -> None:
        self.part = part
        self.spelling = spelling
        self.method = spelling.method
        self.read = spelling.result
        self._head = head_for(part)

    def spell(self, *arguments: Any, **named: Any) -> bytes:
        """A call for this part.

        Raises:
            TypeError: if the arguments do not fit the method, or are not of their types.
        """
        return self._head + self.spelling.call(*arguments, **named)
