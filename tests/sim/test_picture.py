"""The page of a run: one file with everything in it, the same for the same run, and a browser runs it."""

import hashlib
import json
import re
import shlex
import shutil
import subprocess
from base64 import b64encode
from itertools import product
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
from msgspec import structs

from paxon.core.decree import NodeId
from paxon.node.letters import PeerMessage
from paxon.sim.picture.drawing import draw
from paxon.sim.picture.look import GROUPS
from paxon.sim.picture.page import Caption, render
from paxon.sim.plan import plan_of
from paxon.sim.play import main as play_program
from paxon.sim.play import run_play
from paxon.sim.recording import Recording
from paxon.sim.world import World
from tests.tidy.source import ROOT

DARK_PAPER = "#14181d"

PAGE_BYTES_MAX = 3_000_000
"""A page that somebody sends to somebody else."""


def page_of(seed: int, claim: str = "", title: str = "Seed") -> tuple[Recording, str]:
    recording = Recording()
    world = World(seed, watcher=recording)
    world.run()
    caption = Caption(title, world.plan.members, (world.plan.name,), claim, world.strikes.diary)
    return recording, render(recording, caption)


def data_of(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found
    data = json.loads(found[1])
    assert isinstance(data, dict)
    return data


@pytest.fixture(scope="module")
def stormy() -> tuple[Recording, str]:
    return page_of(4)


# --- the file ---


def test_the_page_loads_nothing(stormy: tuple[Recording, str]) -> None:
    _, page = stormy
    assert not re.search(r"""(src|href|srcset)=|url\(|@import|https?:|//\w+\.\w""", page)


def test_a_browser_may_run_exactly_what_is_in_the_page(stormy: tuple[Recording, str]) -> None:
    _, page = stormy
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    for tag in ("script", "style"):
        (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_everything_that_was_recorded_is_in_the_page(stormy: tuple[Recording, str]) -> None:
    recording, page = stormy
    data = data_of(page)
    assert data["moments"] == recording.moments
    assert len(data["arrows"]) == len(recording.arrows)
    assert len(data["spans"]) == len(recording.spans)
    assert {data["texts"][text] for _, _, _, text in data["marks"]} == {mark.words for mark in recording.marks}
    assert data["strikes"]


def test_a_run_of_twenty_seconds_is_a_small_file() -> None:
    recording = Recording()
    world = World(4, structs.replace(plan_of(4, "lossy", 5), storm_ms=20_000), watcher=recording)
    world.run()
    assert len(recording.arrows) > 10_000
    assert len(render(recording, Caption("Long", world.plan.members)).encode()) < PAGE_BYTES_MAX


def test_the_same_run_is_the_same_page(stormy: tuple[Recording, str]) -> None:
    assert page_of(4)[1] == stormy[1]


def test_a_story_cannot_end_the_script_it_is_in() -> None:
    claim = "</script><b>I1 & more"
    _, page = page_of(3, claim, title="<i>Seed</i>")
    assert data_of(page)["claim"] == claim
    assert "<b>" not in page
    assert "<i>" not in page


def test_requests_that_overlap_are_drawn_in_rows_of_their_own(stormy: tuple[Recording, str]) -> None:
    data = data_of(stormy[1])
    names = [name for name, _ in data["spanKinds"]]
    rows = {row for kind, _, _, _, _, row in data["spans"] if names[kind] in ("done", "failed")}
    assert rows == {0, 1, 2, 3}


# --- what it looks like ---


def test_every_kind_of_letter_has_one_look() -> None:
    kinds = [kind for group in GROUPS for kind in group.kinds]
    assert sorted(kinds, key=str) == sorted(get_args(PeerMessage), key=str)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_words_in_the_colour_of_a_letter_can_be_read(group: Any) -> None:
    assert contrast(group.light, "#ffffff") >= 4.5
    assert contrast(group.dark, DARK_PAPER) >= 4.5


# --- in a browser ---

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

VISITOR = """{
const found = [];
window.addEventListener("error", (event) => found.push(`error: ${event.message}`));
const clock = () => document.getElementById("clock").textContent;
const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const stage = document.getElementById("stage");
found.push(`opens at ${clock()}`);
press("Home"); found.push(`begins at ${clock()}`);
press("End"); found.push(`ends at ${clock()}`);
press("0"); found.push(`all: ${document.getElementById("count").textContent}`);
document.querySelector("#list button").click();
found.push(`selected: ${document.getElementById("selected").textContent}`);
for (const box of document.querySelectorAll("#kinds input")) if (box.checked) box.click();
for (const box of document.querySelectorAll("#members input")) box.click();
found.push(`filtered: ${document.getElementById("count").textContent}`);
document.getElementById("play").click(); found.push(document.getElementById("play").textContent);
press(" "); found.push(document.getElementById("play").textContent);
stage.dispatchEvent(new WheelEvent("wheel", { deltaY: -300, cancelable: true }));
stage.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
stage.dispatchEvent(new MouseEvent("mousemove", { bubbles: true }));
const row = (line) => Object.assign(document.createElement("p"), { textContent: line });
document.body.replaceChildren(...found.map(row));
}"""
"""What somebody does who tries everything; what they saw takes the place of the page."""


def visited(page: str, folder: Path) -> list[str]:
    """What a visitor in a browser saw.  The page forbids all scripts but its own, so the visitor's needs leave."""
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    file = folder / "page.html"
    file.write_text(page.replace("</body>", f"<script>{VISITOR}</script></body>"), encoding="utf-8")
    command = [str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}"]
    run = subprocess.run(
        [*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    return re.findall(r"<p>(.*?)</p>", run.stdout)


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
def test_a_browser_runs_the_page_without_an_error(stormy: tuple[Recording, str], tmp_path: Path) -> None:
    recording, page = stormy
    first, last = f"{recording.moments[0]:,} ms", f"{recording.moments[-1]:,}"
    opened, began, ended, shown, selected, filtered, playing, resting = visited(page, tmp_path)
    assert opened.startswith("opens at ")
    assert began == f"begins at {first} of {last}"
    assert ended == f"ends at {last} ms of {last}"
    assert re.fullmatch(r"all: the first 300 of [\d,]+", shown)
    assert selected.startswith("selected: Member ")
    strikes = [strike for strike in data_of(page)["strikes"] if strike[1] not in ("N3", "N4", "N5")]
    assert filtered == f"filtered: {len(strikes)}"
    assert (playing, resting) == ("Pause", "Play")


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
def test_a_page_with_a_broken_rule_opens_at_it(tmp_path: Path) -> None:
    recording, page = page_of(10, claim="I0: a rule")
    assert visited(page, tmp_path)[0] == f"opens at {recording.moments[-1]:,} ms of {recording.moments[-1]:,}"


@pytest.mark.skipif(BROWSER is None, reason="no browser is installed")
def test_the_policy_of_the_page_lets_its_own_script_run(stormy: tuple[Recording, str], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(stormy[1], encoding="utf-8")
    command = [
        str(BROWSER),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'browser'}",
    ]
    run = subprocess.run(
        [*command, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    assert re.search(r'<output id="clock"[^>]*>[\d,]+ ms of [\d,]+</output>', run.stdout)


# --- the drawing ---

DOCUMENT = ROOT / "docs/pictures/gap.svg"


def gap_play() -> tuple[Recording, Caption]:
    recording = Recording()
    run_play((ROOT / "tests/plays/gap_rule.play").read_text(encoding="utf-8"), recording)
    return recording, Caption("A gap <3.1>", (NodeId(1), NodeId(2), NodeId(3)), is_to_scale=False)


def test_the_drawing_in_the_documents_is_what_its_play_draws(tmp_path: Path) -> None:
    text = (ROOT / "docs/proof.md").read_text(encoding="utf-8")
    found = re.search(r"`python -m paxon\.sim\.play ([^`]*)`", text)
    assert found
    arguments = shlex.split(found[1])
    place = arguments.index("--svg") + 1
    assert ROOT / arguments[place] == DOCUMENT
    arguments[0], arguments[place] = str(ROOT / arguments[0]), str(tmp_path / "gap.svg")
    assert play_program(arguments) == 0
    assert (tmp_path / "gap.svg").read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


def test_a_drawing_has_the_letters_and_marks_of_its_window_and_nothing_from_elsewhere() -> None:
    recording, caption = gap_play()
    svg = draw(recording, caption, 19, 60)
    assert not re.search(r"(src|href)=|url\(|@import|<script", svg)
    root = ElementTree.fromstring(svg)  # noqa: S314 -- it is our own text
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "A gap <3.1>"
    assert "1 to 2: BeginBallot 2.1 slot 2: c2; arrived" in titles
    assert "1 to 3: BeginBallot 2.1 slot 1: c1; lost" in titles
    assert "member 1 loses its power" in titles
    assert "member 1 c2 passes in slot 2" in titles
    assert not any("Presence" in str(title) for title in titles)
    assert not any("NextBallot 2.1" in str(title) for title in titles)


def test_a_drawing_may_be_empty_and_may_be_all() -> None:
    recording, caption = gap_play()
    scaled = structs.replace(caption, is_to_scale=True)
    for about, window in product((caption, scaled), ((), (0, 1), (500, 600), (60, 19))):
        svg = draw(recording, about, *window)
        assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314 -- it is our own text


def test_a_play_is_told_or_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    play = str(ROOT / "tests/plays/gap_rule.play")
    assert play_program([play]) == 0
    assert capsys.readouterr().out == Path(play).read_text(encoding="utf-8")
    assert play_program([play, "--picture", str(tmp_path / "gap.html")]) == 0
    data = data_of((tmp_path / "gap.html").read_text(encoding="utf-8"))
    assert (data["members"], data["isToScale"]) == ([1, 2, 3], False)


def test_what_is_no_play_and_what_cannot_be_written_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    play = str(ROOT / "tests/plays/gap_rule.play")
    for arguments in ([str(tmp_path / "none")], [str(ROOT / "README.md")], [play, "--svg", str(tmp_path / "no/x")]):
        assert play_program(arguments) == 2
        assert capsys.readouterr().err.startswith("error: ")
