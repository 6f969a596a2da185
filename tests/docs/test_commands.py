"""The README names exactly the commands there are, and docs/commands.md every option of each."""

import importlib

import click
import pytest

from tests.docs.documents import ROOT, commands_in_readme, commands_of, flag_objections, flags_of
from tests.tidy.source import demand_none


@pytest.fixture
def paxon() -> click.Group:
    """The real command line.  Skipped only while its file is missing: a file that fails to import is a failure."""
    if not (ROOT / "src/paxon/cli/main.py").exists():
        pytest.skip("paxon.cli.main is not there")
    group = importlib.import_module("paxon.cli.main").cli
    assert isinstance(group, click.Group)
    return group


def test_the_readme_names_exactly_the_commands_there_are(paxon: click.Group) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert sorted(commands_in_readme(readme)) == [words for words, _ in commands_of(paxon)]


def test_every_option_is_documented(paxon: click.Group) -> None:
    demand_none(flag_objections(paxon, (ROOT / "docs/commands.md").read_text(encoding="utf-8")))


@pytest.fixture
def small() -> click.Group:
    """A command line that the documents below get right or wrong."""

    @click.group()
    def cli() -> None: ...

    @cli.command()
    @click.option("-n", "--count")
    @click.option("--loud/--quiet")
    @click.option("-v")
    @click.option("--secret", hidden=True)
    @click.argument("what")
    def put(**options: object) -> None: ...

    @cli.group()
    def ledger() -> None: ...

    @ledger.command()
    @click.option("--dir")
    def show(**options: object) -> None: ...

    @cli.command(hidden=True)
    def debug() -> None: ...

    return cli


def test_commands_and_flags_are_read_from_the_command_line(small: click.Group) -> None:
    found = dict(commands_of(small))
    assert list(found) == ["ledger show", "put"]
    assert flags_of(found["put"]) == ["--count", "--loud", "--quiet", "-v"]


def test_commands_are_read_from_the_readme() -> None:
    readme = (
        "# A\n| `paxon no` |\n## Commands\n| Command | X |\n|---|---|\n| `paxon put` | x |\n| `paxon ledger show` | |\n"
    )
    assert commands_in_readme(readme + "### Exit codes\n| Code |\n|---|\n| 0 |\n") == ["put", "ledger show"]


GOOD = "## `paxon put`\n`-n`, `--count`, `--loud/--quiet`, -v\n## `paxon ledger show`\n| `--dir` | where |\n"


def test_complete_documents_are_let_be(small: click.Group) -> None:
    assert not list(flag_objections(small, GOOD))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--count", "--counter"),
        ("--quiet", "--not-quiet"),
        ("-v", "-w"),
        ("`--dir`", ""),
        ("paxon ledger show", "paxon ledger"),
        ("## `paxon put`", ""),
        ("--count", "\n## Elsewhere\n--count"),
    ],
)
def test_a_gap_in_the_documents_is_found(small: click.Group, old: str, new: str) -> None:
    assert list(flag_objections(small, GOOD.replace(old, new)))
