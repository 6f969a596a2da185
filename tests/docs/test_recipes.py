"""docs/recipes.md shows every recipe, and its examples run."""

import re

import pytest

from paxon.client.recipes.face import Recipes
from tests.docs.documents import ROOT

TEXT = (ROOT / "docs/recipes.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in vars(Recipes) if not name.startswith("_")])
def test_every_recipe_is_shown(name: str) -> None:
    assert re.search(rf"\bmember\.{name}\(", TEXT)


@pytest.mark.parametrize("example", re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
def test_its_examples_run(example: str) -> None:
    exec(example, {})  # noqa: S102


@pytest.mark.parametrize("sketch", re.findall(r"^```python notest\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
def test_its_sketches_are_python(sketch: str) -> None:
    body = re.sub("^", "    ", sketch, flags=re.MULTILINE)
    compile(f"async def sketch():\n{body}", "docs/recipes.md", "exec")
