"""Requests that a test makes at a simulated cluster: kept with their outcome, and repeated by nobody."""

from collections.abc import Callable
from typing import Generic, TypeVar

from paxon.core.decree import NodeId
from paxon.errors import ApplyFailed, LeadershipLost, RequestError
from paxon.node.proposals import Applied
from paxon.sim.machine import Raised, Result
from paxon.sim.workload import Request, Workload

R = TypeVar("R")


class HandRequest(Request):
    """A request whose outcome is kept, and which nobody repeats."""

    def __init__(self, workload: Workload, member: NodeId, command: bytes | None, question: bytes | None) -> None:
        self.error: RequestError | None = None
        super().__init__(workload, member, command, self._no_retry, question)

    @property
    def outcome(self) -> Result:
        """What the client has in the end."""
        return self.result.result if isinstance(self.result, Applied) else self.answer or b""

    def set_exception(self, error: Exception, /) -> None:
        """See ``Reply``."""
        super().set_exception(error)
        if isinstance(error, RequestError):
            self.error = error

    def lost(self) -> None:
        """See ``Request``."""
        super().lost()
        self.error = LeadershipLost(f"member {self.member} crashed; the command may have been applied")

    def _no_retry(self) -> None:
        self._workload.waiting -= 1


class Pending(Generic[R]):
    """A command that was submitted and not waited for."""

    def __init__(self, request: HandRequest, finish: Callable[[], R]) -> None:
        self._request = request
        self._finish = finish

    def done(self) -> bool:
        """Whether there is a result or an error."""
        return self._request.is_over

    def result(self) -> R:
        """The decided result; virtual time passes until it is there.

        Raises:
            RequestError: as the client is told.
            SimulationFailed: if a rule breaks on the way.
        """
        return self._finish()


def unwrapped(result: Result) -> bytes:
    """The bytes that a client gets.

    Raises:
        ApplyFailed: if the machine raised.
    """
    if isinstance(result, Raised):
        raise ApplyFailed(result.text)
    return result


def milliseconds(seconds: float) -> int:
    """As the simulator counts time."""
    return round(seconds * 1000)
