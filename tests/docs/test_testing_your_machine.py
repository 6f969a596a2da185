"""docs/testing-your-machine.md: its tests pass, its bad machine is caught as it shows, and its tables are complete."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from paxon.cli.main import cli
from paxon.testing import SimulatedCluster
from tests.docs.documents import ROOT, first_cells, sections

TEXT = (ROOT / "docs/testing-your-machine.md").read_text(encoding="utf-8")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A directory with the files that the page shows; blocks of one file follow each other."""
    for block in re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        name = re.match(r"# (\w+\.py)\n", block)
        assert name is not None
        with (tmp_path / name[1]).open("a", encoding="utf-8") as file:
            file.write(block)
    return tmp_path


def test_its_tests_pass(written: Path) -> None:
    arguments = ["-q", "-p", "no:cacheprovider", "-W", "error", "test_bank.py", "test_stock.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=written, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "6 passed" in run.stdout


def test_its_python_is_typed(written: Path) -> None:
    files = ["bank.py", "late.py", "test_bank.py", "stock.py", "test_stock.py"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(written / "cache"), *files],
        cwd=written,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


def test_its_bad_machine_is_caught_as_it_shows(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written)
    monkeypatch.setattr(sys, "path", [str(written), *sys.path])
    blocks = re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    command, *shown = next(block for block in blocks if "late:Late" in block).splitlines()
    result = CliRunner().invoke(cli, [*command.split()[2:], "--jobs", "1"])
    assert result.exit_code == 1
    for line in shown:
        wanted = ".*".join(re.escape(part) for part in line.split("..."))
        assert re.search(rf"^{wanted}$", result.output, re.MULTILINE), line


def test_the_example_of_the_readme_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "readme"}
    for block in re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL):
        exec(compile(block, "README.md", "exec"), names)  # noqa: S102
    assert names["cluster"].leader is not None


def test_its_table_names_all_that_a_cluster_can() -> None:
    cells = " ".join(first_cells(sections(TEXT)["A cluster in two lines"]))
    public = {name for name in vars(SimulatedCluster) if not name.startswith("_")} - {"close"}
    assert set(re.findall(r"`(\w+)", cells)) == public
