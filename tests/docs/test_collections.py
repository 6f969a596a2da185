"""docs/collections.md has every structure, method, event, refusal and limit, and no others; its examples run."""

import re
import types
from typing import Any, get_args

import pytest

from paxon.collections import refusals, values
from paxon.collections.barriers import BarrierEvent, Barriers
from paxon.collections.counters import Counted, Counters
from paxon.collections.lapsing import GRAIN_MS
from paxon.collections.maps import MapEvent, Maps
from paxon.collections.parties import Parties, PartyEvent
from paxon.collections.priority_queues import PriorityQueues
from paxon.collections.queues import Queues
from paxon.collections.rate_limiters import RateLimiters
from paxon.collections.rwlocks import RWLocks
from paxon.collections.seats import SeatEvent
from paxon.collections.semaphores import Semaphores
from paxon.collections.sets import SetEvent, Sets
from paxon.collections.terms import Terms
from paxon.collections.work import WorkEvent
from paxon.errors import Rejected
from paxon.rsm.contract import StateMachine, methods_of
from tests.docs.documents import ROOT, first_cells, sections, table_rows

TEXT = (ROOT / "docs/collections.md").read_text(encoding="utf-8")

EVENTS: dict[type[StateMachine], Any] = {
    Terms: SeatEvent,
    RWLocks: SeatEvent,
    Semaphores: SeatEvent,
    Queues: WorkEvent,
    PriorityQueues: WorkEvent,
    Counters: Counted,
    Maps: MapEvent,
    Sets: SetEvent,
    Barriers: BarrierEvent,
    Parties: PartyEvent,
    RateLimiters: None,
}
"""Every structure, with the type of its events."""

every_structure = pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)


def test_every_structure_has_its_section() -> None:
    found = [
        heading for heading in sections(TEXT) if heading not in ("", "Ready-made structures", "What holds for all")
    ]
    assert found == [kind.__name__ for kind in EVENTS]
    modules = {path.stem for path in (ROOT / "src/paxon/collections").glob("*.py")}
    shared = {"__init__", "heap", "holding_rule", "lapsing", "refusals", "seats", "tables", "values", "work"}
    assert modules - shared == {kind.__module__.rpartition(".")[2] for kind in EVENTS}


@every_structure
def test_a_section_has_every_method(kind: type[StateMachine]) -> None:
    section = sections(TEXT)[kind.__name__]
    assert f"`{kind.__module__}.{kind.__name__}`" in section
    methods = {f"`{method.name}`" for method in methods_of(kind).values()}
    assert set(first_cells(section)) == methods


@every_structure
def test_a_section_has_every_event(kind: type[StateMachine]) -> None:
    section = sections(TEXT)[kind.__name__]
    told = re.search(r"^Events under `([a-z-]+)/NAME`: (.*)\.$", section, re.MULTILINE)
    if EVENTS[kind] is None:
        assert told is None
        return
    assert told is not None
    event = EVENTS[kind]
    kinds = get_args(event) if isinstance(event, types.UnionType) else (event,)
    assert told[2] == ", ".join(f"`{one.__name__}`" for one in kinds)
    assert kind.__doc__ is not None
    assert f"``{told[1]}/NAME``" in kind.__doc__


def test_every_refusal_has_its_row() -> None:
    kinds = [kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Rejected)]
    kinds.remove(Rejected)
    rows = [cells[0] for cells in table_rows(sections(TEXT)["What holds for all"]) if "_MAX" not in cells[0]]
    assert rows == [f"`{kind.__name__}`" for kind in kinds]


def test_every_limit_is_as_it_says() -> None:
    limits = {f"`{name}`": value for name, value in vars(values).items() if name.endswith("_MAX")}
    rows = [cells for cells in table_rows(sections(TEXT)["What holds for all"]) if "_MAX" in cells[0]]
    assert {cells[0]: int(cells[1].replace(",", "")) for cells in rows} == limits


def test_moments_are_as_it_says() -> None:
    assert GRAIN_MS == 100
    assert "the first full tenth of a second\n(`GRAIN_MS`)" in TEXT


@pytest.mark.parametrize("example", re.findall(r"^```python\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
def test_its_examples_run(example: str) -> None:
    exec(example, {})  # noqa: S102
