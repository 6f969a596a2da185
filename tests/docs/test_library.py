"""docs/library.md: its examples pass mypy as they stand, and its tables are complete."""

import re
import subprocess
import sys
from pathlib import Path

from paxon.client.caller import Caller
from paxon.client.statistics import ClientStatistics, MemberStatistics
from tests.docs.documents import ROOT, first_cells, sections

TEXT = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")


def test_the_examples_are_correct_by_mypy(tmp_path: Path) -> None:
    program = tmp_path / "library.py"
    program.write_text("\n\n".join(re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)))
    command = [sys.executable, "-m", "mypy", "--strict", str(program)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout


def test_the_table_names_every_call() -> None:
    told = set(re.findall(r"`(\w+)", " ".join(first_cells(sections(TEXT)["Calls"]))))
    # Whoever closes a caller is the context that made it; the time limit is told of beside ``within``.
    assert told == {name for name in vars(Caller) if not name.startswith("_")} - {"close", "timeout"}


def test_every_figure_of_the_statistics_is_named() -> None:
    told = set(re.findall(r"`(\w+)`", sections(TEXT)["Statistics"]))
    assert told == {*MemberStatistics.__struct_fields__, *ClientStatistics.__struct_fields__}
