"""docs/tutorial.md: its three processes run and sell, one of them is killed, and its tests pass."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.processes import free_ports
from tests.docs.documents import ROOT

TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A directory with the page's files, whose ports are such as nobody listens on."""
    ports = dict(zip(sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", TEXT))), free_ports(6), strict=True))
    for block in re.findall(r"^```(?:python|toml)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        name = re.match(r"# (\w+\.\w+)\n", block)
        assert name is not None
        with (tmp_path / name[1]).open("a", encoding="utf-8") as file:
            file.write(re.sub(r"127\.0\.0\.1:(\d+)", lambda match: f"127.0.0.1:{ports[match[1]]}", block))
    return tmp_path


def run(directory: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=directory, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_three_processes_sell_and_go_on_when_one_is_killed(written: Path) -> None:
    sold = "there are 2\nleft 1\nleft 0\nsold out: sku-1\n"
    members = {
        name: subprocess.Popen([sys.executable, "member.py", name], cwd=written, stdout=subprocess.PIPE, text=True)
        for name in ("n1", "n2", "n3")
    }
    try:
        leader = ""
        for name, member in members.items():
            assert member.stdout is not None
            line = member.stdout.readline()
            assert line.startswith(f"{name} runs, and n")
            leader = line.split()[3]
        assert run(written, "sell.py") == sold
        members[leader].kill()
        assert run(written, "sell.py") == sold
    finally:
        for member in members.values():
            member.kill()
            member.communicate()


def test_its_tests_pass(written: Path) -> None:
    assert "3 passed" in run(written, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py")


def test_its_python_is_typed(written: Path) -> None:
    files = ["shop.py", "member.py", "sell.py", "test_shop.py"]
    run(written, "-m", "mypy", "--strict", "--cache-dir", str(written / "cache"), *files)
