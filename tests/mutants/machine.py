"""Mutants of the applier and the key-value machine: what a decided command does."""

import contextlib
from typing import Any

from msgspec import MsgspecError

from paxon.core.decree import Decree, Slot
from paxon.kv import name_server
from paxon.kv.name_server import CompareAndPut, NameServer
from paxon.rsm import attempt
from paxon.rsm.applier import Applier
from paxon.rsm.attempt import Result
from tests.mutants.mutant import Patch, mutant


@mutant(
    "a poison command (fault P7); 4.1",
    "tests/rsm/test_applier.py::test_a_failing_command_is_a_result_and_the_rest_goes_on",
)
def poison_wedges_the_log(patch: Patch) -> None:
    """A command on which the machine raises is no result but an error of the member."""

    def escapes(error: Exception) -> Any:
        raise error

    patch.replace(attempt, "failure", escapes)


@mutant("4.1; rsm.applier.Applier", "tests/rsm/test_applier.py::test_a_slot_out_of_turn_is_our_bug")
def slots_applied_twice(patch: Patch) -> None:
    """A decree that comes again is applied again."""
    apply = Applier.apply

    def patient(self: Applier, slot: Slot, decree: Decree) -> list[Result]:
        self.applied_until = slot
        return apply(self, slot, decree)

    patch.replace(Applier, "apply", patient)


@mutant("3.3.3; rsm.machine.Context", "tests/rsm/test_applier.py::test_decided_time_never_runs_backwards")
def decided_time_runs_backwards(patch: Patch) -> None:
    """The time that a machine sees is the stamp of the decree, also below an earlier one."""
    apply = Applier.apply

    def forgetful(self: Applier, slot: Slot, decree: Decree) -> list[Result]:
        self._now_ms = 0
        return apply(self, slot, decree)

    patch.replace(Applier, "apply", forgetful)


@mutant(
    "4.1; kv.name_server.CompareAndPut",
    "tests/kv/test_name_server.py::test_a_compare_and_put_over_a_value_expects_just_that",
)
def expecting_nothing_matches_anything(patch: Patch) -> None:
    """A compare-and-put that expects no value overwrites one."""
    apply = NameServer.apply

    def careless(self: NameServer, command: bytes, context: Any) -> bytes:
        with contextlib.suppress(MsgspecError):
            decoded = name_server._decode_command(command)
            if isinstance(decoded, CompareAndPut) and decoded.expected is None:
                found, _ = self._entries.get(decoded.key, name_server._ABSENT)
                command = name_server._encode(CompareAndPut(decoded.key, found, decoded.value))
        return apply(self, command, context)

    patch.replace(NameServer, "apply", careless)


@mutant("4.1; kv.name_server", "tests/kv/test_name_server.py::test_figure_2_of_the_paper")
def versions_stand_still(patch: Patch) -> None:
    """A put over a value leaves its version as it was."""

    def put(self: NameServer, key: bytes, value: bytes) -> int:
        version = max(1, self._entries.get(key, name_server._ABSENT)[1])
        self._entries[key] = (value, version)
        return version

    patch.replace(NameServer, "_put", put)
