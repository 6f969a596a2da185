"""What a recipe needs of the program's hold on a cluster.

Knows: the shape of ``Caller``.  Does not know: ``Caller`` itself, which offers the recipes and so imports them.
"""

from collections.abc import AsyncIterator, Callable
from typing import Concatenate, ParamSpec, Protocol, Self, TypeVar

from paxon.client.observed import Observed
from paxon.rsm.contract import Context, StateMachine

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")
E = TypeVar("E")


class Calls(Protocol):
    """Commands, queries and the change feed.  Satisfied by ``Caller``, where each method is explained."""

    @property
    def timeout(self) -> float:
        """The time limit of a call in seconds."""
        raise NotImplementedError

    async def submit(
        self, method: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs
    ) -> R:
        """See ``Caller``."""
        raise NotImplementedError

    async def read(self, method: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """See ``Caller``."""
        raise NotImplementedError

    def watch(
        self, machine: type[StateMachine], topic: str, event: type[E], *, since: int | None = None
    ) -> AsyncIterator[Observed[E]]:
        """See ``Caller``."""
        raise NotImplementedError

    def within(self, timeout: float) -> Self:
        """See ``Caller``."""
        raise NotImplementedError
