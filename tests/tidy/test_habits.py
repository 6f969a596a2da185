"""No bare assert, no loose notes, nothing that runs its input, no sleeping tests."""

import pytest

from tests.tidy.habits import MAY_SLEEP, assert_findings, note_findings, sleep_findings, unsafe_findings
from tests.tidy.source import SourceFile, demand_none, listed, python_files


def _file(text: str) -> list[SourceFile]:
    return [SourceFile("src/paxon/node/a.py", text)]


def test_no_bare_assert_in_the_source() -> None:
    demand_none(assert_findings(python_files("src")))


def test_work_notes_name_their_issue() -> None:
    # This directory is about the words themselves.
    tests = [file for file in python_files("tests") if not file.path.startswith("tests/tidy/")]
    demand_none(note_findings([*python_files("src"), *tests]))


def test_nothing_runs_its_input() -> None:
    demand_none(unsafe_findings(python_files("src")))


def test_tests_do_not_sleep() -> None:
    demand_none(sleep_findings(python_files("tests"), MAY_SLEEP))


def test_a_bare_assert_is_found() -> None:
    assert listed(assert_findings(_file("def f(x):\n    assert x")))
    assert not listed(assert_findings(_file("def f(x):\n    check(x, 'assert x')")))


@pytest.mark.parametrize(
    "text",
    [
        "# FIXME",
        "# XXX: later",
        "x = 1  # TODO: later",
        "# TODO(someone): later",
        "# TODO #12",
        '"""TODO later."""',
        'def f():\n    """One.\n\n    FIXME\n    """',
        'x = 1\n"""TODO: say more."""',
    ],
)
def test_a_loose_note_is_found(text: str) -> None:
    assert listed(note_findings(_file(text)))


@pytest.mark.parametrize("text", ["# TODO(#12): later", "x = 'TODO FIXME'", "# TODOS and XXXL", "todo = 1"])
def test_a_numbered_note_is_let_be(text: str) -> None:
    assert not listed(note_findings(_file(text)))


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import marshal",
        "eval('1')",
        "exec('x = 1')",
        "run = eval",
        "import builtins\nbuiltins.exec('1')",
        "import yaml\nyaml.load(x)",
        "import yaml as y\ny.load(x)",
        "from yaml import load",
    ],
)
def test_running_the_input_is_found(text: str) -> None:
    assert listed(unsafe_findings(_file(text)))


@pytest.mark.parametrize("text", ["import yaml\nyaml.safe_load(x)", "machine.exec(x)", "from ast import literal_eval"])
def test_harmless_names_are_let_be(text: str) -> None:
    assert not listed(unsafe_findings(_file(text)))


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(1)",
        "import time as t\nt.sleep(0.1)",
        "from time import sleep\nsleep(1)",
        "from asyncio import sleep as nap\nasync def f():\n    await nap(1)",
        "import asyncio\nasync def f():\n    await asyncio.sleep(delay)",
    ],
)
def test_a_sleep_is_found(text: str) -> None:
    assert listed(sleep_findings(_file(text), {}))
    assert not listed(sleep_findings(_file(text), {"src/paxon/node/a.py": "a reason"}))


def test_a_file_on_the_list_must_need_it() -> None:
    assert listed(sleep_findings(_file("x = 1"), {"src/paxon/node/a.py": "a reason"}))
    assert listed(sleep_findings([], {"tests/gone.py": "a reason"}))


@pytest.mark.parametrize("text", ["import asyncio\nasync def f():\n    await asyncio.sleep(0)", "clock.sleep(1)"])
def test_yielding_and_other_clocks_are_let_be(text: str) -> None:
    assert not listed(sleep_findings(_file(text), {}))
