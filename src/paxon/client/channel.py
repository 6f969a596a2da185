"""Where commands and questions in bytes go: to a node in this process, or over the network to a cluster.

Knows: how to hand one request on, once.  Does not know: sessions, or what a command says.
"""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

from paxon.client.parts import PartMethod
from paxon.node.consistency import Consistency
from paxon.node.ports import Reply
from paxon.node.proposals import Applied
from paxon.rsm.contract import Ability
from paxon.rsm.feed import Event


class Channel(Protocol):
    """One way to a cluster.

    Every request is sent at most once; whether it may be sent again is for the caller to know.
    """

    def submit(self, command: bytes, reply: Reply[Applied], timeout_ms: int) -> None:
        """Have ``command`` decided; ``reply`` gets an ``Applied`` or a ``RequestError``, once.

        Raises:
            RequestError: if it is refused at once.  Not applied.
        """

    async def read(
        self,
        query: PartMethod,
        arguments: tuple[Any, ...],
        named: Mapping[str, Any],
        timeout_ms: int,
        consistency: Consistency,
    ) -> tuple[int, Any]:
        """The slot that the answer to ``query`` reflects, and the answer, which keeps the promise of ``consistency``.

        Raises:
            Rejected: the query's own refusal.
            TypeError: if the arguments do not fit the query.
            RequestError: if there is no answer in time, or the query raised.
        """

    def is_usable(self, part: str, ability: Ability) -> bool:
        """Whether every member has this command, as far as can be told here without asking."""

    async def wait_usable(self, part: str, ability: Ability, timeout_s: float) -> None:
        """Return once ``is_usable``.

        Raises:
            NotYetKnown: if a member's code does not have the command, or none has announced it in time.
        """

    def events(
        self, part: str, topic_prefix: str, since: int | None, patience_s: float
    ) -> AsyncGenerator[list[Event], None]:
        """The events of ``part`` whose topics begin with ``topic_prefix``, a few at a time.

        From event number ``since`` on; from now on if it is ``None``.

        Raises:
            Compacted: if events from there on are kept no more.
            RequestError: if no member is heard for ``patience_s``.
        """
