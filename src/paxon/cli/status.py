"""``status``: what each member says about itself."""

import asyncio
import json
import sys
from collections.abc import Sequence

import click

from paxon.cli.failures import UNREACHABLE, complain
from paxon.cli.options import ConnectionOptions, connection_options
from paxon.client.client import MemberReport
from paxon.node.status import MemberStatus

COLUMNS = ("MEMBER", "ROLE", "TERM", "APPLIED", "LAG", "DISK", "VERSION", "ENDPOINT")
RIGHT_ALIGNED = {"TERM", "APPLIED", "LAG", "DISK"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list with one object per member.")
@connection_options
def status(connection: ConnectionOptions, as_json: bool) -> None:
    """Show each member: its role, the term, and how far it has come.

    Every endpoint is asked; the leader that members name is asked too.
    """

    async def ask() -> list[MemberReport]:
        async with connection.client() as client:
            return await client.status()

    reports = asyncio.run(ask())
    if as_json:
        click.echo(json.dumps([_as_object(report) for report in reports], indent=2))
    else:
        click.echo(table([COLUMNS, *(_row(report) for report in reports)]))
    for report in reports:
        if report.error is not None:
            complain(f"{report.endpoint}: {report.error}")
    if all(report.status is None for report in reports):
        sys.exit(UNREACHABLE)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows under one another, the first of which names the columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def cell(text: str, column: str, width: int) -> str:
        return text.rjust(width) if column in RIGHT_ALIGNED else text.ljust(width)

    return "\n".join("  ".join(map(cell, row, rows[0], widths)).rstrip() for row in rows)


def human_bytes(count: int) -> str:
    """``count`` with three digits or so and a binary unit."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{count} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _row(report: MemberReport) -> tuple[str, ...]:
    said = report.status
    if said is None:
        return ("-", "unreachable", "-", "-", "-", "-", "-", str(report.endpoint))
    numbers = (str(said.term), str(said.applied), str(said.lag), human_bytes(said.disk_bytes))
    return (said.member, said.role, *numbers, said.version, str(report.endpoint))


def _as_object(report: MemberReport) -> dict[str, object]:
    said = report.status
    names = ("member", "role", "term", "applied", "lag", "disk_bytes", "version", "pid")
    if said is None:
        return {**dict.fromkeys(names), "role": "unreachable", "endpoint": str(report.endpoint)}
    return {**{name: _plain(said, name) for name in names}, "endpoint": str(report.endpoint)}


def _plain(said: MemberStatus, name: str) -> object:
    value: object = getattr(said, name)
    return str(value) if isinstance(value, str) else value
