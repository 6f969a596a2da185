"""Mutual TLS: contexts from three files, and the names in a peer's certificate.

Knows: certificates.  Does not know: which name a peer ought to have; callers compare.

Theory of operation.  Members find each other by addresses that change (containers, NAT), so
a certificate speaks for a *member's name*, never for an address: no context checks host names,
and whoever opens a connection must compare ``certificate_names`` with the name it expects.
Both sides present a certificate of the same authority.  The files are looked at for every new
connection, so replacing them takes effect without a restart; links that are up stay up.
"""

import logging
import ssl
import stat
from asyncio import BaseTransport
from pathlib import Path

from msgspec import Struct

from paxon.errors import ConfigurationError

logger = logging.getLogger("paxon.net")

_Version = tuple[tuple[int, int, int], ...]
"""What tells one version of the files from the next: modification time, size and inode of each."""


class TlsFiles(Struct, frozen=True):
    """Where the PEM files are: our certificate (with its chain), its private key, the authority of everybody."""

    cert: Path
    key: Path
    ca: Path


def certificate_names(transport: BaseTransport) -> frozenset[str]:
    """The DNS names and IP addresses that the other side's verified certificate stands for, in lower case."""
    certificate = transport.get_extra_info("peercert") or {}
    return frozenset(
        name.lower() for kind, name in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")
    )


def names_member(names: frozenset[str], member: str) -> bool:
    """Whether a certificate with ``names`` speaks for ``member``.  Wildcards are not honoured: a member is one name."""
    return member.lower() in names


class TlsContexts:
    """The server's and the client's context, made again whenever the files have changed.

    Invariant: both contexts are of one version of the files, and that version was usable.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Load the files.

        Raises:
            ConfigurationError: a file is unreadable, does not fit the others, or the key is not private.
        """
        self._files = files
        self._version = _version_of(files)
        self._server = _context(files, ssl.PROTOCOL_TLS_SERVER)
        self._client = _context(files, ssl.PROTOCOL_TLS_CLIENT)

    def server(self) -> ssl.SSLContext:
        """For the accepting side of one new connection."""
        self._refresh()
        return self._server

    def client(self) -> ssl.SSLContext:
        """For the dialling side of one new connection."""
        self._refresh()
        return self._client

    def _refresh(self) -> None:
        try:
            version = _version_of(self._files)
            if version == self._version:
                return
            server = _context(self._files, ssl.PROTOCOL_TLS_SERVER)
            client = _context(self._files, ssl.PROTOCOL_TLS_CLIENT)
        except ConfigurationError as error:
            # Rotation replaces three files one after the other, so a mismatch in between is
            # normal.  Failing the connection would turn a slip of the operator into an outage
            # while the old certificate is still good.
            logger.warning("new TLS files are not usable yet", extra={"fields": {"error": str(error)}})
            return
        self._version, self._server, self._client = version, server, client
        logger.info("TLS files loaded again", extra={"fields": {"cert": str(self._files.cert)}})


def _version_of(files: TlsFiles) -> _Version:
    try:
        found = [path.stat() for path in (files.cert, files.key, files.ca)]
    except OSError as error:
        raise ConfigurationError(f"cannot read the TLS file {error.filename}: {error.strerror}") from error
    return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


def _context(files: TlsFiles, protocol: int) -> ssl.SSLContext:
    """One side's context: TLS 1.2 or newer, and no connection without a certificate of our authority."""
    _require_private(files.key)
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password function, OpenSSL would stop the process to ask on the terminal.
        context.load_cert_chain(files.cert, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the TLS certificate {files.cert} and key {files.key} cannot be used: {_why(error)}; "
            "they must be readable, in PEM form, without a password, and belong together"
        ) from error
    try:
        context.load_verify_locations(files.ca)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the TLS authority file {files.ca} cannot be used: {_why(error)}; it must hold certificates in PEM form"
        ) from error
    return context


def _require_private(key: Path) -> None:
    try:
        mode = key.stat().st_mode
    except OSError as error:
        raise ConfigurationError(f"cannot read the TLS file {key}: {error.strerror}") from error
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"the TLS key {key} is open to others (mode {stat.S_IMODE(mode):04o}): run chmod 600 on it"
        )


def _no_password() -> str:
    raise ValueError("the key is protected by a password")


def _why(error: Exception) -> str:
    """The part of an OpenSSL or system error that a person can use."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
