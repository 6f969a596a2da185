"""Every ``.play`` file in this folder, played; what is told must be what the file says.

python -m pytest tests/plays --rewrite     writes what is told now into the files, for a look at the difference
"""

from pathlib import Path

import pytest

from paxon.errors import ConfigurationError
from paxon.sim.play import run_play

PLAYS = sorted(Path(__file__).parent.glob("*.play"))


@pytest.mark.parametrize("path", PLAYS, ids=lambda path: path.stem)
def test_a_play_ends_as_it_says(path: Path, request: pytest.FixtureRequest) -> None:
    written = path.read_text(encoding="utf-8")
    played = run_play(written)
    if request.config.getoption("--rewrite"):
        path.write_text(played, encoding="utf-8")
    assert played == written


def test_there_are_plays() -> None:
    assert len(PLAYS) >= 5


@pytest.mark.parametrize("wrong", ["elect 1", "members 3\ndance 1", "members 3\ndeliver Nonsense", "members 3\nsync x"])
def test_what_is_no_stage_direction_is_refused_with_its_line(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"line \d"):
        run_play(wrong)


def test_a_changed_ending_is_noticed() -> None:
    text = "members 3\nelect 1\n> 1 presides in 9.9\n"
    assert run_play(text) != text
