"""Typed calls at one member of a simulated cluster, in the words of a real one: ``submit`` and ``read``."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar, cast

from paxon.rsm.contract import Context, StateMachine
from paxon.rsm.objects import Signature, question
from paxon.sim.guard.typed import outcome_in
from paxon.testing.requests import Pending

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")

TIMEOUT_S = 5.0
"""How long a member has for a request, in virtual seconds: several elections."""


class Begin(Protocol):
    """How bytes are submitted."""

    def __call__(self, command: bytes, at: int | None, timeout: float, read: Callable[[bytes], R], /) -> Pending[R]:
        """Submit ``command``, and have ``read`` make of its result what the caller gets."""


class Query(Protocol):
    """How bytes are asked."""

    def __call__(self, question: bytes, at: int | None, timeout: float, stale: bool, /) -> bytes:
        """The answer."""


class MemberView:
    """One member of a simulated cluster, made by ``cluster[2]``."""

    def __init__(
        self,
        signature: Signature,
        begin: Begin,
        query: Query,
        at: int | None,
        timeout: float = TIMEOUT_S,
        stale: bool = False,
    ) -> None:
        self._signature = signature
        self._begin = begin
        self._query = query
        self._at = at
        self._timeout = timeout
        self._stale = stale

    def submit(self, command: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """Have a typed command decided and applied, and return its result.  Virtual time passes meanwhile.

        Raises:
            Rejected: the command's own refusal, of its own class.
            Unreachable: if this member is down or paused. Not applied.
            ApplyFailed: if the command raised something else.
            OutcomeUnknown: if nobody can tell in time whether it was applied.
            RequestError: if it was refused. Not applied.
            ContractError, TypeError: if the call makes no sense; nothing was submitted.
        """
        return self.begin(command, *arguments, **named).result()

    def begin(
        self, command: Callable[Concatenate[M, Context, P], R], /, *arguments: P.args, **named: P.kwargs
    ) -> Pending[R]:
        """As ``submit``, without waiting: time stands still until something else lets it pass.

        Raises:
            Unreachable: if this member is down or paused. Not applied.
            ContractError, TypeError: if the call makes no sense; nothing was submitted.
        """
        spelling = self._signature.spelling(command, is_command=True)
        call = spelling.call(*arguments, **named)
        return self._begin(call, self._at, self._timeout, lambda result: cast(R, outcome_in(spelling, result)))

    def read(self, query: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """Ask a typed query.  It sees every command that was acknowledged before, unless ``stale``.

        Raises:
            Rejected: the query's own refusal.
            Unreachable: if this member is down or paused.
            ApplyFailed: if the query raised something else.
            RequestError: if the member cannot be sure in time to see all.
            ContractError, TypeError: if the call makes no sense; nothing was asked.
        """
        call, read = question(self._signature, query, *arguments, **named)
        return read(self._query(call, self._at, self._timeout, self._stale))

    def within(self, timeout: float) -> "MemberView":
        """The same member with ``timeout`` virtual seconds for each call."""
        return MemberView(self._signature, self._begin, self._query, self._at, timeout, self._stale)

    def stale(self) -> "MemberView":
        """The same member with reads that see only what it knows itself."""
        return MemberView(self._signature, self._begin, self._query, self._at, self._timeout, True)
