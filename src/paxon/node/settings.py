"""The small settings that a member's configuration is made of, each of which checks itself.

Every wrong value is one ``ConfigurationError`` line that names the setting and says what to
write instead.  ``config`` puts them together and says which are hard and which are soft.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Self

from msgspec import Struct

from paxon.core.decree import NodeId
from paxon.core.lease import LeaseTerms
from paxon.core.roster import ROSTER_LAG, Flexible, Majority, QuorumSystem, Weighted
from paxon.core.timing import Timing
from paxon.errors import ConfigurationError
from paxon.net.addresses import is_loopback, written

MIB = 1024 * 1024

LEASE_MS_MAX = 60_000
"""A minute: for so long nobody takes over from a leader that died."""

DRIFT_PPM_MAX = 500_000
"""Half as fast or half as slow again as true time: no clock of a machine that works is as wrong."""

COMMAND_BYTES_CEILING = 16 * MIB
"""No limit on one command or decree may be set above this, so that a few of them fit one frame between members."""

PART_BYTES_CEILING = MIB // 2
"""A part of a snapshot fits a frame between members, however small their limits on commands are."""


class Address(Struct, frozen=True, order=True):
    """A host and a TCP port, written ``HOST:PORT``, with brackets around an IPv6 address: ``[::1]:7400``."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, what: str = "address") -> Self:
        """Read ``HOST:PORT``; ``what`` names the setting in the error.

        Raises:
            ConfigurationError: if ``text`` is not of that form.
        """
        host, colon, port = text.rpartition(":")
        if not colon:
            raise ConfigurationError(f"{what} {text!r} has no port: write HOST:PORT, as in 127.0.0.1:7400")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
            if not _is_ipv6(host):
                raise ConfigurationError(f"{what} {text!r}: {host!r} is not an IPv6 address: write [ADDRESS]:PORT")
        elif ":" in host:
            raise ConfigurationError(f"{what} {text!r}: write an IPv6 address in brackets, as in [::1]:7400")
        elif not _HOST_PATTERN.match(host):
            raise ConfigurationError(f"{what} {text!r}: {host!r} is not a host: write HOST:PORT, as in 127.0.0.1:7400")
        if not (port.isascii() and port.isdigit()) or not 1 <= int(port[:6]) <= 65535:
            raise ConfigurationError(f"{what} {text!r}: {port!r} is not a port: choose one from 1 to 65535")
        return cls(host, int(port))

    def __str__(self) -> str:
        return written(self.host, self.port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


_HOST_PATTERN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,252})\Z")


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What a member takes in before it says no.  Soft."""

    command_bytes_max: int = 1_572_864
    """The largest single command, 1.5 MiB.  Members should agree, or a command that one accepts its leader refuses."""
    waiting_commands_max: int = 20_000
    """Commands accepted and not yet answered; more are refused at once."""
    waiting_bytes_max: int = 64 * MIB
    """Their bytes together."""
    pipeline_depth: int = 16
    """Slots that a leader keeps open at a time.  Bounded by the roster lag."""
    decree_bytes_max: int = 1 * MIB
    """Where a leader stops adding commands to one slot.  A single larger command still gets a slot of its own."""

    def validate(self) -> None:
        """Raises:
        ConfigurationError: if a limit makes no sense.
        """
        _in_range("limits.command_bytes_max", self.command_bytes_max, 1, COMMAND_BYTES_CEILING)
        _in_range("limits.waiting_commands_max", self.waiting_commands_max, 1, 10_000_000)
        _in_range("limits.waiting_bytes_max", self.waiting_bytes_max, self.command_bytes_max, 1 << 40)
        _in_range("limits.pipeline_depth", self.pipeline_depth, 1, ROSTER_LAG)
        _in_range("limits.decree_bytes_max", self.decree_bytes_max, 1, COMMAND_BYTES_CEILING)


class SnapshotSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """When a member takes a snapshot of its state, and how much of its ledger it keeps beside.  Soft.

    Only state machines that can be captured are; the ledger of others is kept whole.
    """

    every_bytes: int = 256 * MIB
    """Take one once the ledger has grown by so much since the last, or by that one's size if it is larger."""
    every_slots: int = 500_000
    """Or once so many slots were applied since: about how many a restart has to replay at the most."""
    tail_bytes: int = 64 * MIB
    """How much of the ledger is kept at least, so that members that were briefly away are sent decrees."""
    part_bytes: int = 128 * 1024
    """How much of a snapshot is captured, or sent to another member, before anything else has its turn."""

    def validate(self) -> None:
        """Raises:
        ConfigurationError: if a setting makes no sense.
        """
        _in_range("snapshots.every_bytes", self.every_bytes, 1024, 1 << 50)
        _in_range("snapshots.every_slots", self.every_slots, 1, 1 << 50)
        _in_range("snapshots.tail_bytes", self.tail_bytes, 0, 1 << 50)
        _in_range("snapshots.part_bytes", self.part_bytes, 64, PART_BYTES_CEILING)


def validate_timing(timing: Timing) -> None:
    """Raises:
    ConfigurationError: if a time makes no sense.
    """
    _in_range("timing.presence_ms", timing.presence_ms, 5, 60_000)
    _in_range("timing.election_timeout_ms", timing.election_timeout_ms, 3 * timing.presence_ms, 600_000)
    _in_range("timing.retransmit_ms", timing.retransmit_ms, 5, 60_000)
    _in_range("timing.flush_ms", timing.flush_ms, 1, 60_000)


def validate_lease(terms: LeaseTerms, timing: Timing) -> None:
    """Raises:
    ConfigurationError: if a lease would always be over before it is renewed, or makes no sense otherwise.
    """
    _in_range("lease.drift_ppm", terms.drift_ppm, 0, DRIFT_PPM_MAX)
    _in_range("lease.pause_ms", terms.pause_ms, 0, 60_000)
    if terms.duration_ms == 0:
        return
    _in_range("lease.duration_ms", terms.duration_ms, 1, LEASE_MS_MAX)
    usable_ms = terms.usable_ms(terms.duration_ms)
    if usable_ms < 2 * timing.presence_ms:
        raise ConfigurationError(
            f"lease.duration_ms is {terms.duration_ms}, of which {max(0, usable_ms)} can be used: choose one of which "
            f"at least {2 * timing.presence_ms} can, since it is renewed every {timing.presence_ms} ms"
        )


class QuorumSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How quorums are counted, by member names.  Hard.  All unset means more than half of the members."""

    weights: dict[str, int] | None = None
    """Votes of each member; a quorum is more than half of the total."""
    promises: int | None = None
    """With ``votes``: how many members it takes to elect a leader,"""
    votes: int | None = None
    """and how many to commit.  The two must add up to more than all members."""

    def system(self, ids: Mapping[str, NodeId]) -> QuorumSystem:
        """The quorum system over ``ids``.

        Raises:
            ConfigurationError: if the settings contradict each other or the members.
        """
        everyone = tuple(sorted(ids.values()))
        if self.weights is not None:
            if self.promises is not None or self.votes is not None:
                raise ConfigurationError("quorum: give either weights or promises and votes, not both")
            if self.weights.keys() != ids.keys():
                odd = sorted(self.weights.keys() ^ ids.keys())
                raise ConfigurationError(f"quorum.weights: give one weight to each member, check {', '.join(odd)}")
            return Weighted({ids[name]: weight for name, weight in self.weights.items()})
        if self.promises is not None and self.votes is not None:
            return Flexible(everyone, self.promises, self.votes)
        if self.promises is not None or self.votes is not None:
            raise ConfigurationError("quorum: promises and votes go together, give both")
        return Majority(everyone)


MAJORITY = QuorumSettings()


def _in_range(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ConfigurationError(f"{what} is {value}: choose from {least} to {most}")
