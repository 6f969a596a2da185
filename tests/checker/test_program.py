"""``python -m paxon.checker``: exit codes, what it prints, and that nothing else may touch the outside."""

import io
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from paxon.checker import SequentialModel
from paxon.checker.__main__ import MODELS, main
from paxon.checker.counter import Add, Total
from paxon.checker.model import Read
from tests.checker.histories import SUBJECTS, Clients, generate
from tests.tidy.layers import layer_findings, purity_findings
from tests.tidy.source import SourceFile, listed

GOOD = '{"process":"a","call":0,"input":{"type":"put","key":"k","value":1},"return":1,"output":{"type":"written"}}\n'
BAD = '{"process":"a","call":2,"input":{"type":"get","key":"k"},"return":3,"output":{"type":"found","value":2}}\n'


class Parity(SequentialModel[Read | Add, Total, int]):
    """A counter that knows only odd and even."""

    inputs = Read | Add
    outputs = Total

    def init(self) -> int:
        return 0

    def apply(self, state: int, input: Read | Add) -> tuple[Total, int]:  # noqa: A002
        after = (state + (input.amount if isinstance(input, Add) else 0)) % 2
        return Total(after), after


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = written(tmp_path / "good.jsonl", GOOD), written(tmp_path / "bad.jsonl", GOOD + BAD)
    assert main([good, "--model", "kv"]) == 0
    assert capsys.readouterr().out.startswith("Linearizable: ")
    assert main([bad, "--model", "kv"]) == 1
    assert capsys.readouterr().out.startswith("Not linearizable: key k.")
    assert main([good + "x", "--model", "kv"]) == 2
    assert main([good, "--model", "register"]) == 2
    assert "error: line 1: " in capsys.readouterr().err
    assert main([bad, "--model", "kv", "--steps-max", "1"]) == 2
    assert capsys.readouterr().out.startswith("No answer: ")
    assert main([bad, "--model", "kv", "--steps-max", "0"]) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["x.jsonl"], ["x.jsonl", "--model", "kv", "--steps-max", "-1"], ["x", "--model", "kv", "--no"]]
)
def test_wrong_arguments_exit_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


@pytest.mark.parametrize("name", ["kw", "nowhere:Model", "paxon.checker.counter:Nothing", "builtins:int", ":", "a:b:c"])
def test_an_unknown_model_is_an_error(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([written(tmp_path / "h.jsonl", GOOD), "--model", name]) == 2
    assert f"error: --model {name}: " in capsys.readouterr().err


def test_a_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    assert main([written(tmp_path / "h.jsonl", GOOD + BAD), "--model", "kv", "--html", str(page)]) == 1
    assert "h.jsonl: not linearizable" in page.read_text(encoding="utf-8")
    assert main([written(tmp_path / "h.jsonl", GOOD), "--model", "kv", "--html", str(tmp_path / "no" / "x")]) == 2


def test_standard_input_is_a_hyphen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert main(["-", "--model", "kv"]) == 0


@pytest.mark.parametrize(("name", "subject"), [*zip(MODELS, SUBJECTS.values(), strict=True)])
def test_every_model_has_a_name(tmp_path: Path, name: str, subject: Any) -> None:
    assert MODELS[name] is type(subject.model)
    history = generate(subject, Random(1), 30, Clients())
    assert main([written(tmp_path / "h.jsonl", "".join(history.dump())), "--model", name]) == 0


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    history = (
        '{"process":"a","call":0,"input":{"type":"add","amount":2},"return":1,"output":{"type":"total","total":%d}}'
    )
    even, odd = written(tmp_path / "even", history % 0), written(tmp_path / "odd", history % 2)
    assert main([even, "--model", f"{__name__}:Parity"]) == 0
    assert main([odd, "--model", f"{__name__}:Parity"]) == 1
    assert main([odd, "--model", "counter"]) == 0


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    history = written(tmp_path / "h.jsonl", GOOD + BAD)
    environment = {**os.environ, "PYTHONUTF8": "1"}
    ran = subprocess.run(
        [sys.executable, "-m", "paxon.checker", history, "--model", "kv"],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert "it would answer 1 (v1)." in ran.stdout


def test_only_the_program_may_touch_the_outside() -> None:
    text = "from pathlib import Path"
    assert not listed(purity_findings([SourceFile("src/paxon/checker/__main__.py", text)]))
    assert listed(purity_findings([SourceFile("src/paxon/checker/a.py", text)]))
    assert listed(purity_findings([SourceFile("src/paxon/core/__main__.py", text)]))
    assert listed(layer_findings([SourceFile("src/paxon/cli/a.py", "from paxon.checker.__main__ import main")]))
    assert listed(layer_findings([SourceFile("src/paxon/checker/a.py", "from paxon.core.decree import Slot")]))
    assert not listed(layer_findings([SourceFile("src/paxon/sim/a.py", "from paxon.checker import check_history")]))
