"""What kind of run a seed is: who takes part, and how much of what goes wrong."""

from random import Random

from msgspec import Struct

from paxon.core.decree import NodeId
from paxon.core.roster import Flexible, Majority, QuorumSystem, Weighted
from paxon.core.timing import Timing
from paxon.sim.dice import Dice

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


class NetworkFaults(Struct, frozen=True):
    """What befalls letters."""

    loss: float = 0.0
    """The part of letters that never arrive."""
    duplicates: float = 0.0
    """The part that arrives twice."""
    detained: float = 0.0
    """The part that is held back for minutes or hours."""
    delay_ms: tuple[int, int] = (0, 3)
    slow: float = 0.0
    """The part whose delay is up to ``slow_ms``, so that much overtakes it."""
    slow_ms: int = 800
    replay_every_ms: int = 0
    """Letters from any time before are delivered again this often, on average; 0 is never."""
    cut_every_ms: int = 0
    """Partitions begin this often on average; 0 is never."""
    cut_ms: tuple[int, int] = (200, 4_000)


class MachineFaults(Struct, frozen=True):
    """What befalls processes, disks and clocks.  Each ``every`` is an average; 0 is never."""

    crash_every_ms: int = 0
    down_ms: tuple[int, int] = (10, 2_500)
    blackout_every_ms: int = 0
    """All members crash at once and stay away for hours."""
    pause_every_ms: int = 0
    pause_ms: tuple[int, int] = (50, 3_000)
    sync_ms: tuple[int, int] = (1, 3)
    slow_sync: float = 0.0
    """The part of syncs that take up to ``slow_sync_ms``."""
    slow_sync_ms: int = 400
    sync_error_every_ms: int = 0
    """A disk fails a sync for good: the member stops, and comes back with what its disk then has."""
    full_every_ms: int = 0
    full_ms: tuple[int, int] = (100, 1_500)
    drift_ppm: int = 200
    skew_ms: int = 50
    clock_step_every_ms: int = 0
    """Wall clocks jump, by up to a minute either way."""


class Plan(Struct, frozen=True):
    """One seed's run."""

    name: str
    quorums: QuorumSystem
    network: NetworkFaults = NetworkFaults()
    machines: MachineFaults = MachineFaults()
    timing: Timing = Timing()
    storm_ms: int = 10_000
    """How long faults go on before everything heals."""
    request_every_ms: int = 60
    reads: float = 0.25
    """The part of requests that are linearizable reads."""
    pipeline_depth: int = 16
    decree_bytes_max: int = 1 << 20
    encode: bool = True
    """Send every letter through the codec."""

    @property
    def members(self) -> tuple[NodeId, ...]:
        return self.quorums.members


LOSSY = NetworkFaults(loss=0.12, duplicates=0.1, detained=0.01, delay_ms=(0, 25), slow=0.08, replay_every_ms=120)
CUT = NetworkFaults(loss=0.01, delay_ms=(0, 8), detained=0.005, cut_every_ms=1_200)
STORMY = NetworkFaults(
    loss=0.06, duplicates=0.08, detained=0.01, delay_ms=(0, 15), slow=0.06, replay_every_ms=200, cut_every_ms=2_500
)
CRASHING = MachineFaults(crash_every_ms=900, slow_sync=0.05)
TROUBLED = MachineFaults(
    crash_every_ms=2_000,
    blackout_every_ms=12_000,
    pause_every_ms=3_000,
    slow_sync=0.1,
    sync_error_every_ms=6_000,
    full_every_ms=6_000,
    drift_ppm=20_000,
    skew_ms=5_000,
    clock_step_every_ms=3_000,
)

HASTY = Timing(presence_ms=15, election_timeout_ms=60, retransmit_ms=60, flush_ms=3)
"""Too impatient for the faults that go with it: presidents follow each other before anything is finished."""

RESTLESS = NetworkFaults(
    loss=0.25,
    duplicates=0.03,
    delay_ms=(0, 8),
    slow=0.05,
    slow_ms=100,
    replay_every_ms=300,
    cut_every_ms=200,
    cut_ms=(50, 300),
)
DROWSY = MachineFaults(crash_every_ms=400, down_ms=(5, 100), pause_every_ms=2_000, pause_ms=(20, 200))

FAULTS: tuple[tuple[str, NetworkFaults, MachineFaults], ...] = (
    ("calm", NetworkFaults(), MachineFaults()),
    ("lossy", LOSSY, MachineFaults(slow_sync=0.05)),
    ("partitions", CUT, MachineFaults()),
    ("crashes", NetworkFaults(delay_ms=(0, 6), replay_every_ms=500), CRASHING),
    ("everything", STORMY, TROUBLED),
    ("hasty", RESTLESS, DROWSY),
)


def quorums_of(random: Random, size: int) -> QuorumSystem:
    """Some quorum system for ``size`` members."""
    members = tuple(NodeId(number) for number in range(1, size + 1))
    if size == 1:
        return Majority(members)
    match random.randrange(4):
        case 0:
            weights = {member: random.randint(0, 3) for member in members}
            return Weighted({**weights, random.choice(members): 2})
        case 1:
            promises = random.randint(size // 2 + 1, size)
            return Flexible(members, promises, random.randint(size - promises + 1, promises))
        case _:
            return Majority(members)


PROFILES = tuple(name for name, _, _ in FAULTS)
"""The mixes of faults, by name."""

MEMBERS_MAX = 9
"""The largest parliament that a seed is asked for; runs grow with the square of it."""


def plan_of(seed: int, profile: str | None = None, members: int | None = None) -> Plan:
    """The plan of a seed: neighbouring seeds differ in their faults, and the rest follows by chance.

    A given ``profile`` or number of ``members`` takes the place of what chance would have chosen.
    """
    random = Dice(f"{seed}/plan")
    place = seed % len(FAULTS) if profile is None else PROFILES.index(profile)
    name, network, machines = FAULTS[place]
    size = random.choice((1, 3, 3, 3, 3, 5, 5))
    if members is not None:
        size = members
    return Plan(
        name,
        quorums_of(random, size),
        network,
        machines,
        HASTY if name == "hasty" else Timing(),
        request_every_ms=8 if name == "hasty" else random.choice((15, 60, 60, 250)),
        pipeline_depth=random.choice((1, 4, 16, 64)),
        decree_bytes_max=random.choice((600, 10_000, 1 << 20)),
    )
