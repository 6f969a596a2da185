"""Areas of the state and their specialists, as this member's own state has them (section 3.3.4 of the paper).

Knows: that an area is a part, that its specialist holds an office in ``Terms``, and which area the answer to a call
tells of.  Does not know: what follows from it; ``hold_back`` does.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, assert_never

from paxon.collections.terms import Terms
from paxon.core.decree import NodeId
from paxon.node.hold_back import EVERY_AREA, Area
from paxon.rsm.assembly import Assembly, part_of
from paxon.rsm.session_requests import (
    Close,
    Open,
    Opened,
    Perform,
    Plain,
    Request,
    Tick,
    decode_answer,
    exchanges,
    is_done,
)

AREA: Final = "area/"
"""The office of a part's specialist is this and the name of the part; the ``value`` of its seat names the member."""

TERMS: Final = "paxon.terms"

NOBODY: Final = NodeId(0)
"""Stands for the holder of such an office that is no member: nobody hears from it, so its term has to end."""


class Areas:
    """Satisfies ``hold_back.Appointments``."""

    def __init__(self, assembly: Assembly, ids: Mapping[str, NodeId]) -> None:
        """``ids`` are the numbers of the members by name."""
        terms = assembly.objects[TERMS].machine if TERMS in assembly.objects else None
        self._terms = terms if isinstance(terms, Terms) else Terms()
        self._offices: dict[Area, tuple[str, ...]] = {part: (AREA + part,) for part in assembly.parts}
        self._offices[EVERY_AREA] = tuple(AREA + part for part in assembly.parts)
        self._ids = ids

    @property
    def may_be_any(self) -> bool:
        """See ``Appointments``: whether anybody holds any office, which costs one look."""
        return bool(self._terms.holders_by_name)

    def of_command(self, command: bytes, answer: bytes) -> Area | None:
        """See ``Appointments``.

        What travels together is told together, and waits for whoever has to know any of it.
        """
        told_of = {_told_of(request, one) for request, one in exchanges(command, answer)} - {None}
        return told_of.pop() if len(told_of) == 1 else EVERY_AREA if told_of else None

    def specialists(self, area: Area) -> Collection[NodeId]:
        """See ``Appointments``."""
        return {self._ids.get(name, NOBODY) for name in self._holders(self._offices.get(area, ()))}

    def includes(self, member: NodeId) -> bool:
        """See ``Appointments``."""
        return member in self.specialists(EVERY_AREA)

    def _holders(self, offices: Iterable[str]) -> Iterable[str]:
        """The names of the members that hold these offices."""
        holders_by_name = self._terms.holders_by_name
        return (seat.value for office in offices for seat in holders_by_name.get(office, {}).values())


def _told_of(request: Request, answer: bytes) -> Area | None:
    """What the answer to one request tells of.

    A result that was kept for a number tells what the command of that number did, and an ended session or a wrong
    number tells what other commands did, of whatever part.
    """
    match request:
        case Tick():
            return None
        case Plain(command=inner):
            return part_of(inner)
        case Perform(command=inner):
            return part_of(inner) if inner is not None and is_done(answer) else EVERY_AREA
        case Open() | Close():
            return None if decode_answer(answer) == Opened(0) else EVERY_AREA
        case _:
            assert_never(request)
