"""docs/errors.md names every error, and says of every request error whether it was applied."""

import re
from collections.abc import Iterator

import pytest

from paxon import errors
from paxon.errors import OutcomeUnknown, PaxonError, RequestError
from tests.docs.documents import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


def branches(root: type[PaxonError]) -> Iterator[type[PaxonError]]:
    for kind in root.__subclasses__():
        yield kind
        yield from branches(kind)


OURS = [kind for kind in branches(PaxonError) if kind.__module__ == errors.__name__]


def row(kind: type[PaxonError]) -> list[str]:
    """The cells of the error's row."""
    found = re.search(rf"^\| `{kind.__name__}` \|(.*)\|$", PAGE, re.MULTILINE)
    assert found is not None, f"docs/errors.md has no row for {kind.__name__}"
    return [cell.strip() for cell in found[1].split("|")]


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_row(kind: type[PaxonError]) -> None:
    cells = row(kind)
    if issubclass(kind, RequestError):
        assert cells[0] == f"`{kind.code}`"
        assert cells[1] == ("maybe" if issubclass(kind, OutcomeUnknown) else "no")


def test_the_page_names_no_error_that_does_not_exist() -> None:
    names = {kind.__name__ for kind in OURS}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == names
