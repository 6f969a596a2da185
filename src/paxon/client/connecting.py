"""``paxon.connect``: a program outside a cluster, with the calls of a member.

Knows: how to put a client, a channel and the classes of a cluster together.  Does not know: how
requests travel.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from paxon.client.caller import DEFAULT_TIMEOUT_S, Caller
from paxon.client.client import Client
from paxon.client.client_channel import ClientChannel
from paxon.client.parts import Parts, named
from paxon.client.statistics import ClientStatistics
from paxon.net.tls import TlsFiles
from paxon.rsm.contract import StateMachine


class OutsideClient(Caller):
    """A cluster from outside.  Made by ``paxon.connect``."""

    def __init__(self, parts: Parts, channel: ClientChannel, timeout_s: float) -> None:
        super().__init__(parts, channel, timeout_s)
        self._client_channel = channel

    @property
    def endpoint(self) -> str:
        """The member that is asked at present, as ``HOST:PORT``."""
        return str(self._client_channel.endpoint)

    def statistics(self) -> ClientStatistics:
        """What was done through this client, and whom it asks."""
        known = self._client_channel.endpoints_known
        return ClientStatistics(**self._figures(), endpoint=self.endpoint, endpoints=known)


@asynccontextmanager
async def connect(
    endpoints: str | Iterable[str],
    *machines: type[StateMachine],
    parts: Mapping[str, type[StateMachine]] | None = None,
    tls: TlsFiles | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
) -> AsyncIterator[OutsideClient]:
    """Use a cluster from outside for as long as the context lasts.

        async with paxon.connect("one.example:7400,two.example:7400", Inventory) as client:
            left = await client.read(Inventory.left, "sku-1")

    ``endpoints`` are where members serve clients, as ``HOST:PORT``, in a list or with commas between
    them; one is enough to begin with, and all are better.  ``machines`` and ``parts`` are as in
    ``paxon.open``: the classes of which this program knows, of those that the members have.  ``timeout`` is
    the default time limit of a call in seconds, and how long this waits until a member is reached.

    Raises:
        Unreachable: no member could be reached in time.
        ConfigurationError: an endpoint makes no sense, or the TLS files cannot be used.
        ContractError: a class cannot be replicated.
        BadRequest: ``timeout`` is no time limit.
    """
    known = Parts(named(machines, parts))
    spelled = [one.strip() for one in endpoints.split(",")] if isinstance(endpoints, str) else endpoints
    async with Client(spelled, tls=tls, timeout=timeout) as client:
        channel = ClientChannel(client)
        caller = OutsideClient(known, channel, timeout)
        try:
            await channel.wait_connected(timeout)
            yield caller
        finally:
            await caller.close()
            await channel.close()
