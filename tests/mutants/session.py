"""``pytest --mutant NAME``: one rule is broken for a whole run of tests, before any of them is imported."""

import pytest

from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Patch
from tests.mutants.specimens import SPECIMENS

PATCH = pytest.StashKey[Patch]()
"""Where a run keeps what its mutant does."""


def break_for_the_run(config: pytest.Config, name: str) -> None:
    """Apply the mutant called ``name`` until the run is over.

    Raises:
        UsageError: if there is no such mutant, or it does not fit the shipped code.
    """
    mutant = MUTANTS.get(name) or SPECIMENS.get(name)
    if mutant is None:
        raise pytest.UsageError(f"there is no mutant {name}: python -m tests.mutants --list names them all")
    monkeypatch = pytest.MonkeyPatch()
    config.add_cleanup(monkeypatch.undo)
    try:
        config.stash[PATCH] = mutant.apply(monkeypatch)
    except Exception as error:
        raise pytest.UsageError(f"mutant {name} cannot be applied: {type(error).__name__}: {error}") from error
