"""The catalogue as a table in docs/mutants.md."""

from itertools import groupby

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant
from tests.tidy.source import ROOT

PATH = ROOT / "docs/mutants.md"

BEGIN, END = "<!-- catalogue: python -m tests.mutants --write -->\n", "<!-- end of catalogue -->\n"


def catalogue() -> str:
    """What stands between the marks."""
    lines: list[str] = []
    for area, mutants in groupby(MUTANTS.values(), key=lambda mutant: mutant.area):
        lines += [
            "",
            f"### {area.capitalize()}",
            "",
            "| Mutant | What is broken | Rule from | Killed by |",
            "|---|---|---|---|",
        ]
        lines += [_row(mutant) for mutant in mutants]
    return "\n".join([*lines, "", ""])


def _row(mutant: Mutant) -> str:
    killers = "<br>".join(f"`{killer.removeprefix('tests/')}`" for killer in mutant.killers)
    return f"| `{mutant.name}` | {mutant.broken.replace('``', '`')} | {mutant.source} | {killers} |"


def write() -> None:
    """Bring the page up to date.

    Raises:
        ValueError: if the page has lost its marks.
    """
    text = PATH.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    PATH.write_text(f"{before}{BEGIN}{catalogue()}{END}{after}", encoding="utf-8")
