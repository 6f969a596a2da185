"""A second process on a copy of a member's directory: it says hello to everybody, and the others decide.

It never votes, whatever they decide: the oracle watches whether anybody takes it in who knows better.
"""

from contextlib import suppress

from paxon.core.decree import NodeId
from paxon.errors import LedgerError
from paxon.net.handshake import LocalIdentity, PeerAddress, Standing, hello_to
from paxon.sim.agenda import Agenda
from paxon.sim.directory import SimDirectory
from paxon.sim.greetings import Addresses, SimLinks, name_of
from paxon.sim.network import Network
from paxon.sim.oracle import CLUSTER, Oracle
from paxon.storage.identity import DataDirectory

ATTEMPTS = 5
ATTEMPT_EVERY_MS = 50

LIVES_FROM = 1_000_000
"""Its process is told from every process of the member's by a number above theirs."""


class Impostor:
    """One such process."""

    def __init__(
        self,
        agenda: Agenda,
        network: Network,
        oracle: Oracle,
        addresses: Addresses,
        number: NodeId,
        members: tuple[NodeId, ...],
        directory: SimDirectory,
    ) -> None:
        self._agenda = agenda
        self._network = network
        self._oracle = oracle
        self._addresses = addresses
        self._number = number
        self._members = members
        self._directory = directory
        self._standing = Standing()
        self._me = LocalIdentity(CLUSTER, name_of(number), number, "", "")

    def start(self) -> None:
        """Open the copy as any process does, and dial everybody a few times."""
        # The copy may have been taken in the middle of anything: what cannot start does no harm.
        with suppress(LedgerError):
            data = DataDirectory.open(self._directory, CLUSTER, self._me.member, self._number, "unused")
            file = data.ledger()
            file.replay(lambda record: None)
            boot = data.begin_life()
            self._standing = Standing(file.line, boot, LIVES_FROM + self._agenda.now_ms)
            self._me = LocalIdentity(CLUSTER, self._me.member, self._number, data.identity.storage, "")
            for attempt in range(ATTEMPTS):
                self._agenda.after(attempt * ATTEMPT_EVERY_MS, f"a copy of {self._number} dials", self._dial)

    def _dial(self) -> None:
        for number in self._members:
            there = self._addresses.at(number)
            if number == self._number or not isinstance(there, SimLinks):
                continue
            if (self._number, number) not in self._network.cut:
                there.answer(hello_to(PeerAddress(name_of(number), "", 0), self._me, "bulk", self._standing))
