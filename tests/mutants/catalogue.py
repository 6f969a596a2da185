"""All mutants, by name."""

from types import ModuleType

from tests.mutants import (
    areas,
    capture,
    collections,
    core,
    exactly_once,
    host,
    leases,
    links,
    machine,
    offices,
    presidency,
    recipes,
    snapshots,
    storage,
)
from tests.mutants.mutant import Mutant


def _in(*areas: ModuleType) -> dict[str, Mutant]:
    every = [thing for area in areas for thing in vars(area).values() if isinstance(thing, Mutant)]
    found = {mutant.name: mutant for mutant in every}
    if len(found) != len(every):
        raise ValueError("every mutant has a name of its own")
    return found


MUTANTS = _in(
    core,
    presidency,
    leases,
    areas,
    storage,
    snapshots,
    host,
    links,
    machine,
    collections,
    recipes,
    capture,
    exactly_once,
    offices,
)
"""In the order of the catalogue: the protocol first, then what surrounds it."""
