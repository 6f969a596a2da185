"""Who is there: members that join, say so again from time to time, and leave or lapse.

Knows: members by party.  Does not know: what they do together.
"""

from typing import TypeAlias

from msgspec import Struct, structs

from paxon.collections.lapsing import Lapsing, moment_after
from paxon.collections.refusals import LimitReached, NotMember
from paxon.collections.tables import Table, find, put_in, take_out
from paxon.collections.values import ABREAST_MAX, ENTRIES_MAX, DurationMs, Identity, Label, Name
from paxon.rsm.contract import Context, command, query


class Member(Struct, frozen=True):
    """Somebody who is in a party until decided time reaches ``until_ms``."""

    member: Identity
    value: Label
    until_ms: int


class Joined(Struct, frozen=True, tag="joined"):
    """The member is in the party from here on, or has another value than before."""

    name: Name
    member: Identity
    value: Label


class Gone(Struct, frozen=True, tag="gone"):
    """The member is in the party no more: it lapsed, or left."""

    name: Name
    member: Identity
    has_lapsed: bool


PartyEvent: TypeAlias = Joined | Gone


class Parties(Lapsing[tuple[str, bytes]]):
    """Parties by name.  Events are ``PartyEvent`` under ``party/NAME``.

    * After every command at decided time ``t``, ``m.until_ms > t`` for every member ``m``.
    * Whoever has seen every event of a party knows its members.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parties: Table[bytes, Member] = {}

    @command
    def join(self, ctx: Context, name: Name, member: Identity, ttl_ms: DurationMs, value: Label = "") -> int:
        """Be in the party for ``ttl_ms`` at least, with this value; the decided time at which that lapses.

        Raises:
            LimitReached: if the party, or all together, have too many members.
        """
        found = find(self.parties, name, member)
        if found is None and len(self.parties.get(name, ())) >= ABREAST_MAX:
            raise LimitReached(f"{ABREAST_MAX} members are in the party {name!r}: begin another")
        if found is None and self.due_count >= ENTRIES_MAX:
            raise LimitReached(f"{ENTRIES_MAX} members are in all parties together: let some leave")
        if found is None or found.value != value:
            ctx.emit(f"party/{name}", Joined(name, member, value))
        if found is not None:
            return self._stay(ctx, name, structs.replace(found, value=value), ttl_ms)
        until_ms = moment_after(ctx.now_ms, ttl_ms)
        put_in(self.parties, name, member, Member(member, value, until_ms))
        self._schedule((name, member), until_ms)
        return until_ms

    @command
    def renew(self, ctx: Context, name: Name, member: Identity, ttl_ms: DurationMs) -> int:
        """Be in the party for ``ttl_ms`` at least; the decided time at which that lapses.

        Raises:
            NotMember: if the member has lapsed or left.
        """
        found = find(self.parties, name, member)
        if found is None:
            raise NotMember(f"the member is not in the party {name!r}: it lapsed or left; join again")
        return self._stay(ctx, name, found, ttl_ms)

    @command
    def leave(self, ctx: Context, name: Name, member: Identity) -> bool:
        """Be in the party no more; whether the member was."""
        if find(self.parties, name, member) is None:
            return False
        self._go(ctx, name, member, has_lapsed=False)
        return True

    @query
    def members(self, name: Name) -> tuple[Member, ...]:
        """Who is in the party, in the order of joining."""
        return tuple(self.parties.get(name, {}).values())

    def _lapse(self, ctx: Context, key: tuple[str, bytes]) -> None:
        self._go(ctx, *key, has_lapsed=True)

    def _stay(self, ctx: Context, name: str, member: Member, ttl_ms: int) -> int:
        until_ms = max(member.until_ms, moment_after(ctx.now_ms, ttl_ms))
        put_in(self.parties, name, member.member, structs.replace(member, until_ms=until_ms))
        self._reschedule((name, member.member), member.until_ms, until_ms)
        return until_ms

    def _go(self, ctx: Context, name: str, member: bytes, has_lapsed: bool) -> None:
        self._unschedule((name, member), take_out(self.parties, name, member).until_ms)
        ctx.emit(f"party/{name}", Gone(name, member, has_lapsed))
