"""``ledger show`` and ``ledger verify``: a member's data directory, read without the member."""

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from paxon.cli.failures import REFUSED, complain
from paxon.core.decree import FIRST_SLOT
from paxon.storage import inspect
from paxon.storage.directory import OsDirectory
from paxon.storage.inspect import Line, Report

DIRECTORY = click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


@click.group()
def ledger() -> None:
    """Look at a member's ledger on disk.  Takes no lock and changes nothing."""


@ledger.command()
@DIRECTORY
@JSON
def show(directory: Path, as_json: bool) -> None:
    """Print every record of the ledger in DIR, a member's own directory (such as paxon-data/n1)."""
    lines = inspect.show(OsDirectory(directory, create=False))
    if as_json:
        for line in lines:
            click.echo(json.dumps({**msgspec.to_builtins(line), "term": line.term}))
        return
    layout = "{:<27} {:>9} {:>8}  {:<14} {:>8} {:>10} {:>8} {:>10}  {}"
    click.echo(
        layout.format("SEGMENT", "OFFSET", "LINE", "KIND", "SLOT", "TERM", "COMMANDS", "BYTES", "STAMP").rstrip()
    )
    for line in lines:
        click.echo(layout.format(*_cells(line)).rstrip())


@ledger.command()
@DIRECTORY
@JSON
def verify(directory: Path, as_json: bool) -> None:
    """Check every record of the ledger in DIR, and replay it.  Exit code 1 if the member could not start with it."""
    report = inspect.verify(OsDirectory(directory, create=False))
    if as_json:
        click.echo(json.dumps({**msgspec.to_builtins(report), "sound": report.sound}))
    else:
        for name, text in _findings(report):
            click.echo(f"{name + ':':<12} {text}")
    if report.damage is not None:
        complain(report.damage)
        sys.exit(REFUSED)


def _cells(line: Line) -> Iterable[str]:
    numbers = (line.slot, line.term)
    slot, term = ("-" if number is None else str(number) for number in numbers)
    stamp = "-"
    if line.stamp_ms:
        stamp = datetime.fromtimestamp(line.stamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return (
        line.segment,
        str(line.offset),
        str(line.line),
        line.kind,
        slot,
        term,
        str(line.commands),
        str(line.command_bytes),
        stamp,
    )


def _findings(report: Report) -> Iterable[tuple[str, str]]:
    identity = report.identity
    yield "member", f"{identity.member} of cluster {identity.cluster}"
    yield "records", f"{report.records} in {report.segments} segments, {report.disk_bytes} bytes"
    if report.first_slot > FIRST_SLOT:
        yield "begins", f"at slot {report.first_slot}; what was before is in a snapshot"
    for snapshot in report.snapshots:
        yield "snapshot", f"of every slot below {snapshot.slot}, {snapshot.size} bytes"
    for what in report.damaged_snapshots:
        yield "not used", what
    yield "committed", f"every slot below {report.passed_until}"
    yield "promised", f"term {report.promised.term}"
    if report.torn_bytes:
        yield "torn tail", f"{report.torn_bytes} bytes of an unfinished write; the next start removes them"
    for what in report.repairable:
        yield "repairable", what
    yield "verdict", "sound" if report.sound else "damaged"
