"""docs/api says what the docstrings say, and they say something of everything that is public."""

import inspect
from collections.abc import Iterator

import pytest

from tests.docs import api
from tests.tidy.source import demand_none


@pytest.mark.parametrize("page", api.INTRODUCTIONS)
def test_a_page_is_as_the_docstrings_are(page: str) -> None:
    written = (api.PAGES / f"{page}.md").read_text(encoding="utf-8")
    assert written == api.text_of(page), "write it again with: python -m tests.docs.api"


def test_there_are_no_other_pages() -> None:
    assert {path.stem for path in api.PAGES.glob("*.md")} == set(api.INTRODUCTIONS)


def silent() -> Iterator[str]:
    """Whatever is public and says nothing of itself."""
    for page in api.INTRODUCTIONS:
        for name, thing in api.public(page).items():
            if not inspect.getdoc(thing):
                yield f"{page}.{name}"
            for attribute, value in vars(thing).items() if isinstance(thing, type) else ():
                is_shown = inspect.isfunction(value) or isinstance(value, property)
                if is_shown and not attribute.startswith("_") and not value.__doc__:
                    yield f"{page}.{name}.{attribute}"


def test_everything_public_says_what_it_is() -> None:
    demand_none(silent())


def test_a_docstring_becomes_a_page() -> None:
    text = (api.PAGES / "paxon.md").read_text(encoding="utf-8")
    assert "async with open(" in text
    assert "- `Rejected`: the command's own refusal, of its own class." in text
    examples = text.split("```python")[1:]
    assert any("left = await member.submit(Inventory.reserve" in example.split("```")[0] for example in examples)
