"""The configuration of one member: from a TOML file or from flags, checked before anything is touched.

Every wrong value is one ``ConfigurationError`` line that says what to change.  Settings are
*hard* or *soft*.  A hard one must be the same on every member for the whole life of the
cluster: two members that count quorums differently could pass two values in one slot.  The
hard ones are the cluster's name, its founding members' names and the quorum system; they are
digested into ``cluster_id``, which links and data directories compare.  A soft setting may
differ between members and change at any restart.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct, field

from paxon.core.decree import NODE_ID_MAX, NodeId
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.roster import Roster
from paxon.core.timing import Timing
from paxon.errors import ConfigurationError
from paxon.net.complaints import printable
from paxon.net.tls import TlsFiles
from paxon.node.settings import (
    MAJORITY,
    Address,
    Limits,
    QuorumSettings,
    SnapshotSettings,
    validate_lease,
    validate_timing,
)

__all__ = [
    "MAJORITY",
    "Address",
    "LeaseTerms",
    "Limits",
    "MemberConfig",
    "QuorumSettings",
    "SnapshotSettings",
    "Timing",
    "TlsFiles",
]

NAME_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
"""Names of members and clusters: they appear in file names, log lines and certificates."""

MEMBERS_MAX = 99
"""More voters than this only make every write slower.  Far below ``NODE_ID_MAX``, which ids of replacements use up."""

DEFAULT_LISTEN = "127.0.0.1:7400"

NO_TOML = (ValueError, RecursionError)
"""What reading a text that is no TOML raises.  ``tomllib`` has a ``ValueError`` of its own, and bytes
that are no UTF-8 raise another; but a number of thousands of digits and a deep nest of brackets end in plain ones."""


class MemberConfig(Struct, frozen=True, kw_only=True):
    """Everything one member needs to know to start.  Valid once made: making it is what checks it.

    Paths may be relative to the working directory.

    Raises:
        ConfigurationError: from the constructor and from ``from_toml``, with what to change.
    """

    cluster: str
    """Hard.  Two clusters that share machines need different names."""
    name: str
    """This member, one of ``members``."""
    directory: Path
    """Where this member keeps its ledger.  No other member may use it."""
    members: dict[str, Address]
    """The founding members' names (hard) and where each listens for the others (soft)."""
    listen: Address = Address("127.0.0.1", 7400)
    """Where to listen for clients."""
    peer_listen: Address | None = None
    """Where to listen for members, if not at this member's address in ``members``."""
    endpoints: dict[str, Address] = field(default_factory=dict)
    """Where clients reach members, as far as known here: it is what hints to a leader are made of.  Soft."""
    quorum: QuorumSettings = MAJORITY
    tls: TlsFiles | None = None
    insecure: bool = False
    """Allow traffic beyond this machine without TLS."""
    limits: Limits = Limits()
    snapshots: SnapshotSettings = SnapshotSettings()
    timing: Timing = Timing()
    lease: LeaseTerms = NO_LEASE

    def __post_init__(self) -> None:
        _check_name("cluster", self.cluster)
        _check_name("name", self.name)
        for member in self.members:
            _check_name("members", member)
        if len({name.lower() for name in self.members}) != len(self.members):
            raise ConfigurationError("members: two names differ only in upper and lower case: rename one")
        if self.name not in self.members:
            known = ", ".join(sorted(self.members)) or "none"
            raise ConfigurationError(f"members has no {self.name!r} (it has {known}): add it or correct the name")
        if len(self.members) > min(MEMBERS_MAX, NODE_ID_MAX):
            raise ConfigurationError(f"members: {len(self.members)} are too many, the limit is {MEMBERS_MAX}")
        _check_distinct("members", self.members)
        for unknown in sorted(self.endpoints.keys() - self.members.keys()):
            raise ConfigurationError(f"endpoints names {unknown!r}, which is not among the members: remove it")
        _check_distinct("endpoints", self.endpoints)
        if self.listen == self.peer_address:
            raise ConfigurationError(
                f"listen and peer_listen are both {self.listen}: clients and members need a port each"
            )
        if self.tls is None and not self.insecure:
            for what, address in (("listen", self.listen), ("peer_listen", self.peer_address)):
                if not address.is_loopback:
                    raise ConfigurationError(
                        f"{what} {address} is reachable from other machines and there is no TLS: "
                        "configure tls, listen on 127.0.0.1, or allow it with insecure"
                    )
        self.limits.validate()
        self.snapshots.validate()
        validate_timing(self.timing)
        validate_lease(self.lease, self.timing)
        # Made once here so that wrong quorums are refused before anything starts.
        _ = self.roster

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a file; its relative paths are relative to the file's own directory.

        Raises:
            ConfigurationError: if the file cannot be read or a value is wrong; the line names the file.
        """
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
        except NO_TOML as error:
            raise ConfigurationError(f"{path}: is not a TOML file: {error}") from error
        try:
            return cls.from_settings(settings, relative_to=path.parent)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: {error}") from error

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], *, relative_to: Path = Path()) -> Self:
        """Read what a TOML file says once parsed.

        Raises:
            ConfigurationError: if a value is wrong.
        """
        try:
            raw = msgspec.convert(settings, _Settings)
        except msgspec.ValidationError as error:
            raise ConfigurationError(_in_plain_words(error)) from error
        tls = None
        if raw.tls is not None:
            tls = TlsFiles(relative_to / raw.tls.cert, relative_to / raw.tls.key, relative_to / raw.tls.ca)
        return cls(
            cluster=raw.cluster,
            name=raw.name,
            directory=relative_to / raw.directory,
            members=_addresses("members", raw.members),
            listen=Address.parse(raw.listen, what="listen"),
            peer_listen=None if raw.peer_listen is None else Address.parse(raw.peer_listen, what="peer_listen"),
            endpoints=_addresses("endpoints", raw.endpoints),
            quorum=MAJORITY if raw.quorum == "majority" else _quorum(raw.quorum),
            tls=tls,
            insecure=raw.insecure,
            limits=raw.limits,
            snapshots=raw.snapshots,
            timing=raw.timing,
            lease=raw.lease,
        )

    @property
    def peer_address(self) -> Address:
        """Where this member listens for the others."""
        return self.peer_listen or self.members[self.name]

    @property
    def ids(self) -> dict[str, NodeId]:
        """The number of each member: its place among the founding names in sorted order, from 1."""
        return {name: NodeId(number) for number, name in enumerate(sorted(self.members), start=1)}

    @property
    def node_id(self) -> NodeId:
        """This member's number."""
        return self.ids[self.name]

    @property
    def roster(self) -> Roster:
        """The founding roster.

        Raises:
            ConfigurationError: if quorums need not meet.
        """
        return Roster(self.quorum.system(self.ids))

    @property
    def cluster_id(self) -> str:
        """32 hexadecimal digits that stand for every hard setting.  Links and directories of another id are refused."""
        founding: list[object] = [self.cluster, sorted(self.members)]
        if self.quorum != MAJORITY:
            weights = sorted(self.quorum.weights.items()) if self.quorum.weights else None
            founding.append([weights, self.quorum.promises, self.quorum.votes])
        return hashlib.sha256(json.dumps(founding).encode()).hexdigest()[:32]

    def endpoint_of(self, member: str) -> str:
        """Where clients reach ``member`` as ``HOST:PORT``, or an empty string if that is not known here."""
        endpoint = self.endpoints.get(member)
        if endpoint is None and member == self.name:
            endpoint = self.listen
        return "" if endpoint is None else str(endpoint)


class _TlsPaths(Struct, forbid_unknown_fields=True):
    cert: str
    key: str
    ca: str


class _Settings(Struct, forbid_unknown_fields=True):
    """The shape of the TOML file."""

    cluster: str
    name: str
    directory: str
    members: dict[str, str]
    listen: str = DEFAULT_LISTEN
    peer_listen: str | None = None
    endpoints: dict[str, str] = field(default_factory=dict)
    quorum: str | QuorumSettings = "majority"
    tls: _TlsPaths | None = None
    insecure: bool = False
    limits: Limits = Limits()
    snapshots: SnapshotSettings = SnapshotSettings()
    timing: Timing = Timing()
    lease: LeaseTerms = NO_LEASE


def _addresses(what: str, texts: Mapping[str, str]) -> dict[str, Address]:
    return {name: Address.parse(text, what=f"{what}.{name}") for name, text in texts.items()}


def _quorum(raw: str | QuorumSettings) -> QuorumSettings:
    if isinstance(raw, str):
        raise ConfigurationError(f'quorum {raw!r} is unknown: write "majority", or a table of weights or sizes')
    return raw


def _check_name(what: str, name: str) -> None:
    if not NAME_PATTERN.match(name):
        raise ConfigurationError(
            f"{what}: {name!r} is not a name: use 1 to 64 letters, digits, dots, dashes and underscores, "
            "starting with a letter or a digit"
        )


def _check_distinct(what: str, addresses: Mapping[str, Address]) -> None:
    owners: dict[Address, str] = {}
    for name, address in addresses.items():
        other = owners.setdefault(address, name)
        if other != name:
            raise ConfigurationError(f"{what}: {other} and {name} share the address {address}: give each its own")


def _in_plain_words(error: msgspec.ValidationError) -> str:
    """msgspec's message, led by the setting it is about."""
    # A key of a TOML file may have any character in it.
    text, _, place = printable(str(error)).partition(" - at `$")
    setting = place.rstrip("`").lstrip(".")
    if unknown := re.match(r"Object contains unknown field `(.*)`", text):
        return f"unknown setting {'.'.join(filter(None, (setting, unknown[1])))}: remove it or correct its name"
    if missing := re.match(r"Object missing required field `(.*)`", text):
        return f"the setting {'.'.join(filter(None, (setting, missing[1])))} is missing: add it"
    return f"{setting or 'settings'}: {text[0].lower()}{text[1:]}"
