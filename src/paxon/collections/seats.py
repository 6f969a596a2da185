"""Seats that are held for a time, and the queue of those who wait for one: what terms, locks and semaphores share.

Knows: who holds a name, under which token, until when, and who is next (section 3.3.3 of the paper).  Does not know:
what holding the name is good for.

Theory of operation.  How many may hold a name together is the only difference between an office, a lock with readers
and writers, and a semaphore, and each seat says it for itself as its ``room``: 1 for an office and for a writer, the
limit for a semaphore, ``ABREAST_MAX`` for a reader.  One more fits if there are fewer holders than it and they allow.
All holders of a name allow the same, for the first of them has let in only those.

The queue is first come, first served, without exception.  Nobody passes a seeker that does not fit yet: a writer
would wait for ever if readers went on to be let in past it.
"""

from typing import ClassVar, Final, TypeAlias

from msgspec import Struct, structs

from paxon.collections.lapsing import Lapsing, moment_after
from paxon.collections.refusals import LimitReached, NotHolder
from paxon.collections.tables import Table, find, put_in, take_out
from paxon.collections.values import ABREAST_MAX, ENTRIES_MAX, DurationMs, Identity, Label, Name
from paxon.rsm.contract import Context, command, query

WAITING: Final = 0
"""In the place of a token: there is none yet."""


class Grant(Struct, frozen=True, tag="grant"):
    """The seat is held.  ``token`` is greater than that of every grant before, whatever the name."""

    token: int
    now_ms: int
    """The decided time of this answer."""
    until_ms: int
    """The decided time at which the grant lapses.  Its holder stops before that, by as much as its clock may be off."""


class Place(Struct, frozen=True, tag="place"):
    """The seeker waits.  It seeks again before ``until_ms``, or loses its place; a ``Granted`` event ends the wait."""

    position: int
    """1 is next."""
    now_ms: int
    until_ms: int


class Seat(Struct, frozen=True):
    """Somebody's standing under one name: a holder's, or a waiting seeker's."""

    seeker: Identity
    room: int
    """How many may hold the name together."""
    ttl_ms: int
    """For how long it lasts from a grant on."""
    value: Label = ""
    token: int = WAITING
    until_ms: int = 0


class Granted(Struct, frozen=True, tag="granted"):
    """A seeker holds the name from here on."""

    name: Name
    seeker: Identity
    token: int
    now_ms: int
    until_ms: int
    value: Label


class Ended(Struct, frozen=True, tag="ended"):
    """A holder has the name no more: its grant lapsed, or it gave it up."""

    name: Name
    seeker: Identity
    token: int
    has_lapsed: bool


class Queued(Struct, frozen=True, tag="queued"):
    """A seeker waits for the name from here on."""

    name: Name
    seeker: Identity
    value: Label


class Left(Struct, frozen=True, tag="left"):
    """A seeker waits no more, and was granted nothing: its place lapsed, or it withdrew."""

    name: Name
    seeker: Identity
    has_lapsed: bool


SeatEvent: TypeAlias = Granted | Ended | Queued | Left


class Seats(Lapsing[tuple[str, bytes]]):
    """Holders and seekers by name.

    With ``H`` the holders of a name and ``W`` those who wait for it, after every command at decided time ``t``:

    * S7: ``len(H) <= h.room`` for every ``h`` in ``H``: of an office, at most one holder.
    * ``s.until_ms > t`` for every ``s`` in ``H`` and ``W``.
    * Nobody is in both ``H`` and ``W``.
    * If ``W`` is not empty, its first does not fit beside ``H``.  So ``W`` is empty if ``H`` is.
    * A grant's token is greater than every token granted before it; those who wait have ``WAITING``.

    ``W`` has the order of its dictionary.  That is the order of coming, because commands that refuse do so before they
    change anything: a key that is taken out and put back by a rollback would go to the end.
    """

    TOPIC: ClassVar[str]
    """Events of a name have the topic ``TOPIC/name``."""

    def __init__(self) -> None:
        super().__init__()
        self.holders_by_name: Table[bytes, Seat] = {}
        self.seekers_by_name: Table[bytes, Seat] = {}
        self.last_token = WAITING

    def _seek(self, ctx: Context, name: str, wanted: Seat, wait: bool) -> Grant | Place | None:
        """Grant the name, or queue the seeker; seeking again prolongs what it has.

        Raises:
            LimitReached: if there is no room for one more.
        """
        seeker, until_ms = wanted.seeker, moment_after(ctx.now_ms, wanted.ttl_ms)
        if (held := find(self.holders_by_name, name, seeker)) is not None:
            return self._prolong(ctx, name, held, wanted.ttl_ms)
        if (place := find(self.seekers_by_name, name, seeker)) is not None:
            until_ms = max(until_ms, place.until_ms)
            self._stay(self.seekers_by_name, name, place, until_ms, wanted.ttl_ms)
            return Place(list(self.seekers_by_name[name]).index(seeker) + 1, ctx.now_ms, until_ms)
        waiting = len(self.seekers_by_name.get(name, ()))
        fits = not waiting and self._fits(name, wanted)
        if not fits and not wait:
            return None
        if self.due_count >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} seats are held or waited for: resign those that nobody needs")
        if fits:
            return self._grant(ctx, name, wanted)
        if waiting >= ABREAST_MAX:
            raise LimitReached(f"{waiting} seekers wait for {name!r}: seek it later, or without waiting")
        self._sit(self.seekers_by_name, name, structs.replace(wanted, until_ms=until_ms))
        self._tell(ctx, Queued(name, seeker, wanted.value))
        return Place(waiting + 1, ctx.now_ms, until_ms)

    @command
    def renew(self, ctx: Context, name: Name, holder: Identity, token: int, ttl_ms: DurationMs) -> Grant:
        """Prolong a grant to ``ttl_ms`` from now, or leave it as it is if it lasts longer.

        Raises:
            NotHolder: if it has ended.
        """
        return self._prolong(ctx, name, self._held(name, holder, token), ttl_ms)

    @command
    def resign(self, ctx: Context, name: Name, holder: Identity, token: int) -> None:
        """End a grant; whoever is next has the name in the same step.

        The holder stops whatever it does under the grant *before* it resigns.

        Raises:
            NotHolder: if it has ended.
        """
        self._held(name, holder, token)
        self._end(ctx, name, holder, has_lapsed=False)

    @command
    def withdraw(self, ctx: Context, name: Name, seeker: Identity) -> bool:
        """Neither wait for the name nor hold it; whether the seeker did one of them.

        For those who give up waiting: the name may have become theirs just then, and one call settles it.
        """
        if find(self.holders_by_name, name, seeker) is not None:
            self._end(ctx, name, seeker, has_lapsed=False)
            return True
        if find(self.seekers_by_name, name, seeker) is not None:
            self._drop(ctx, name, seeker, has_lapsed=False)
            return True
        return False

    def _holders(self, name: str) -> tuple[Seat, ...]:
        return tuple(self.holders_by_name.get(name, {}).values())

    @query
    def contenders(self, name: Name) -> tuple[Seat, ...]:
        """Who waits for the name, the next one first."""
        return tuple(self.seekers_by_name.get(name, {}).values())

    def _lapse(self, ctx: Context, key: tuple[str, bytes]) -> None:
        name, seeker = key
        if find(self.holders_by_name, name, seeker) is not None:
            self._end(ctx, name, seeker, has_lapsed=True)
        else:
            self._drop(ctx, name, seeker, has_lapsed=True)

    def _held(self, name: str, holder: bytes, token: int) -> Seat:
        seat = find(self.holders_by_name, name, holder)
        if seat is None or seat.token != token:
            raise NotHolder(
                f"{name!r} is not held under token {token}: it lapsed or was given up; stop, and seek it again"
            )
        return seat

    def _fits(self, name: str, wanted: Seat) -> bool:
        """Whether one more may hold the name."""
        holders = self.holders_by_name.get(name)
        if holders is None:
            return True
        first = next(iter(holders.values()))
        return len(holders) < min(wanted.room, first.room)

    def _prolong(self, ctx: Context, name: str, held: Seat, ttl_ms: int) -> Grant:
        # Never shortened: the holder may rest on an earlier answer that said a later time.
        until_ms = max(held.until_ms, moment_after(ctx.now_ms, ttl_ms))
        self._stay(self.holders_by_name, name, held, until_ms, ttl_ms)
        return Grant(held.token, ctx.now_ms, until_ms)

    def _grant(self, ctx: Context, name: str, wanted: Seat) -> Grant:
        self.last_token += 1
        until_ms = moment_after(ctx.now_ms, wanted.ttl_ms)
        self._sit(self.holders_by_name, name, structs.replace(wanted, token=self.last_token, until_ms=until_ms))
        self._tell(ctx, Granted(name, wanted.seeker, self.last_token, ctx.now_ms, until_ms, wanted.value))
        return Grant(self.last_token, ctx.now_ms, until_ms)

    def _end(self, ctx: Context, name: str, holder: bytes, has_lapsed: bool) -> None:
        seat = self._rise(self.holders_by_name, name, holder)
        self._tell(ctx, Ended(name, holder, seat.token, has_lapsed))
        self._fill(ctx, name)

    def _drop(self, ctx: Context, name: str, seeker: bytes, has_lapsed: bool) -> None:
        self._rise(self.seekers_by_name, name, seeker)
        self._tell(ctx, Left(name, seeker, has_lapsed))
        # Those behind may fit where this one did not: readers behind a writer.
        self._fill(ctx, name)

    def _fill(self, ctx: Context, name: str) -> None:
        """Grant the name to those who are next for as long as they fit."""
        while (waiting := self.seekers_by_name.get(name)) is not None:
            seat = next(iter(waiting.values()))
            if seat.until_ms <= ctx.now_ms:
                # Its turn to lapse comes later in this very step; whoever is granted here is alive.
                self._rise(self.seekers_by_name, name, seat.seeker)
                self._tell(ctx, Left(name, seat.seeker, has_lapsed=True))
            elif self._fits(name, seat):
                self._rise(self.seekers_by_name, name, seat.seeker)
                self._grant(ctx, name, seat)
            else:
                return

    def _sit(self, table: Table[bytes, Seat], name: str, seat: Seat) -> None:
        put_in(table, name, seat.seeker, seat)
        self._schedule((name, seat.seeker), seat.until_ms)

    def _stay(self, table: Table[bytes, Seat], name: str, seat: Seat, until_ms: int, ttl_ms: int) -> None:
        put_in(table, name, seat.seeker, structs.replace(seat, until_ms=until_ms, ttl_ms=ttl_ms))
        self._reschedule((name, seat.seeker), seat.until_ms, until_ms)

    def _rise(self, table: Table[bytes, Seat], name: str, seeker: bytes) -> Seat:
        seat = take_out(table, name, seeker)
        self._unschedule((name, seeker), seat.until_ms)
        return seat

    def _tell(self, ctx: Context, event: SeatEvent) -> None:
        ctx.emit(f"{self.TOPIC}/{event.name}", event)
