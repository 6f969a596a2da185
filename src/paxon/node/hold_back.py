"""Answers that wait until the specialist of what they are about knows as much as they tell (section 3.3.4).

Knows: which answer tells of which area as of which slot, and how far each member said that it has applied.  Does not
know: how a specialist is appointed, or what it does with what it knows first; ``areas`` and docs/reads.md say that.

Theory of operation.  A specialist answers reads of its area from its own state and asks nobody.  So nobody may have
been told of the area what the specialist does not know: neither that a command was applied, nor what a query found.
Whoever is about to tell it looks at its own state.  If that names a specialist, the answer waits until the specialist
has said that it applied as much, or until our state says that its term is over.

Our state has applied the slot that the answer tells of, and so knows of every appointment before it.  An appointment
after it does no harm: who is appointed begins once it has applied its own appointment, and everything before.
"""

from collections import deque
from collections.abc import Collection
from typing import Any, Final, Protocol

from msgspec import Struct

from paxon.core.decree import NodeId, Slot
from paxon.errors import DeadlineExceeded, NotLeader, RequestError, check
from paxon.node.ports import Reply
from paxon.node.proposals import Applied, Pending
from paxon.rsm.attempt import Result

Area = str
"""The name of a part."""

EVERY_AREA: Final[Area] = ""
"""What an answer tells of that may tell of any.  No part has this name."""

WHOLE_LOG: Final = Slot(1 << 62)
"""How far somebody knows who need not be waited for."""


class Appointments(Protocol):
    """Who is a specialist of what, as this member's own state says at this moment."""

    @property
    def may_be_any(self) -> bool:
        """Whether there may be any: cheap, and looked at for every answer."""
        raise NotImplementedError

    def of_command(self, command: bytes, answer: bytes) -> Area | None:
        """What this answer to a command tells of, if anything."""

    def specialists(self, area: Area) -> Collection[NodeId]:
        """Whoever has to know of ``area`` first.  A number that no member has stands for one that nobody knows."""

    def includes(self, member: NodeId) -> bool:
        """Whether ``member`` is a specialist of anything."""


class NoAppointments:
    """Where nobody can be appointed."""

    @property
    def may_be_any(self) -> bool:
        """See ``Appointments``."""
        return False

    def of_command(self, command: bytes, answer: bytes) -> Area | None:
        """See ``Appointments``."""
        return None

    def specialists(self, area: Area) -> Collection[NodeId]:
        """See ``Appointments``."""
        return ()

    def includes(self, member: NodeId) -> bool:
        """See ``Appointments``."""
        return False


NO_APPOINTMENTS: Final = NoAppointments()


class _Held(Struct):
    """An answer that tells of everything below ``until``."""

    until: Slot
    reply: Reply[Any]
    answer: object
    deadline_ms: int
    late: RequestError
    """What is said instead at the deadline."""

    def tell(self) -> None:
        """Give the answer."""
        if not self.reply.done():
            self.reply.set_result(self.answer)

    def refuse(self, error: RequestError) -> None:
        """Say something that tells nothing."""
        if not self.reply.done():
            self.reply.set_exception(error)


class HoldBack:
    """Answers by area, in the order in which they were found.

    Invariant: ``until`` never falls along a queue, for each is what was applied here when the answer was found.
    """

    def __init__(self, me: NodeId, appointments: Appointments) -> None:
        self._me = me
        self._appointments = appointments
        self._known_until: dict[NodeId, Slot] = {}
        """How far each member said that it has applied; a life of its process that is over may have said so."""
        self._held: dict[Area, deque[_Held]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    @property
    def is_specialist(self) -> bool:
        """Whether others wait to hear from us how far we have applied."""
        return self._appointments.may_be_any and self._appointments.includes(self._me)

    # --- answers ---

    def tell_applied(self, pending: Pending, slot: Slot, result: Result) -> None:
        """Tell the submitter of a command what the state machine said, once its specialist knows of ``slot``."""
        if self._appointments.may_be_any and isinstance(result, bytes):
            area = self._appointments.of_command(pending.command, result)
            if not self._may_tell(area, Slot(slot + 1)):
                late = DeadlineExceeded("a specialist was not heard in time to know of the command, which was applied")
                self._hold(area, _Held(Slot(slot + 1), pending.reply, Applied(slot, result), pending.deadline_ms, late))
                return
        pending.succeed(slot, result)

    def may_tell_reader(self, area: Area | None, until: Slot) -> bool:
        """Whether a reader may be told at once what a state says of ``area`` that has applied all below ``until``."""
        return not self._appointments.may_be_any or self._may_tell(area, until)

    def tell_reader_later(self, area: Area | None, until: Slot, reply: Reply[int], deadline_ms: int) -> None:
        """Give ``reply`` the slot ``until`` once ``may_tell_reader`` would allow it."""
        late = NotLeader("a specialist was not heard in time to know what the answer tells")
        self._hold(area, _Held(until, reply, until, deadline_ms, late))

    # --- what sets them free ---

    def on_known(self, sender: NodeId, until: Slot) -> None:
        """A member has applied every slot below ``until``."""
        if until > self._known_until.get(sender, 0):
            self._known_until[sender] = until
            self.release()

    def release(self) -> None:
        """Give every answer that need not wait any more: a specialist knows more, or our state names it no more."""
        for area, queue in list(self._held.items()):
            known_until = self._known_by_all(area)
            while queue and queue[0].until <= known_until:
                queue.popleft().tell()
            if not queue:
                del self._held[area]

    def on_tick(self, now_ms: int) -> None:
        """Refuse what is past its deadline, and forget what nobody waits for any more."""
        for area, queue in list(self._held.items()):
            for held in queue:
                if held.deadline_ms <= now_ms:
                    held.refuse(held.late)
            kept = deque(held for held in queue if not held.reply.done())
            if kept:
                self._held[area] = kept
            else:
                del self._held[area]

    def abandon(self) -> None:
        """Nobody will learn here what was found."""
        held_by_area, self._held = self._held, {}
        for queue in held_by_area.values():
            for held in queue:
                held.refuse(held.late)

    # --- inside ---

    def _hold(self, area: Area | None, held: _Held) -> None:
        check(area is not None, "what tells of no area waits for nobody")
        self._held.setdefault(area or EVERY_AREA, deque()).append(held)

    def _may_tell(self, area: Area | None, until: Slot) -> bool:
        return area is None or until <= self._known_by_all(area)

    def _known_by_all(self, area: Area) -> Slot:
        """Every specialist of ``area`` has applied all below this."""
        others = [member for member in self._appointments.specialists(area) if member != self._me]
        return min((self._known_until.get(member, Slot(0)) for member in others), default=WHOLE_LOG)
