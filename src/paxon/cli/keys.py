"""``put``, ``get``, ``del`` and ``cas``: one request each."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from paxon.cli.failures import REFUSED, write_bytes
from paxon.cli.options import ConnectionOptions, connection_options, read_bytes
from paxon.client.client import Client
from paxon.errors import OutcomeUnknown
from paxon.node.consistency import LINEARIZABLE, STALE

AnswerT = TypeVar("AnswerT")


@click.command()
@click.argument("key", callback=read_bytes)
@click.argument("value", callback=read_bytes, required=False)
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Read the value from this file; - is standard input.",
)
@connection_options
def put(connection: ConnectionOptions, key: bytes, value: bytes | None, file: Path | None) -> None:
    """Set KEY to VALUE, and say the key's version: how often it has been set since it was created."""
    if value is not None and file is None:
        content = value
    elif file is not None and value is None:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    else:
        raise click.UsageError("give either VALUE or --file")
    written = _write(connection, lambda client: client.put(key, content))
    click.echo(f"ok version={written.version}")


@click.command()
@click.argument("key", callback=read_bytes)
@click.option("--stale", is_flag=True, help="Take what the member that answers has: faster, and possibly out of date.")
@connection_options
def get(connection: ConnectionOptions, key: bytes, stale: bool) -> None:
    """Print the value of KEY: its bytes and nothing else, unless stdout is a terminal."""
    found = _ask(connection, lambda client: client.get(key, consistency=STALE if stale else LINEARIZABLE))
    if found.value is None:
        _end(f"not found: {_shown(key)}")
    else:
        write_bytes(found.value)


@click.command("del")
@click.argument("key", callback=read_bytes)
@connection_options
def delete(connection: ConnectionOptions, key: bytes) -> None:
    """Delete KEY."""
    deleted = _write(connection, lambda client: client.delete(key))
    if not deleted.existed:
        _end(f"not found: {_shown(key)}")
    click.echo(f"ok version={deleted.version}")


@click.command()
@click.argument("key", callback=read_bytes)
@click.option("--expect", callback=read_bytes, help="Set the key only if this is its value.")
@click.option("--absent", is_flag=True, help="Set the key only if it has no value.")
@click.argument("value", callback=read_bytes)
@connection_options
def cas(connection: ConnectionOptions, key: bytes, expect: bytes | None, absent: bool, value: bytes) -> None:
    """Set KEY to VALUE only if it is still as expected (compare and set)."""
    if (expect is None) != absent:
        raise click.UsageError("give either --expect or --absent")
    compared = _write(connection, lambda client: client.compare_and_put(key, expect, value))
    if compared.written:
        click.echo(f"ok version={compared.version}")
    elif compared.found is None:
        _end(f"not as expected: {_shown(key)} has no value")
    else:
        _end(f"not as expected: {_shown(key)} is {_shown(compared.found)} (version {compared.version})")


def _ask(connection: ConnectionOptions, ask: Callable[[Client], Awaitable[AnswerT]]) -> AnswerT:
    async def run() -> AnswerT:
        async with connection.client() as client:
            return await ask(client)

    return asyncio.run(run())


def _write(connection: ConnectionOptions, ask: Callable[[Client], Awaitable[AnswerT]]) -> AnswerT:
    try:
        return _ask(connection, ask)
    except KeyboardInterrupt as error:
        # It may be on its way already: an interrupted write is as unknown as one that timed out.
        raise OutcomeUnknown("interrupted: the write may have been applied; read before doing it again") from error


def _shown(text: bytes) -> str:
    """A key or value in a message: as typed if it is short and printable, escaped otherwise."""
    shown = os.fsdecode(text[:64])
    return (shown if shown.isprintable() else repr(text[:64])[2:-1]) + ("..." if len(text) > 64 else "")


def _end(message: str) -> None:
    """The request was answered, with a no."""
    click.echo(f"paxon: {message}", err=True)
    sys.exit(REFUSED)
