"""Options that several commands share, and how they are read."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import click
from msgspec import Struct

from paxon.client.client import Client
from paxon.errors import ConfigurationError
from paxon.net.tls import TlsFiles
from paxon.node.config import Address

DEFAULT_ENDPOINTS = "127.0.0.1:7400,127.0.0.1:7402,127.0.0.1:7404"
"""Where ``paxon up`` puts the first three members unless told otherwise."""

DEFAULT_TIMEOUT_S = 5.0

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


class EndpointList(click.ParamType):
    """``HOST:PORT,...``; anything else is a usage error."""

    name = "HOST:PORT,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Address, ...]:
        """Read the list; repeated endpoints count once."""
        if isinstance(value, tuple):
            return value
        texts = [text.strip() for text in str(value).split(",")]
        if not any(texts):
            self.fail("give at least one HOST:PORT", param, ctx)
        try:
            return tuple(dict.fromkeys(Address.parse(text, what="endpoint") for text in texts))
        except ConfigurationError as error:
            self.fail(str(error), param, ctx)


class Argument(click.ParamType):
    """A key or a value: the bytes of the argument exactly as the system passed them."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Undo what Python did to the bytes."""
        return value if isinstance(value, bytes) else os.fsencode(value)


_FLAGS = {"endpoints": "endpoints", "cert": "cert", "key": "key_file", "cacert": "cacert", "timeout_s": "timeout_s"}
"""The options' names here and on the command line, where *key* is what a value is stored under."""


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
        """A client with these options.

        Raises:
            click.UsageError: if only some of the TLS files are given.
        """
        files = (self.cert, self.key, self.cacert)
        if all(files):
            tls = TlsFiles(*(file for file in files if file is not None))
        elif any(files):
            raise click.UsageError("--cert, --key and --cacert go together: give all three or none")
        else:
            tls = None
        return Client(self.endpoints, tls=tls, timeout=self.timeout_s)


def _options(*, with_defaults: bool) -> list[Callable[[CommandT], CommandT]]:
    """The connection options.  Only the group has defaults and reads the environment, so that an option
    given before the command is not beaten by a default after it."""

    def environment(name: str) -> str | None:
        return name if with_defaults else None

    file = click.Path(path_type=Path)
    return [
        click.option(
            "--endpoints",
            type=EndpointList(),
            envvar=environment("PAXON_ENDPOINTS"),
            default=DEFAULT_ENDPOINTS if with_defaults else None,
            help=f"Where members serve clients.  [env: PAXON_ENDPOINTS; default: {DEFAULT_ENDPOINTS}]",
        ),
        click.option(
            "--cert", type=file, envvar=environment("PAXON_CERT"), help="Client certificate, PEM.  [env: PAXON_CERT]"
        ),
        click.option(
            "--key",
            "key_file",
            type=file,
            envvar=environment("PAXON_KEY"),
            help="The certificate's private key, PEM.  [env: PAXON_KEY]",
        ),
        click.option(
            "--cacert",
            type=file,
            envvar=environment("PAXON_CACERT"),
            help="Certificates of the members' authority, PEM.  [env: PAXON_CACERT]",
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


def _decorate(command: CommandT, options: list[Callable[[CommandT], CommandT]]) -> CommandT:
    for option in reversed(options):
        command = option(command)
    return command


def global_connection_options(command: CommandT) -> CommandT:
    """The connection options for the group itself."""
    return _decorate(command, _options(with_defaults=True))


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The connection options for one command; each one given here wins over the same one before the command.

    The command gets a ``connection`` argument in their place.
    """

    @functools.wraps(command)
    def wrapped(**values: Any) -> Any:
        outer = click.get_current_context().find_object(ConnectionOptions)
        return command(connection=ConnectionOptions.of_flags(values, outer), **values)

    return _decorate(wrapped, _options(with_defaults=False))
