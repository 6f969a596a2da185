"""Options that several commands share, and how they are read."""

import functools
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Self

import click
from msgspec import Struct

from paxon.client.client import Client
from paxon.client.connecting import OutsideClient, connect
from paxon.errors import ConfigurationError
from paxon.net.tls import TlsFiles
from paxon.node.config import Address

DEFAULT_ENDPOINTS = "127.0.0.1:7400,127.0.0.1:7402,127.0.0.1:7404"
"""Where ``paxon up`` puts the first three members unless told otherwise."""

DEFAULT_TIMEOUT_S = 5.0

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def read_endpoints(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[Address, ...] | None:
    """``HOST:PORT,...`` as addresses; anything else is a usage error.  Repeated endpoints count once."""
    if text is None:
        return None
    texts = [one.strip() for one in text.split(",")]
    if not any(texts):
        raise click.BadParameter("give at least one HOST:PORT", ctx, param)
    try:
        return tuple(dict.fromkeys(Address.parse(one, what="endpoint") for one in texts))
    except ConfigurationError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def read_bytes(ctx: click.Context, param: click.Parameter, text: str | None) -> bytes | None:
    """A key or a value: the bytes of the argument exactly as the system passed them."""
    return None if text is None else os.fsencode(text)


_FLAGS = {"endpoints": "endpoints", "cert": "cert", "key": "key_file", "cacert": "cacert", "timeout_s": "timeout_s"}
"""The options' names here and on the command line, where *key* is what a value is stored under."""


_TLS_FLAGS = (
    ("--cert", "PAXON_CERT", "Client certificate"),
    ("--key", "PAXON_KEY", "The certificate's private key"),
    ("--cacert", "PAXON_CACERT", "Certificates of the members' authority"),
)


class ConnectionOptions(Struct, frozen=True):
    """How to reach the cluster."""

    endpoints: tuple[Address, ...]
    cert: Path | None
    key: Path | None
    cacert: Path | None
    timeout_s: float

    @classmethod
    def of_flags(cls, flags: dict[str, Any], outer: Self | None = None) -> Self:
        """Take the connection options out of ``flags``; what is not set there is as in ``outer``."""
        given = {name: flags.pop(flag) for name, flag in _FLAGS.items()}
        if outer is not None:
            given = {name: getattr(outer, name) if value is None else value for name, value in given.items()}
        return cls(**given)

    def client(self) -> Client:
        """A client for keys and status with these options.

        Raises:
            click.UsageError: if only some of the TLS files are given.
        """
        return Client(self.endpoints, tls=self._tls(), timeout=self.timeout_s)

    def connected(self) -> AbstractAsyncContextManager[OutsideClient]:
        """A client for recipes with these options.

        Raises:
            click.UsageError: if only some of the TLS files are given.
        """
        return connect(map(str, self.endpoints), tls=self._tls(), timeout=self.timeout_s)

    def _tls(self) -> TlsFiles | None:
        files = (self.cert, self.key, self.cacert)
        if not any(files):
            return None
        given = [file for file in files if file is not None]
        if len(given) < len(files):
            raise click.UsageError("--cert, --key and --cacert go together: give all three or none")
        return TlsFiles(*given)


def _options(*, with_defaults: bool) -> Decorator:
    """The connection options.  Only the group has defaults and reads the environment, so that an option
    given before the command is not beaten by a default after it."""
    options = [
        click.option(
            "--endpoints",
            metavar="HOST:PORT,...",
            callback=read_endpoints,
            envvar="PAXON_ENDPOINTS" if with_defaults else None,
            default=DEFAULT_ENDPOINTS if with_defaults else None,
            help=f"Where members serve clients.  [env: PAXON_ENDPOINTS; default: {DEFAULT_ENDPOINTS}]",
        ),
        *(
            click.option(
                flag,
                _FLAGS[flag.removeprefix("--")],
                type=click.Path(path_type=Path),
                metavar="FILE",
                envvar=variable if with_defaults else None,
                help=f"{what}, PEM.  [env: {variable}]",
            )
            for flag, variable, what in _TLS_FLAGS
        ),
        click.option(
            "--timeout",
            "timeout_s",
            type=click.FloatRange(min=0.05, max=600),
            metavar="SECONDS",
            default=DEFAULT_TIMEOUT_S if with_defaults else None,
            help=f"Give up after this long.  [default: {DEFAULT_TIMEOUT_S:g}]",
        ),
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


global_connection_options = _options(with_defaults=True)
"""The connection options for the group itself."""


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The connection options for one command; each one given here wins over the same one before the command.

    The command gets a ``connection`` argument in their place.
    """

    @functools.wraps(command)
    def wrapped(**values: Any) -> Any:
        outer = click.get_current_context().find_object(ConnectionOptions)
        return command(connection=ConnectionOptions.of_flags(values, outer), **values)

    return _options(with_defaults=False)(wrapped)
