"""What a member says about itself to whoever asks."""

from enum import StrEnum

from msgspec import Struct


class Role(StrEnum):
    """A member's part, in the industry's words (the core's slip of paper: idle, trying, polling)."""

    FOLLOWER = "follower"
    CANDIDATE = "candidate"
    LEADER = "leader"


class ReadCounts(Struct):
    """How reads were served at one member since it started."""

    at_once: int = 0
    """From the state as it was, without a question to anybody, for a slot or an age that was asked for."""
    by_lease: int = 0
    """The same, because this member led by lease."""
    lease_refused: int = 0
    """Leased reads that found no lease here and went the way of linearizable ones."""
    after_barrier: int = 0
    """After a barrier, shared by all who waited: at most one exchange with a quorum."""
    after_slot: int = 0
    """Once a slot was applied that an earlier reply had named."""


class MemberStatus(Struct, frozen=True):
    """One member's own view at one moment; members may disagree while a leader is being elected."""

    member: str
    role: Role
    term: int
    """The highest ballot this member has promised, as one ordered integer."""
    applied: int
    """The last slot applied; 0 before the first."""
    lag: int
    """How many slots this member knows to have passed beyond ``applied``."""
    disk_bytes: int
    version: str
    pid: int
    endpoint: str
    """Where this member serves clients, as ``HOST:PORT``."""
    leader: str
    """The leader's name, or an empty string while none is known."""
    leader_endpoint: str
    """Where the leader serves clients, or an empty string if that is not known here."""
