"""Every ``.play`` file in this folder, played; what is told must be what the file says.

python -m pytest tests/plays --rewrite     writes what is told now into the files, for a look at the difference
"""

from itertools import takewhile
from pathlib import Path

import pytest

from paxon.errors import ConfigurationError
from paxon.sim.play import BROKEN, run_play

PLAYS = sorted(Path(__file__).parent.glob("*.play"))


def record(path: Path) -> None:
    """Write what is told now into a play, unless something in it is broken: then its author must decide."""
    played = run_play(path.read_text(encoding="utf-8"))
    if BROKEN not in played:
        path.write_text(played, encoding="utf-8")


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_a_play_ends_as_it_says(path: Path, request: pytest.FixtureRequest) -> None:
    written = path.read_text(encoding="utf-8")
    if request.config.getoption("--rewrite"):
        record(path)
    played = run_play(written)
    assert played == written
    assert BROKEN not in played


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_a_play_says_what_it_shows(path: Path) -> None:
    """The heading tells a reader what to look for, and at least one ``expect`` is what it comes down to."""
    lines = path.read_text(encoding="utf-8").splitlines()
    heading = takewhile(lambda line: line.startswith("#"), lines)
    assert len(" ".join(heading).split()) >= 20, "a heading is two or three sentences"
    assert any(line.startswith("expect ") for line in lines)


@pytest.mark.parametrize(
    "wrong",
    [
        "elect 1",
        "members 3\ndance 1",
        "members 3\ndeliver Nonsense",
        "members 3\nsync x",
        "members 3 weights 1 2",
        "members 3 depth 2",
        "members 3\nstand 1 in 4.2",
        "members 3\nfail 2",
        "members 3\ntell everything",
        "members 3\nelect 1 with 2",
        "members 3\nelect 1\nsubmit 1 huge",
        "members 3\nrestart 1 2",
        "members 3\npause 1",
        "members 3\ndrop Voted LastVote",
        "members 1",
        "members 100000000",
        "members 3\nwait 99999999999999",
        "members 3\nwait -1",
        "members 3\npause 1 99999999999999",
        "members 3\nclock 1 99999999999999",
    ],
)
def test_what_is_no_stage_direction_is_refused_with_its_line(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"line \d"):
        run_play(wrong)


def test_a_changed_ending_is_noticed() -> None:
    text = "members 3\nelect 1\n> 1 presides in 9.9\n"
    assert run_play(text) != text


@pytest.mark.parametrize(
    "wrong",
    [
        "expect 2 presides",
        "expect 1 presides in 2",
        "expect not 1 presides",
        "expect c1 ends",
        "expect 1->2 BeginBallot",
        "deliver Voted 2->1",
        "drop BeginBallot",
        "free Voted",
        "stand 1",
        "crash 2\nsubmit 2",
        "pause 2 100\nread 2",
    ],
)
def test_a_play_that_expects_what_is_not_so_ends_there(wrong: str) -> None:
    """The line after the broken one is not played: what would follow from it means nothing."""
    played = run_play(f"members 3\nelect 1\n{wrong}\nsubmit 1\n")
    assert played.splitlines()[-1].startswith(BROKEN)
    assert "submit 1" not in played


@pytest.mark.parametrize("right", ["1 presides", "1 presides in 2.1", "not 2 presides", "not 1 presides in 2"])
def test_what_is_expected_is_a_beginning_of_whole_words(right: str) -> None:
    assert BROKEN not in run_play(f"members 3\nelect 1\nexpect {right}\n")


def test_a_broken_play_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "broken.play"
    text = "members 3\nelect 1\nexpect 2 presides\nsubmit 1\n"
    path.write_text(text, encoding="utf-8")
    record(path)
    assert path.read_text(encoding="utf-8") == text
    path.write_text("members 3\nelect 1\n", encoding="utf-8")
    record(path)
    assert "> 1 presides in 2.1\n" in path.read_text(encoding="utf-8")


def test_a_letter_that_is_held_moves_only_once_it_is_free() -> None:
    played = run_play(
        "members 3\nstand 1\nsync 1\nhold NextBallot 1->2\ndeliver\nexpect not 2 promised\n"
        "free NextBallot\ndeliver\nexpect 2 promised 2.1\n"
    )
    assert BROKEN not in played


def test_what_a_sleeping_member_gets_it_reads_when_it_wakes() -> None:
    played = run_play(
        "members 3\nstand 1\nsync 1\npause 2 50\ndeliver NextBallot 1->2\nexpect 2 is asleep\n"
        "expect not 2 promised\nwait 50\nexpect 2 promised 2.1\n"
    )
    assert BROKEN not in played


def test_stamps_are_told_on_demand() -> None:
    text = "members 3\n{}clock 1 +60000\nelect 1\nsubmit 1\n"
    assert "stamped" not in run_play(text.format(""))
    assert "c1 (stamped 60" in run_play(text.format("tell stamps\n"))
