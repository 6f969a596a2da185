"""Items that wait to be worked on, are claimed for a time, and come back if whoever claimed them dies.

Knows: items, claims, and those that were tried too often.  Does not know: what the work is.

Theory of operation.  An item has a number that it keeps, and numbers only grow.  What can be claimed is in the order of
priority and then of number.  So an item that comes back from a claim stands before everything that was put after it,
without a place of its own at the front; a plain queue is one in which all priorities are the same.
"""

from typing import Annotated, ClassVar, Final, TypeAlias

from msgspec import Meta, Struct, structs

from paxon.collections.heap import pop, push
from paxon.collections.lapsing import Lapsing, moment_after
from paxon.collections.refusals import LimitReached, NoSuchLetter, NotClaimed
from paxon.collections.tables import Table, find, page, put_in, take_out
from paxon.collections.values import ENTRIES_MAX, DurationMs, Identity, Integer, Name, PageSize, Value
from paxon.rsm.contract import Context, command, query

ATTEMPTS_MAX: Final = 1_000_000
"""More is for ever, and for ever is what 0 means."""

Attempts: TypeAlias = Annotated[int, Meta(ge=0, le=ATTEMPTS_MAX)]


class Item(Struct, frozen=True):
    """One piece of work."""

    body: Value
    priority: Integer
    attempts_max: Attempts
    """How many claims may end otherwise than by an ``ack``; 0 for any number."""
    attempts: int = 0
    """How many claims there were."""


class Claiming(Struct, frozen=True):
    """Who works on an item, and until when it may."""

    claimant: Identity
    token: int
    until_ms: int


class Claim(Struct, frozen=True):
    """An item to work on.  ``token`` is greater than that of every claim before, whatever the queue."""

    number: int
    body: Value
    priority: Integer
    token: int
    attempt: int
    """1 for the first time that somebody has it."""
    now_ms: int
    """The decided time of this answer."""
    until_ms: int
    """The decided time at which the claim lapses."""


class Letter(Struct, frozen=True):
    """A dead letter: an item of which all attempts are used up."""

    number: int
    body: Value
    priority: Integer
    attempts: int


class Sizes(Struct, frozen=True):
    """How much there is in one queue."""

    ready: int
    claimed: int
    dead: int


class Ready(Struct, frozen=True, tag="ready"):
    """The item can be claimed: it is new, or back."""

    name: Name
    number: int


class Done(Struct, frozen=True, tag="done"):
    """The item was worked on, and is gone."""

    name: Name
    number: int


class Died(Struct, frozen=True, tag="died"):
    """The item is a dead letter from here on."""

    name: Name
    number: int


class Removed(Struct, frozen=True, tag="removed"):
    """The dead letter is gone."""

    name: Name
    number: int


WorkEvent: TypeAlias = Ready | Done | Died | Removed


class Work(Lapsing[tuple[str, int]]):
    """Items by name of their queue and number.

    After every command at decided time ``t``:

    * An item is in exactly one of three: it can be claimed, or is claimed, or is dead.
    * ``c.until_ms > t`` for every claim ``c``, and its token is greater than every token given out before it.
    * A dead letter has ``attempts >= attempts_max > 0``; every other item that can be claimed has fewer.
    * ``count`` is the number of all items.
    """

    TOPIC: ClassVar[str]
    """Events of a queue have the topic ``TOPIC/name``."""

    def __init__(self) -> None:
        super().__init__()
        self.items: Table[int, Item] = {}
        self.ready_by_name: dict[str, list[tuple[int, int]]] = {}
        """Heaps of priority and number."""
        self.claims: Table[int, Claiming] = {}
        self.dead: Table[int, Item] = {}
        self.count = 0
        self.last_number = 0
        self.last_token = 0

    def _put(self, ctx: Context, name: str, item: Item) -> int:
        """Have one more item; its number.

        Raises:
            LimitReached: if there are too many in all queues together.
        """
        if self.count >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} items are in all queues together: acknowledge or discard some")
        self.count += 1
        self.last_number += 1
        self._offer(ctx, name, self.last_number, item)
        return self.last_number

    @command
    def claim(self, ctx: Context, name: Name, claimant: Identity, lease_ms: DurationMs) -> Claim | None:
        """Have the first item for ``lease_ms``, or ``None`` if none is ready; a ``Ready`` event tells of one."""
        number = self._take_first(name)
        if number is None:
            return None
        item = self.items[name][number]
        item = structs.replace(item, attempts=item.attempts + 1)
        put_in(self.items, name, number, item)
        self.last_token += 1
        until_ms = moment_after(ctx.now_ms, lease_ms)
        put_in(self.claims, name, number, Claiming(claimant, self.last_token, until_ms))
        self._schedule((name, number), until_ms)
        return Claim(number, item.body, item.priority, self.last_token, item.attempts, ctx.now_ms, until_ms)

    @command
    def ack(self, ctx: Context, name: Name, number: int, token: int) -> None:
        """Be done with an item: it is gone.

        Raises:
            NotClaimed: if the claim has ended.
        """
        self._claimed(name, number, token)
        self._end_claim(name, number)
        take_out(self.items, name, number)
        self.count -= 1
        self._tell(ctx, Done(name, number))

    @command
    def extend(self, ctx: Context, name: Name, number: int, token: int, lease_ms: DurationMs) -> int:
        """Prolong a claim to ``lease_ms`` from now, unless it lasts longer; the decided time at which it lapses.

        Raises:
            NotClaimed: if the claim has ended.
        """
        claiming = self._claimed(name, number, token)
        # Never shortened: whoever works on it may rest on an earlier answer that said a later time.
        until_ms = max(claiming.until_ms, moment_after(ctx.now_ms, lease_ms))
        put_in(self.claims, name, number, structs.replace(claiming, until_ms=until_ms))
        self._reschedule((name, number), claiming.until_ms, until_ms)
        return until_ms

    @command
    def release(self, ctx: Context, name: Name, number: int, token: int) -> None:
        """Give an item back to where it stood, or to the dead letters if that was its last attempt.

        Raises:
            NotClaimed: if the claim has ended.
        """
        self._claimed(name, number, token)
        self._return(ctx, name, number)

    @command
    def revive(self, ctx: Context, name: Name, number: int) -> None:
        """Let a dead letter be claimed again, with all its attempts before it.

        Raises:
            NoSuchLetter: if there is none of this number.
        """
        item = self._letter(name, number)
        take_out(self.dead, name, number)
        self._offer(ctx, name, number, structs.replace(item, attempts=0))

    @command
    def discard(self, ctx: Context, name: Name, number: int) -> None:
        """Be done with a dead letter.

        Raises:
            NoSuchLetter: if there is none of this number.
        """
        self._letter(name, number)
        take_out(self.dead, name, number)
        self.count -= 1
        self._tell(ctx, Removed(name, number))

    @query
    def size(self, name: Name) -> Sizes:
        """How many items there are of each kind."""
        claimed = len(self.claims.get(name, ()))
        return Sizes(len(self.items.get(name, ())) - claimed, claimed, len(self.dead.get(name, ())))

    @query
    def dead_letters(self, name: Name, after: Integer | None = None, limit: PageSize = 100) -> tuple[Letter, ...]:
        """Dead letters whose numbers are beyond ``after``, in the order of their numbers."""
        dead = self.dead.get(name, {})
        return tuple(
            Letter(number, dead[number].body, dead[number].priority, dead[number].attempts)
            for number in page(dead, after, limit)
        )

    def _lapse(self, ctx: Context, key: tuple[str, int]) -> None:
        self._return(ctx, *key)

    def _return(self, ctx: Context, name: str, number: int) -> None:
        """End a claim otherwise than by an ``ack``: the item comes back, or is dead."""
        self._end_claim(name, number)
        item = take_out(self.items, name, number)
        if 0 < item.attempts_max <= item.attempts:
            put_in(self.dead, name, number, item)
            self._tell(ctx, Died(name, number))
        else:
            self._offer(ctx, name, number, item)

    def _claimed(self, name: str, number: int, token: int) -> Claiming:
        claiming = find(self.claims, name, number)
        if claiming is None or claiming.token != token:
            raise NotClaimed(
                f"item {number} of {name!r} is not claimed under token {token}: the claim lapsed or ended; leave it be"
            )
        return claiming

    def _letter(self, name: str, number: int) -> Item:
        item = find(self.dead, name, number)
        if item is None:
            raise NoSuchLetter(f"{name!r} has no dead letter {number}: it was revived or discarded; list them again")
        return item

    def _offer(self, ctx: Context, name: str, number: int, item: Item) -> None:
        """Let an item be claimed."""
        put_in(self.items, name, number, item)
        push(self.ready_by_name.setdefault(name, []), (item.priority, number))
        self._tell(ctx, Ready(name, number))

    def _take_first(self, name: str) -> int | None:
        """Let the first item not be claimed by others; ``None`` if there is none that can be."""
        ready = self.ready_by_name.get(name)
        if ready is None:
            return None
        _, number = pop(ready)
        if not ready:
            del self.ready_by_name[name]
        return number

    def _end_claim(self, name: str, number: int) -> None:
        claiming = take_out(self.claims, name, number)
        self._unschedule((name, number), claiming.until_ms)

    def _tell(self, ctx: Context, event: WorkEvent) -> None:
        ctx.emit(f"{self.TOPIC}/{event.name}", event)
