"""What a run with offices must come to: by true time, nobody ever believes in a term while another one does.

Knows: true time, what was decided, and who believes what.  Does not know: any member's clock, or how a
holder comes to its belief.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from msgspec import msgpack

from paxon.collections.seats import Ended, Granted, SeatEvent
from paxon.errors import check
from paxon.rsm.feed import Event

_SEAT_EVENT: Final[Any] = SeatEvent
"""A type checker takes a union for no type."""


class Believer(Protocol):
    """Somebody who may hold an office."""

    seeker: bytes
    """The name under which it sought the office; no other attempt has it."""

    @property
    def believes(self) -> bool:
        """Whether it holds the office at this moment, as far as it can know."""


class Resource:
    """Something outside that an office protects: it remembers the greatest token, and refuses smaller ones."""

    def __init__(self) -> None:
        self.token = 0
        self.grant = 0
        """Which grant of all the last accepted write was made under."""


class Judge:
    """Every method raises ``InvariantViolation`` when what it is told should not be."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.is_within = True
        """Whether the members' clocks stay inside the bound that holders reckon with."""
        self.on_granted: Callable[[bytes], None] = lambda seeker: None
        """Hears of every seeker to whom an office is granted, as those do who watch."""
        self._token = 0
        self._grants: dict[tuple[str, bytes], int] = {}
        """The number of the latest grant of each office to each seeker."""
        self._granted = 0
        self._holders: dict[str, bytes] = {}
        self._believers: dict[str, list[Believer]] = {}
        self._resources: dict[str, Resource] = {}

    # --- what was decided ---

    def decided(self, events: list[Event]) -> None:
        """A command was applied, and told these events."""
        for event in events:
            told = msgpack.decode(event.body, type=_SEAT_EVENT)
            match told:
                case Granted(name=office, seeker=seeker, token=token):
                    holder = self._holders.get(office)
                    check(holder is None, f"S7: office {office} is granted to {seeker!r} while {holder!r} has it")
                    check(token > self._token, f"a token is greater than every one before it, and not {token}")
                    self._token = token
                    self._granted += 1
                    self._holders[office] = seeker
                    self._grants[office, seeker] = self._granted
                    self.counts["terms granted"] += 1
                    self.on_granted(seeker)
                case Ended(name=office, seeker=seeker, has_lapsed=has_lapsed):
                    check(self._holders.pop(office, None) == seeker, f"{seeker!r} had office {office} until it ended")
                    self.counts["terms lapsed" if has_lapsed else "terms resigned"] += 1
                case _:
                    pass

    # --- what holders believe and do ---

    def believes(self, office: str, believer: Believer) -> None:
        """Somebody begins to believe in a term, or goes on to."""
        check((office, believer.seeker) in self._grants, f"{believer.seeker!r} was granted office {office}")
        others = [other for other in self._believers.get(office, ()) if other is not believer and other.believes]
        if others:
            check(
                not self.is_within,
                f"two hold office {office} at once: {believer.seeker!r}, and still {others[0].seeker!r}",
            )
            self.counts["two holders, with clocks beyond the bound"] += 1
        self._believers[office] = [*others, believer]

    def wrote(self, office: str, seeker: bytes, token: int, *, is_in_office: bool) -> None:
        """Somebody writes to what an office protects, under its token; it may be too late for that."""
        resource = self._resources.setdefault(office, Resource())
        if token < resource.token:
            check(
                not (self.is_within and is_in_office),
                f"whoever holds office {office} is not refused, but token {token} is, after {resource.token}",
            )
            self.counts["late writes refused"] += 1
            return
        grant = self._grants[office, seeker]
        check(grant >= resource.grant, f"a write of an earlier term of office {office} is refused after a later one")
        resource.token, resource.grant = token, grant
        self.counts["writes in office" if is_in_office else "late writes before any other"] += 1
