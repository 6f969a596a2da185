"""Barriers: a number of parties wait for each other, and all go on together.

Knows: who waits at which barrier.  Does not know: what they do before and after it.

Theory of operation.  A barrier is used again and again, and each use is a generation with a number of its own, greater
than every number before.  A party that was released stays on record until its own time lapses: it may be asking just
then whether it still waits, and "you do not" would look as if it had lapsed.
"""

from typing import TypeAlias

from msgspec import Struct, structs

from paxon.collections.lapsing import Lapsing, moment_after
from paxon.collections.refusals import LimitReached, NotWaiting, OtherLimit
from paxon.collections.tables import Table, find, put_in, take_out
from paxon.collections.values import ENTRIES_MAX, Abreast, DurationMs, Identity, Name
from paxon.rsm.contract import Context, command, query


class Waiting(Struct, frozen=True, tag="waiting"):
    """The party waits.  It renews before ``until_ms``; a ``Released`` event of its generation ends the wait."""

    generation: int
    present: int
    """How many wait."""
    parties: int
    """How many it takes."""
    now_ms: int
    """The decided time of this answer."""
    until_ms: int


class Passed(Struct, frozen=True, tag="passed"):
    """All parties of this generation were there at the same time: go on."""

    generation: int


class Entrant(Struct, frozen=True):
    """One party's standing at a barrier: it waits there, or was released and has not lapsed since."""

    generation: int
    until_ms: int


class Entered(Struct, frozen=True, tag="entered"):
    """The party waits from here on."""

    name: Name
    party: Identity
    generation: int


class Withdrawn(Struct, frozen=True, tag="withdrawn"):
    """The party waits no more, and was not released: it lapsed, or left."""

    name: Name
    party: Identity
    generation: int
    has_lapsed: bool


class Released(Struct, frozen=True, tag="released"):
    """All who waited in this generation go on."""

    name: Name
    generation: int


BarrierEvent: TypeAlias = Entered | Withdrawn | Released


class Gathering(Struct, frozen=True):
    """Those who wait at one barrier."""

    generation: int
    parties: Abreast
    """How many it takes."""
    present: int = 0
    """How many there are."""


class Barriers(Lapsing[tuple[str, bytes]]):
    """Barriers by name.  Events are ``BarrierEvent`` under ``barrier/NAME``.

    With ``G`` the gathering of a barrier, after every command at decided time ``t``:

    * ``0 < G.present < G.parties``: one that is complete goes on at once, one that is empty leaves no trace.
    * ``e.until_ms > t`` for every entrant ``e`` on record; so whoever is counted when all are there is alive.
    * ``G.present`` is the number of entrants of the generation ``G.generation``; all others on record were released.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gatherings: dict[str, Gathering] = {}
        self.entrants: Table[bytes, Entrant] = {}
        self.last_generation = 0

    @command
    def enter(
        self, ctx: Context, name: Name, party: Identity, parties: Abreast, ttl_ms: DurationMs
    ) -> Waiting | Passed:
        """Wait at the barrier, or go on with all who wait there if this party completes their number.

        A party that waits already prolongs that.  One that was released enters the next generation: to ask how a wait
        went on is what ``renew`` is for.

        Raises:
            OtherLimit: if others wait there for another number of parties.
            LimitReached: if too many wait at all barriers together.
        """
        gathering = self.gatherings.get(name)
        if gathering is not None and gathering.parties != parties:
            raise OtherLimit(f"{name!r} waits for {gathering.parties} parties: enter with that, or when nobody waits")
        entrant = find(self.entrants, name, party)
        if gathering is not None and entrant is not None and entrant.generation == gathering.generation:
            return self._stay(ctx, name, gathering, party, ttl_ms)
        if entrant is None and self.due_count >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} parties are at all barriers together: enter later")
        if gathering is None:
            self.last_generation += 1
            gathering = Gathering(self.last_generation, parties)
        gathering = structs.replace(gathering, present=gathering.present + 1)
        self.gatherings[name] = gathering
        ctx.emit(f"barrier/{name}", Entered(name, party, gathering.generation))
        waiting = self._stay(ctx, name, gathering, party, ttl_ms)
        if gathering.present < parties:
            return waiting
        del self.gatherings[name]
        ctx.emit(f"barrier/{name}", Released(name, gathering.generation))
        return Passed(gathering.generation)

    @command
    def renew(self, ctx: Context, name: Name, party: Identity, generation: int, ttl_ms: DurationMs) -> Waiting | Passed:
        """Wait for longer; or hear that the wait is over.

        Raises:
            NotWaiting: if the party lapsed or left before all were there.
        """
        entrant = find(self.entrants, name, party)
        if entrant is None or entrant.generation != generation:
            raise NotWaiting(
                f"the party does not wait at {name!r} in generation {generation}: it lapsed or left; enter again"
            )
        gathering = self.gatherings.get(name)
        if gathering is None or gathering.generation != generation:
            return Passed(generation)
        return self._stay(ctx, name, gathering, party, ttl_ms)

    @command
    def leave(self, ctx: Context, name: Name, party: Identity) -> bool:
        """Wait no more; whether the party did."""
        if find(self.entrants, name, party) is None:
            return False
        return self._go(ctx, name, party, has_lapsed=False)

    @query
    def gathering(self, name: Name) -> Gathering | None:
        """How many wait at the barrier, and for how many; ``None`` if nobody does."""
        return self.gatherings.get(name)

    @query
    def waiting(self, name: Name) -> tuple[Identity, ...]:
        """Who waits at the barrier."""
        gathering = self.gatherings.get(name)
        if gathering is None:
            return ()
        entrants = self.entrants[name].items()
        return tuple(party for party, entrant in entrants if entrant.generation == gathering.generation)

    def _lapse(self, ctx: Context, key: tuple[str, bytes]) -> None:
        self._go(ctx, *key, has_lapsed=True)

    def _stay(self, ctx: Context, name: str, gathering: Gathering, party: bytes, ttl_ms: int) -> Waiting:
        """Have a party on record, in this generation, for at least that long."""
        entrant = find(self.entrants, name, party)
        until_ms = moment_after(ctx.now_ms, ttl_ms)
        if entrant is None:
            self._schedule((name, party), until_ms)
        else:
            if entrant.generation == gathering.generation:
                until_ms = max(entrant.until_ms, until_ms)
            self._reschedule((name, party), entrant.until_ms, until_ms)
        put_in(self.entrants, name, party, Entrant(gathering.generation, until_ms))
        return Waiting(gathering.generation, gathering.present, gathering.parties, ctx.now_ms, until_ms)

    def _go(self, ctx: Context, name: str, party: bytes, has_lapsed: bool) -> bool:
        """Have a party on record no more; whether it was waiting."""
        entrant = take_out(self.entrants, name, party)
        self._unschedule((name, party), entrant.until_ms)
        gathering = self.gatherings.get(name)
        if gathering is None or gathering.generation != entrant.generation:
            return False
        if gathering.present == 1:
            del self.gatherings[name]
        else:
            self.gatherings[name] = structs.replace(gathering, present=gathering.present - 1)
        ctx.emit(f"barrier/{name}", Withdrawn(name, party, entrant.generation, has_lapsed))
        return True
