"""A cluster in one directory of this machine: what ``paxon up`` stores, and what it starts from that.

Knows: the directory's layout.  Does not know: processes.

    DIR/cluster.toml   how many members, on which ports; written once, then obeyed
    DIR/n1.toml        the configuration of member n1; written at every start
    DIR/n1/            its data
"""

import errno
import fcntl
import json
import os
import secrets
import socket
import time
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from paxon.errors import ConfigurationError
from paxon.node.config import NO_TOML, Address

FILE = "cluster.toml"
HOST = "127.0.0.1"
MEMBERS_MAX = 9
DEFAULT_MEMBERS = 3
DEFAULT_BASE_PORT = 7400
PORT_MAX = 65535
PORT_POLL_S = 0.1


class LocalCluster(Struct, frozen=True, forbid_unknown_fields=True):
    """What ``cluster.toml`` says."""

    cluster: str
    members: int
    base_port: int

    @property
    def names(self) -> list[str]:
        """n1, n2, ..."""
        return [f"n{number}" for number in range(1, self.members + 1)]

    @property
    def endpoints(self) -> list[Address]:
        """Where each member serves clients."""
        return [Address(HOST, self.base_port + 2 * place) for place in range(self.members)]

    @property
    def peer_addresses(self) -> list[Address]:
        """Where each member listens for the others: one port up."""
        return [Address(HOST, endpoint.port + 1) for endpoint in self.endpoints]

    def validate(self) -> None:
        """Raises:
        ConfigurationError: if the numbers make no sense.
        """
        if not 1 <= self.members <= MEMBERS_MAX:
            raise ConfigurationError(f"members is {self.members}: choose from 1 to {MEMBERS_MAX}")
        last = PORT_MAX - 2 * self.members + 1
        if not 1 <= self.base_port <= last:
            raise ConfigurationError(f"base port {self.base_port}: choose from 1 to {last}, two ports for each member")


class ClusterDirectory:
    """The directory of one local cluster, held by this process alone until it ends."""

    def __init__(self, path: Path, members: int | None, base_port: int | None) -> None:
        """Make the directory, or open it if it is there.  What is ``None`` is as stored.

        Raises:
            ConfigurationError: it cannot be used, another ``paxon up`` has it, or it holds a different cluster.
        """
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be used: {error.strerror}: choose another --dir") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"{path} is in use by another paxon up: stop that one, or choose another --dir"
            ) from error
        file = path / FILE
        self.is_new = not file.exists()
        self.cluster = self._create(file, members, base_port) if self.is_new else _stored(file, members, base_port)

    def config_of(self, name: str) -> Path:
        """The configuration file of member ``name``."""
        return self.path / f"{name}.toml"

    def write_configs(self) -> None:
        """Write each member's configuration anew."""
        cluster = self.cluster
        places = list(zip(cluster.names, cluster.endpoints, cluster.peer_addresses, strict=True))
        for name, endpoint, _ in places:
            # A JSON string is a TOML string too, as long as it is plain text; all of these are.
            lines = [
                f"# Written by paxon up from {FILE} at every start; changes here are lost.",
                f"cluster = {json.dumps(cluster.cluster)}",
                f"name = {json.dumps(name)}",
                f"directory = {json.dumps(name)}",
                f"listen = {json.dumps(str(endpoint))}",
                "",
                "[members]",
                *(f"{other} = {json.dumps(str(address))}" for other, _, address in places),
            ]
            _write(self.config_of(name), "\n".join(lines) + "\n")

    def _create(self, file: Path, members: int | None, base_port: int | None) -> LocalCluster:
        # The name keeps two local clusters apart even when one takes over the other's ports.
        cluster = LocalCluster(
            f"local-{secrets.token_hex(4)}", members or DEFAULT_MEMBERS, base_port or DEFAULT_BASE_PORT
        )
        cluster.validate()
        for name in cluster.names:
            if (self.path / name).exists():
                raise ConfigurationError(
                    f"{self.path / name} exists, but {file} does not: restore that file, or choose another --dir"
                )
        text = (
            f"cluster = {json.dumps(cluster.cluster)}\nmembers = {cluster.members}\nbase_port = {cluster.base_port}\n"
        )
        _write(file, text)
        return cluster


def require_free_ports(cluster: LocalCluster, patience_s: float) -> None:
    """See that every port can be listened on, before anything is started; wait up to ``patience_s`` for that.

    Raises:
        ConfigurationError: one cannot.
    """
    deadline = time.monotonic() + patience_s
    for address in [*cluster.endpoints, *cluster.peer_addresses]:
        while (error := _why_not_free(address)) is not None:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(f"cannot listen on {address}: {error.strerror}: choose another --base-port")
            if time.monotonic() >= deadline:
                raise ConfigurationError(
                    f"address {address} is in use: stop the process that listens there, or choose another --base-port"
                )
            time.sleep(PORT_POLL_S)


def _why_not_free(address: Address) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return error
    return None


def _stored(file: Path, members: int | None, base_port: int | None) -> LocalCluster:
    try:
        cluster = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), LocalCluster)
        cluster.validate()
    except (*NO_TOML, msgspec.ValidationError, ConfigurationError) as error:
        raise ConfigurationError(f"{file}: {error}: correct it, or choose another --dir") from error
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    if members not in (None, cluster.members):
        raise ConfigurationError(
            f"{file.parent} holds a cluster of {cluster.members} members, not {members}: "
            "leave --members out, or choose another --dir"
        )
    if base_port not in (None, cluster.base_port):
        raise ConfigurationError(
            f"{file.parent} holds a cluster at base port {cluster.base_port}, not {base_port}: "
            f"leave --base-port out, choose another --dir, or change base_port in {file}"
        )
    return cluster


def _write(file: Path, text: str) -> None:
    """Replace ``file``, so that it is never seen half written."""
    temporary = file.with_name(file.name + ".tmp")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}: choose another --dir") from error
