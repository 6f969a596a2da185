"""Which replicated classes a cluster has, by part, and the calls of their methods in bytes.

Knows: classes and their signatures.  Does not know: how a call travels.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from msgspec import Struct

from paxon.errors import ContractError
from paxon.rsm.assembly import PartCall, Question, encode
from paxon.rsm.contract import Ability, Context, Method, StateMachine
from paxon.rsm.objects import Signature

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
            for method in signature.methods:
                self._found.setdefault(method.function, []).append(_Found(name, signature, method))

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
        found = self._found.get(function, [])
        if len(found) == 1:
            return found[0]
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
            raise ContractError(f"{found.method} of {found.part} changes nothing: read it, and do not submit it")
        body = found.signature.encode_call(found.method, *arguments, **named)
        return Prepared(found.part, encode(PartCall(found.part, body)), found.read, found.method.ability)

    def query(self, method: Callable[Concatenate[M, P], R], *arguments: P.args, **named: P.kwargs) -> Prepared:
        """A query, ready to be asked.

        Raises:
            ContractError: if ``method`` is no query of one part.
            TypeError: if the arguments do not fit it.
        """
        found = self._find(method)
        if found.method.is_command:
            raise ContractError(f"{found.method} of {found.part} changes the state: submit it, and do not read it")
        body = found.signature.encode_call(found.method, *arguments, **named)
        return Prepared(found.part, encode(Question(found.part, body)), found.read, found.method.ability)


class _Found:
    """One method, where it was found."""

    def __init__(self, part: str, signature: Signature, method: Method) -> None:
        self.part = part
        self.signature = signature
        self.method = method
        self.read = partial(signature.decode_reply, method)
