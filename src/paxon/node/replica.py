"""A node together with the parts that it replicates: sessions around them, upkeep beside them, a port for clients.

Knows: how to put these together, start them and take them apart in order, and which commands of
outside clients are refused before anybody decides on them.  Does not know: what a part does.
"""

import asyncio
from collections.abc import Mapping

from paxon.errors import NotLeader, NotYetKnown
from paxon.net.calls import CallServer
from paxon.node.areas import Areas
from paxon.node.config import MemberConfig
from paxon.node.consistency import Consistency
from paxon.node.node import Node
from paxon.node.proposals import Applied
from paxon.node.service import CALL_LIMITS, CLIENT_VOCABULARY, ClientService
from paxon.node.status import MemberStatus
from paxon.node.upkeep import Upkeep
from paxon.rsm.assembly import Assembly
from paxon.rsm.contract import StateMachine
from paxon.rsm.feed import Feed
from paxon.rsm.machine import ByteMachine
from paxon.rsm.sessions import Sessions


class Replica:
    """One member with everything that it serves.  Satisfies ``service.ServedNode``."""

    def __init__(
        self,
        config: MemberConfig,
        parts: Mapping[str, StateMachine | ByteMachine],
        *,
        serves_clients: bool = True,
        is_checked: bool = False,
    ) -> None:
        """``is_checked`` is development mode; see ``rsm.double_check``.

        Raises:
            ContractError: if a class cannot be replicated as it is written.
            ConfigurationError: if the TLS files cannot be used.
        """
        self.assembly = Assembly(parts, is_checked=is_checked)
        self.sessions = Sessions(self.assembly)
        self.node = Node(config, self.sessions, Areas(self.assembly, config.ids))
        self._name = config.name
        self._upkeep: Upkeep | None = None
        self._port = self._client_port(config) if serves_clients else None

    async def start(self) -> None:
        """Start the node, then listen for clients.  With a new directory this waits for other members.

        Raises:
            ConfigurationError: an address is in use, or the directory or TLS files cannot be used.
            LedgerError: the directory is not this member's, or damaged.
        """
        await self.node.start()
        self._upkeep = Upkeep(self.node, self.sessions, self.assembly, self._name)
        if self._port is not None:
            await self._port.start()

    async def retire(self) -> None:
        """Take in nothing more, and hand leadership over if this member leads; clients are told to go elsewhere."""
        await self._stop_upkeep()
        await self.node.retire()

    async def close(self) -> None:
        """Close the port, then the node.  May be called at any time, once."""
        await self._stop_upkeep()
        if self._port is not None:
            await self._port.close()
        await self.node.close()

    @property
    def ticks(self) -> int:
        """How many commands this member had decided only to let time catch up."""
        return 0 if self._upkeep is None else self._upkeep.ticks

    @property
    def clients(self) -> int:
        """How many connections of outside clients there are."""
        return 0 if self._port is None else self._port.statistics().connections

    # --- what outside clients ask ---

    def submit(self, command: bytes, timeout_ms: int) -> "asyncio.Future[Applied]":
        """Have a client's command decided and applied, if every member can carry it out.

        Raises:
            BadRequest: it makes no sense to the code that this member has.
            NotYetKnown: not every member has the call.
            RequestError: it is refused for another reason.  Not applied, like those.
        """
        try:
            self.sessions.check(command)
        except NotYetKnown:
            if not self.assembly.has_announced(self._name):
                # What members have is about to be known: no news for whoever asks a moment later, or elsewhere.
                raise NotLeader("this member has just started, and no leader has heard yet what its code has") from None
            raise
        return self.node.submit(command, timeout_ms)

    async def query(self, question: bytes, timeout_ms: int, consistency: Consistency) -> Applied:
        """See ``Node.query``.

        Raises:
            RequestError: there is no answer in time, or the state machine refused the question.
        """
        return await self.node.query(question, timeout_ms, consistency)

    def status(self) -> MemberStatus:
        """See ``Node.status``."""
        return self.node.status()

    @property
    def feed(self) -> Feed:
        """What commands told those who watch."""
        return self.assembly.feed

    # --- inside ---

    async def _stop_upkeep(self) -> None:
        if self._upkeep is not None:
            await self._upkeep.close()

    def _client_port(self, config: MemberConfig) -> CallServer:
        service = ClientService(self)
        return CallServer(
            listen=(config.listen.host, config.listen.port),
            vocabulary=CLIENT_VOCABULARY,
            on_request=service.on_request,
            on_closed=service.on_closed,
            tls=config.tls,
            limits=CALL_LIMITS,
        )
