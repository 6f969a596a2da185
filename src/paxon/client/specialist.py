"""An area of the state that one member reads alone (section 3.3.4 of the paper, the third kind of inquiry).

Knows: for how long the member is the specialist, and what it does when it may not be any more.  Does not know: how
the others wait for it; ``paxon.node.hold_back`` does.
"""

from collections.abc import Callable
from typing import Concatenate, Generic, ParamSpec, TypeVar

from paxon.client.recipes.calls import Calls
from paxon.client.recipes.seats import Hold
from paxon.errors import ContractError, RequestError
from paxon.rsm.contract import StateMachine

M = TypeVar("M", bound=StateMachine)
P = ParamSpec("P")
R = TypeVar("R")


class AreaHold(Generic[M]):
    """What a specialist has for as long as its block lasts.

    Invariant: this member's state has applied the appointment, and whatever came before it.
    """

    def __init__(
        self, part: str, hold: Hold, own: Calls, whole: Calls, part_of: Callable[[Callable[..., object]], str]
    ) -> None:
        """``own`` reads the state of this member as it is, and ``whole`` the latest state there is."""
        self.part = part
        self.token = hold.token
        self._hold = hold
        self._own = own
        self._whole = whole
        self._part_of = part_of
        self._is_over = False

    @property
    def is_valid(self) -> bool:
        """Whether this member is certainly the specialist at this moment, by this process's own clock."""
        return not self._is_over and self._hold.is_valid

    async def read(self, method: Callable[Concatenate[M, P], R], /, *arguments: P.args, **named: P.kwargs) -> R:
        """Ask a query of the area, as ``Caller.read`` does, at once and from this member's own state.

        While the term is not certain, and after the block, it is an ordinary linearizable read.

        Raises:
            Rejected: the query's own refusal.
            ApplyFailed: the query raised something else.
            RequestError: there is no answer in time.
            ContractError, TypeError: the call makes no sense, or is none of this area.
        """
        part = self._part_of(method)
        if part != self.part:
            raise ContractError(f"this member is the specialist of {self.part!r}, and the query is one of {part!r}")
        # The clock is looked at after the state: whatever was told to anybody before the state was looked at is in
        # it, if the term lasts at any later moment.  The other way round, a pause in between would go unnoticed.
        try:
            result = await self._own.read(method, *arguments, **named)
        except RequestError:
            if self.is_valid:
                raise
        else:
            if self.is_valid:
                return result
        return await self._whole.read(method, *arguments, **named)

    def end(self) -> None:
        """Read nothing alone any more: the office is about to be given up."""
        self._is_over = True
