"""``paxon.open``: one member of a cluster inside the caller's own process.

Knows: how to put a node, its replicated parts, its port for outside clients and its upkeep together,
and take them apart again.  Does not know: how members agree.
"""

import asyncio
import logging
import tomllib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from paxon.client.caller import DEFAULT_TIMEOUT_S, Caller
from paxon.client.member_channel import MemberChannel
from paxon.client.parts import RESERVED, Parts, named
from paxon.client.recipes.face import DEFAULT_TTL_S
from paxon.client.recipes.lock import Office
from paxon.client.specialist import AreaHold
from paxon.client.standard import standard_parts
from paxon.client.statistics import MemberStatistics
from paxon.collections.holding_rule import DEFAULT_CLOCK_ERROR_S, HoldingRule
from paxon.collections.terms import Terms
from paxon.errors import ConfigurationError, ContractError
from paxon.node.areas import AREA
from paxon.node.config import NO_TOML, MemberConfig
from paxon.node.consistency import LINEARIZABLE, STALE, AtLeast
from paxon.node.replica import Replica
from paxon.node.status import MemberStatus
from paxon.rsm.contract import StateMachine

logger = logging.getLogger(__name__)

M = TypeVar("M", bound=StateMachine)

Cluster = str | Path | Mapping[str, Any]
"""The members that a cluster was founded with: a TOML file, or what is in one."""


class Member(Caller):
    """One running member, and the whole cluster through it.  Made by ``paxon.open``."""

    def __init__(self, replica: Replica, parts: Parts, timeout_s: float) -> None:
        super().__init__(parts, MemberChannel(replica.node, replica.assembly), timeout_s)
        self._replica = replica
        self._node = replica.node

    @property
    def name(self) -> str:
        """This member's name."""
        return self.status().member

    @property
    def is_leader(self) -> bool:
        """Whether this member leads, as far as it knows: true of two members for a moment, so no lock."""
        return self._node.is_leader

    def status(self) -> MemberStatus:
        """This member's view of itself, at once and without asking anybody."""
        return self._node.status()

    def statistics(self) -> MemberStatistics:
        """What was done through this member's own calls, and what the member keeps and waits for."""
        replica = self._replica
        feed = replica.feed
        return MemberStatistics(
            **self._figures(),
            sessions=len(replica.sessions),
            first_event=feed.first_number,
            next_event=feed.next_number,
            apply_failures={name: part.failures for name, part in replica.assembly.objects.items() if part.failures},
            ticks=replica.ticks,
            clients=replica.clients,
            queues=replica.node.queue_lengths,
        )

    @asynccontextmanager
    async def specialist(
        self,
        machine: type[M],
        *,
        ttl: float = DEFAULT_TTL_S,
        timeout: float | None = None,
        clock_error: float = DEFAULT_CLOCK_ERROR_S,
    ) -> AsyncIterator[AreaHold[M]]:
        """Have this member answer reads of ``machine`` alone, from its own state (docs/reads.md).

            async with member.specialist(Inventory) as area:
                await area.read(Inventory.left, "sku-1")

        Meanwhile nobody is told anything of that part that this member does not know: commands and reads of it at other
        members wait until it has applied as much.  One member at a time has a part; others wait for it as for a lock,
        with the same ``ttl``, ``timeout`` and ``clock_error``.  If this member dies, whoever waits for it waits until
        decided time has passed ``ttl``.

        Raises:
            NotGranted: another member had it for all of ``timeout``.
            LockLost: the term ended before the block did, which was cancelled.
            BadRequest: the ttl is too short for the clocks.
            ContractError: it is no part of a program's own.
        """
        part = self._parts.part_named(machine)
        if part.startswith(RESERVED):
            raise ContractError(f"{part!r} is Paxon's own, and terms rest on it: a specialist has a part of your own")
        rule = HoldingRule(ttl, clock_error)
        async with Office(self, f"area {part}", AREA + part, rule, self._limit_s(timeout), self.name) as hold:
            # The grant may be known here before it is applied here.
            await self.reading(AtLeast(self.token)).read(Terms.holder, AREA + part)
            area: AreaHold[M] = AreaHold(
                part, hold, self.reading(STALE), self.reading(LINEARIZABLE), self._parts.part_of
            )
            try:
                yield area
            finally:
                area.end()

    async def wait_leader(self) -> str:
        """The leader's name, once one is known here."""
        return await self._node.wait_leader()

    async def wait_failed(self) -> Exception:
        """Why this member had to stop by itself, if it ever does: its disk failed, or its directory is not its own.

        Whoever runs a member watches this; everything else submitted here ends in an error.
        """
        return await asyncio.shield(self._node.failed)


@asynccontextmanager
async def open_member(
    *machines: type[StateMachine],
    node: str,
    data: str | Path,
    cluster: Cluster,
    parts: Mapping[str, type[StateMachine]] | None = None,
    timeout: float = DEFAULT_TIMEOUT_S,
    development: bool = False,
) -> AsyncIterator[Member]:
    """Run one member of a cluster in this process for as long as the context lasts.

        async with paxon.open(Inventory, node="n1", data="./n1", cluster="cluster.toml") as member:
            await member.submit(Inventory.supply, "sku-1", 5)

    ``machines`` are the classes that the cluster replicates, the same on every member; ``parts``
    names them where the class's own name will not do.  Names that begin with ``paxon.`` are taken:
    the ready-made structures are there beside them.  ``node`` is this member's name, ``data`` its
    own directory.  ``cluster`` is a TOML file, or a mapping of the same form, that every member may
    share: ``cluster`` (its name), ``members`` (each one's name and address for the others) and, if
    outside clients are to be served, ``endpoints`` (each one's name and address for them); the other
    settings of ``paxon serve`` are allowed too.  ``timeout`` is the default time limit of a call in seconds.

    In ``development`` every command is applied twice and the members' states are compared; a
    member whose class is not deterministic stops with ``NotDeterministic``, which names the command
    and the slot.  For small states, and for all members alike.

    With a new directory this waits until a majority of the other members know it.

    Raises:
        ConfigurationError: a setting is wrong, or an address or directory cannot be used.
        ContractError: a class cannot be replicated.
        LedgerError: the directory is not this member's, or damaged.
    """
    own = named(machines, parts)
    known = Parts(own)
    config, serves_clients = _config(node, Path(data), cluster)
    replica = Replica(config, standard_parts(own), serves_clients=serves_clients, is_checked=development)
    try:
        await replica.start()
        member = Member(replica, known, timeout)
        yield member
        await member.close()
        await replica.retire()
    finally:
        await replica.close()


def _config(node: str, data: Path, cluster: Cluster) -> tuple[MemberConfig, bool]:
    """The configuration of one member out of what all of them share, and whether it serves outside clients.

    Raises:
        ConfigurationError: if something in it is wrong.
    """
    where = Path()
    if isinstance(cluster, Mapping):
        settings = dict(cluster)
    else:
        path = Path(cluster)
        where = path.parent
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
        except NO_TOML as error:
            raise ConfigurationError(f"{path}: is not a TOML file: {error}") from error
    for mine in ("name", "directory"):
        if mine in settings:
            raise ConfigurationError(f"the cluster's settings have {mine!r}: leave that to node= and data=")
    endpoints = settings.get("endpoints", {})
    if node in endpoints:
        settings.setdefault("listen", endpoints[node])
    ours = {**settings, "name": node, "directory": str(data.absolute())}
    return MemberConfig.from_settings(ours, relative_to=where), "listen" in settings
