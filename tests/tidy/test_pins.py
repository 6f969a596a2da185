"""The files of constraints pin everything, by hash, and say nothing about where they or the packages come from."""

import re
import tomllib

import pytest

from tests.tidy.source import ROOT, demand_none


def pin_objections(text: str) -> list[str]:
    """What is wrong with a file of pins."""
    found = []
    for pin in re.sub(r"\\\n\s*", "", text).splitlines():
        if not pin.strip() or pin.lstrip().startswith("#"):
            continue
        if not re.match(r"[a-z0-9-]+==[^\s;]+( ; [^;]+?)? --hash=sha256:[0-9a-f]{64}", pin):
            found.append(f"not an exact pin with a hash: {pin[:60]}")
    found += [f"a place, not a pin: {line}" for line in text.splitlines() if re.search(r"://|file:|(^|\s)/", line)]
    return found


PINS = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("constraints.txt", "constraints-fuzz.txt"))


def test_the_pins_are_exact_hashed_and_placeless() -> None:
    demand_none(pin_objections(PINS))


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(name for names in project["project"]["optional-dependencies"].values() for name in names),
        *(name for names in project["dependency-groups"].values() for name in names if isinstance(name, str)),
    ]
    pinned = set(re.findall(r"^([a-z0-9-]+)==", PINS, re.MULTILINE))
    names = {match[0] for match in map(re.compile(r"[A-Za-z0-9-]+").match, wanted) if match}
    assert names - pinned == set(), "run: make constraints"


HASH = "--hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    "text",
    [
        "click==8.1",
        f"click>=8.1 {HASH}",
        f"click {HASH}",
        "--index-url https://packages.example/simple",
        "--find-links /tmp/wheels",
        f"click @ https://packages.example/click.whl {HASH}",
        f"click==8.1 {HASH}\n    # via -r /tmp/requirements.in",
    ],
)
def test_a_loose_or_placed_pin_is_found(text: str) -> None:
    assert pin_objections(text)


def test_a_pin_with_a_marker_is_let_be() -> None:
    assert not pin_objections(f"# made by\nclick==8.1 ; sys_platform == 'win32' \\\n    {HASH} \\\n    {HASH}\n")
