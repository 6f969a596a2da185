"""mypy --strict refuses a user's mistakes, each for the reason that is expected, and nothing else."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
MISUSES = Path(__file__).with_name("misuses.py")

Errors = dict[int, list[tuple[str, str]]]
"""By line: the code of each error, and its message or a part of it."""


def expected() -> Errors:
    """What the comments above the lines announce."""
    announced: Errors = defaultdict(list)
    waiting: list[tuple[str, str]] = []
    for number, line in enumerate(MISUSES.read_text(encoding="utf-8").splitlines(), start=1):
        if found := re.match(r" *# \[([\w-]+)\] (.*)", line):
            waiting.append((found[1], found[2]))
        elif waiting:
            announced[number] = waiting
            waiting = []
    return announced


def told() -> Errors:
    """What mypy says."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-pretty", "--no-error-summary", str(MISUSES)]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300).stdout
    said: Errors = defaultdict(list)
    for line in output.splitlines():
        if found := re.match(r"(.*?):(\d+): error: (.*)  \[([\w-]+)\]$", line):
            assert found[1].endswith(MISUSES.name), line
            said[int(found[2])].append((found[4], found[3]))
    return said


def test_every_misuse_is_refused_for_its_reason_and_nothing_else_is() -> None:
    announced, said = expected(), told()
    assert len(announced) > 30
    assert sorted(said) == sorted(announced)
    for line, reasons in announced.items():
        assert sorted(code for code, _ in said[line]) == sorted(code for code, _ in reasons), line
        for code, text in reasons:
            assert any(code == one and text in message for one, message in said[line]), (line, code, text, said[line])
