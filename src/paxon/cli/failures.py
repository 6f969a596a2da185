"""How a command ends: one line on stderr, and an exit code that a script can trust.

A write that ends in ``REFUSED`` did not happen; one that ends in ``UNKNOWN`` may have.
"""

import errno
import sys
from typing import Any

import click

from paxon.errors import OutcomeUnknown, PaxonError, Unreachable

DONE = 0
REFUSED = 1
"""Refused, or not found; a configuration or a ledger that cannot be used."""
USAGE = 2
"""Click's own code for a command line that makes no sense."""
UNKNOWN = 3
"""A write whose outcome is not known."""
UNREACHABLE = 4
INTERRUPTED = 130
"""What shells expect after Ctrl-C."""


def exit_code_of(error: PaxonError) -> int:
    """The exit code that ``error`` ends a command with."""
    match error:
        case OutcomeUnknown():
            return UNKNOWN
        case Unreachable():
            return UNREACHABLE
        case _:
            return REFUSED


def complain(message: str) -> None:
    """One ``paxon: error:`` line, however many ``message`` has."""
    click.echo(f"paxon: error: {' '.join(message.split())}", err=True)


class PaxonGroup(click.Group):
    """A group of commands in which errors that are expected end as one line and an exit code, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except PaxonError as error:
            complain(str(error) or type(error).__name__)
            code = exit_code_of(error)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # Whoever read our output has left.  Click knows how to end quietly.
            complain(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error))
            code = REFUSED
        except KeyboardInterrupt:
            complain("interrupted")
            code = INTERRUPTED
        raise click.exceptions.Exit(code)


def write_bytes(value: bytes) -> None:
    """``value`` on stdout as it is; on a terminal also the end of the line, so that the prompt does not stick to it."""
    stream = sys.stdout.buffer
    stream.write(value)
    if sys.stdout.isatty():
        stream.write(b"\n")
    stream.flush()
