"""The ``paxon`` command: the group that all commands belong to."""

from typing import Any

import click

from paxon.cli.bench import bench
from paxon.cli.completion import completion
from paxon.cli.failures import PaxonGroup
from paxon.cli.keys import cas, delete, get, put
from paxon.cli.ledger import ledger
from paxon.cli.locked import lock, run
from paxon.cli.options import ConnectionOptions, global_connection_options
from paxon.cli.serve import serve
from paxon.cli.simulate import simulate
from paxon.cli.status import status
from paxon.cli.up import up
from paxon.version import __version__


@click.group(cls=PaxonGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@global_connection_options
@click.pass_context
def cli(ctx: click.Context, /, **values: Any) -> None:
    """Paxon: a replicated key-value store on multi-decree Paxos.

    \b
    Start a cluster:    paxon up
    and use it:         paxon put greeting hello
                        paxon get greeting
                        paxon status

    Exit codes: 0 done, 1 refused or not found, 2 wrong usage, 3 outcome of a write unknown,
    4 no member could be reached.
    """
    ctx.obj = ConnectionOptions.of_flags(values)


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(f"paxon {__version__}")


for command in (up, serve, put, get, delete, cas, run, lock, status, ledger, bench, simulate, completion, version):
    cli.add_command(command)


def main() -> None:
    """The entry of the ``paxon`` script."""
    cli(prog_name="paxon")
