"""Whose directory this is, and whose storage its peers have.

Knows: names and storage ids.  Does not know: how peers are reached, or what is in the ledger.

A member is its name *and* its storage.  A disk that was emptied has lost promises, and a member that forgot a promise
may break agreement; so an empty directory gets a new storage id, and peers who remember another one refuse it.
"""

from collections.abc import Callable

from msgspec import Struct, msgpack
from msgspec.structs import replace

from paxon.codec.values import MALFORMED
from paxon.core.decree import NodeId
from paxon.errors import Disowned, ForeignIdentity, LedgerCorrupt, WrongCluster
from paxon.storage.directory import LOCK, TEMPORARY, Directory, remove_leftovers
from paxon.storage.ledger_file import SEGMENT_BYTES, LedgerFile
from paxon.storage.snapshot_store import SnapshotStore
from paxon.storage.twin import COPY, Twin

IDENTITY = "identity"
PEERS = "peers"
REMEMBERED = "remembered"

_TOLERATED = frozenset({LOCK, "lost+found", IDENTITY + TEMPORARY, IDENTITY + COPY + TEMPORARY})
"""What an empty directory may hold: our lock, a new file system's own folder, an identity that a crash interrupted."""


class Identity(Struct, frozen=True):
    """The member that a directory belongs to.

    ``storage`` names this directory's contents for ever; ``introduced`` says that peers may have seen it.
    ``boot`` counts the starts.  ``disowned`` says why nobody may vote with it any more, if so.
    ``lease_ms`` is the longest lease that the member may ever have granted; it is never lowered.
    """

    cluster: str
    member: str
    node: NodeId
    storage: str
    introduced: bool = False
    boot: int = 0
    disowned: str = ""
    lease_ms: int = 0


class Remembrance(Struct, frozen=True):
    """How much of a peer's ledger was durable, and in which start and process it was last met."""

    line: int = 0
    boot: int = 0
    life: int = 0


def read_identity(directory: Directory) -> Identity | None:
    """Whose directory it is; None if nobody's.  Changes nothing.

    Raises:
        LedgerCorrupt: if the identity is damaged beyond repair.
        LedgerTooNew: if a newer release wrote it.
    """
    value = Twin(directory, IDENTITY).read()
    return None if value is None else _identity(directory, value)


def _identity(directory: Directory, value: bytes) -> Identity:
    try:
        return msgpack.decode(value, type=Identity)
    except MALFORMED as error:
        raise LedgerCorrupt(f"the identity in {directory.where} makes no sense: {error}") from error


class DataDirectory:
    """One member's data directory, locked, and known to be its own."""

    def __init__(self, directory: Directory, identity: Identity, findings: list[str]) -> None:
        """For ``open``."""
        self._directory = directory
        self._identity = identity
        self.forgotten_lease_ms = identity.lease_ms
        """The longest lease that an earlier life may have granted, and this one does not know of."""
        self._identity_twin = Twin(directory, IDENTITY)
        self._identity_twin.read_and_repair(findings.append)
        self._peers_twin = Twin(directory, PEERS)
        peers = self._peers_twin.read_and_repair(findings.append)
        try:
            self._peers = {} if peers is None else msgpack.decode(peers, type=dict[str, str])
        except MALFORMED as error:
            raise LedgerCorrupt(f"the peers in {directory.where} make no sense: {error}") from error
        self._remembered_twin = Twin(directory, REMEMBERED)
        self._remembered = self._recollect(findings)
        self.findings = findings
        """What was found damaged and repaired, in sentences for the log."""

    def _recollect(self, findings: list[str]) -> dict[str, Remembrance]:
        # A help to others and no promise of ours: without it we start all the same, and remember less.
        try:
            value = self._remembered_twin.read_and_repair(findings.append)
            return {} if value is None else msgpack.decode(value, type=dict[str, Remembrance])
        except (LedgerCorrupt, *MALFORMED) as error:
            findings.append(f"what was remembered of the other members is lost: {error}")
            return {}

    @classmethod
    def open(cls, directory: Directory, cluster: str, member: str, node: NodeId, new_storage: str) -> "DataDirectory":
        """Lock the directory and see that it is ``member``'s; an empty one becomes so, with ``new_storage`` as its id.

        Raises:
            LedgerInUse: if another process has it.
            WrongCluster: if it belongs to another cluster.
            ForeignIdentity: if it belongs to another member, or is not empty and nobody's.
            LedgerCorrupt: if the identity is damaged beyond repair.
            LedgerTooNew: if a newer release wrote it.
            Disowned: if its peers have refused it for good.
        """
        # Looked at before the lock is taken, so that a directory given by mistake is left without a trace.
        _refuse_what_is_not_ours(directory)
        directory.lock()
        try:
            findings: list[str] = []
            _refuse_what_is_not_ours(directory)
            identity = read_identity(directory)
            if identity is None:
                remove_leftovers(directory, directory.names())
                identity = Identity(cluster, member, node, new_storage)
                Twin(directory, IDENTITY).write(msgpack.encode(identity))
            _compare(directory, identity, cluster, member, node)
            remove_leftovers(directory, directory.names())
            return cls(directory, identity, findings)
        except BaseException:
            directory.close()
            raise

    @property
    def identity(self) -> Identity:
        """Whose directory it is."""
        return self._identity

    @property
    def introduced(self) -> bool:
        """Whether peers may have seen this storage."""
        return self._identity.introduced

    def mark_introduced(self) -> None:
        """Note durably that peers may have seen this storage from here on."""
        if not self.introduced:
            self._replace(introduced=True)

    def begin_life(self, lease_ms: int = 0) -> int:
        """Count one more start, durably; the number of this one.  ``lease_ms`` is the longest lease it will grant.

        To be called before anything is said to a peer: two processes with the same number then have a copy each.
        """
        self._replace(boot=self._identity.boot + 1, lease_ms=max(lease_ms, self._identity.lease_ms))
        return self._identity.boot

    def disown(self, reason: str) -> None:
        """Note durably that nobody may vote with this directory any more."""
        self._replace(disowned=reason)

    def _replace(self, **changes: object) -> None:
        changed = replace(self._identity, **changes)
        self._identity_twin.write(msgpack.encode(changed))
        self._identity = changed

    @property
    def remembered(self) -> dict[str, Remembrance]:
        """What an earlier life wrote down of the others' ledgers, by member name."""
        return dict(self._remembered)

    def remember(self, remembered: dict[str, Remembrance]) -> None:
        """Write down what is known of the others' ledgers.  May run in another thread than everything else."""
        if remembered != self._remembered:
            self._remembered_twin.write(msgpack.encode(remembered))
            self._remembered = dict(remembered)

    @property
    def peers(self) -> dict[str, str]:
        """The storage id of every peer met so far, by member name."""
        return dict(self._peers)

    def introduce(self, member: str, storage: str) -> None:
        """Remember a peer's storage at the first meeting; compare it at every later one.

        Raises:
            ForeignIdentity: if it is not the storage that ``member`` had.
        """
        known = self._peers.get(member)
        if known == storage:
            return
        if known is not None:
            raise ForeignIdentity(
                f"member {member} came with storage {storage}, but its votes are on storage {known}: "
                "start it with its own directory, or add it to the cluster as a new member"
            )
        peers = {**self._peers, member: storage}
        self._peers_twin.write(msgpack.encode(peers))
        self._peers = peers

    def ledger(self, segment_bytes: int = SEGMENT_BYTES) -> LedgerFile:
        """The ledger in this directory, to be replayed before anything else."""
        return LedgerFile(self._directory, self._identity.storage, segment_bytes, self.findings.append)

    def snapshots(self, breathe: Callable[[], None] = lambda: None) -> SnapshotStore:
        """The snapshots in this directory; see ``SnapshotStore`` for ``breathe``."""
        return SnapshotStore(self._directory, self.findings.append, breathe)

    def close(self) -> None:
        """Give the directory back."""
        self._directory.close()


def _refuse_what_is_not_ours(directory: Directory) -> None:
    names = set(directory.names())
    if not {IDENTITY, IDENTITY + COPY} & names and names - _TOLERATED:
        raise ForeignIdentity(
            f"{directory.where} is not empty and says of no member that it is its data directory: "
            "name an empty directory, or restore the missing file 'identity'"
        )


def _compare(directory: Directory, found: Identity, cluster: str, member: str, node: NodeId) -> None:
    if found.cluster != cluster:
        raise WrongCluster(
            f"{directory.where} belongs to cluster {found.cluster}, not to {cluster}: "
            "name the directory of this cluster, or an empty one"
        )
    if found.member != member:
        raise ForeignIdentity(
            f"{directory.where} belongs to member {found.member}, not to {member}: "
            "name this member's own directory, or an empty one"
        )
    if found.node != node:
        raise ForeignIdentity(
            f"{directory.where} belongs to member {member} under the id {found.node}, not {node}: "
            "correct the id in the configuration; an id is never given to a second storage"
        )
    if found.disowned:
        raise Disowned(f"{directory.where} was refused by the other members: {found.disowned}")
