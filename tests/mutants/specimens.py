"""Mutants that prove nothing, for the tests of the program that judges them.  Not part of the catalogue."""

from typing import Any

from paxon.kv.name_server import NameServer
from tests.mutants.mutant import Mutant, Patch, mutant

KILLER = "tests/kv/test_name_server.py::test_figure_2_of_the_paper"


@mutant("nowhere", KILLER)
def harmless(patch: Patch) -> None:
    """Nothing is broken: what is replaced does what it did."""
    apply = NameServer.apply
    patch.replace(NameServer, "apply", lambda self, command, context: apply(self, command, context))


@mutant("nowhere", KILLER)
def clumsy(patch: Patch) -> None:
    """The mutant's own code fails."""

    def forgets_an_argument(self: NameServer, command: bytes) -> bytes:
        return command

    patch.replace(NameServer, "apply", forgets_an_argument)


@mutant("nowhere", KILLER)
def clumsy_elsewhere(patch: Patch) -> None:
    """The shipped code fails over what the mutant hands it."""
    put: Any = None
    patch.replace(NameServer, "_put", put)


@mutant("nowhere", KILLER)
def out_of_date(patch: Patch) -> None:
    """What it replaces is gone from the shipped code."""
    patch.replace(NameServer, "apply_all", lambda self: None)


@mutant("nowhere", KILLER)
def empty(patch: Patch) -> None:
    """It replaces nothing."""


@mutant("nowhere", "tests/kv/test_name_server.py::test_that_was_renamed")
def without_a_killer(patch: Patch) -> None:
    """The test that is said to kill it is gone."""
    patch.replace(NameServer, "__len__", lambda self: 0)


@mutant("nowhere", KILLER)
def endless(patch: Patch) -> None:
    """The code never comes back."""

    def hangs(self: NameServer, command: bytes, context: Any) -> bytes:
        while True:
            pass

    patch.replace(NameServer, "apply", hangs)


SPECIMENS: dict[str, Mutant] = {
    specimen.name: specimen
    for specimen in (harmless, clumsy, clumsy_elsewhere, out_of_date, empty, without_a_killer, endless)
}
