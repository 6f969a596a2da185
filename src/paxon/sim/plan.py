"""What kind of run a seed is: who takes part, and how much of what goes wrong."""

from random import Random

from msgspec import Struct, structs

from paxon.core.decree import NodeId
from paxon.core.lease import NO_LEASE, LeaseTerms
from paxon.core.roster import Flexible, Majority, QuorumSystem, Weighted
from paxon.core.timing import Timing
from paxon.sim.dice import Dice

RATE_ERROR_PPM_MAX = 500_000
"""How wrong the rate of a monotonic clock is at the most, while it is."""

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
STORM_MS = 10_000


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
    damaged: float = 0.0
    """The part of letters whose bytes change on the way."""
    clog_every_ms: int = 0
    """One link, or many in turn, hold everything back for a while."""
    clog_ms: tuple[int, int] = (0, 5_000)
    break_every_ms: int = 0
    """Connections break this often, or stay and carry nothing, or nothing large."""
    cap_every_ms: int = 0
    """All links of a member become narrow this often."""
    cap_ms: tuple[int, int] = (1_000, 8_000)
    cap_bytes_per_s: tuple[int, int] = (2_000, 50_000)
    address_every_ms: int = 0
    """Somebody else is found at a member's address for a while."""


class MachineFaults(Struct, frozen=True):
    """What befalls processes, disks and clocks.  Each ``every`` is an average; 0 is never."""

    crash_every_ms: int = 0
    down_ms: tuple[int, int] = (10, 2_500)
    blackout_every_ms: int = 0
    """All members crash at once and stay away for hours."""
    pause_every_ms: int = 0
    pause_ms: tuple[int, int] = (50, 3_000)
    long_pause: float = 0.0
    """The part of pauses that last up to a minute."""
    sync_ms: tuple[int, int] = (1, 3)
    slow_sync: float = 0.0
    """The part of syncs that take up to ``slow_sync_ms``."""
    slow_sync_ms: int = 400
    sync_error_every_ms: int = 0
    """A disk fails a sync for good: the member stops, and comes back with what its disk then has."""
    full_every_ms: int = 0
    full_ms: tuple[int, int] = (100, 1_500)
    disk_fault_every_ms: int = 0
    """A disk is damaged, lies, becomes read-only, or is replaced by a copy or by nothing."""
    drift_ppm: int = 200
    skew_ms: int = 50
    clock_step_every_ms: int = 0
    """Wall clocks jump: by minutes, a day, to 1970, or to and fro."""
    rate_every_ms: int = 0
    """Monotonic clocks run at half to one and a half times their rate for a while."""
    point_every_ms: int = 0
    """A process is to die exactly at some point of what it does next."""
    slow_every_ms: int = 0
    """A process takes its time over every event for a while."""
    slow_ms: tuple[int, int] = (1_000, 6_000)
    step_ms: tuple[int, int] = (2, 60)
    """How long a slow process works on one event."""
    shortage_every_ms: int = 0
    """A process lacks memory, or open files for a while."""
    shortage_ms: tuple[int, int] = (100, 1_500)
    loop_every_ms: int = 0
    """A process dies again and again, or all are restarted in turn, or a second one is started on one's directory."""


class Plan(Struct, frozen=True):
    """One seed's run."""

    name: str
    quorums: QuorumSystem
    network: NetworkFaults = NetworkFaults()
    machines: MachineFaults = MachineFaults()
    timing: Timing = Timing()
    storm_ms: int = STORM_MS
    """How long faults go on before everything heals."""
    request_every_ms: int = 60
    reads: float = 0.25
    """The part of requests that are linearizable reads."""
    pipeline_depth: int = 16
    decree_bytes_max: int = 1 << 20
    encode: bool = True
    """Send every letter through the codec."""
    lease: LeaseTerms = NO_LEASE
    reads_vary: bool = False
    """Whether clients ask for reads of every kind, and not for linearizable ones alone."""
    heals_core_only: bool = False
    """Whether some members stay broken for good after the storm, as many as the others can do without."""

    @property
    def members(self) -> tuple[NodeId, ...]:
        return self.quorums.members


LOSSY = NetworkFaults(loss=0.12, duplicates=0.1, detained=0.01, delay_ms=(0, 25), slow=0.08, replay_every_ms=120)
CUT = NetworkFaults(loss=0.01, delay_ms=(0, 8), detained=0.005, cut_every_ms=1_200)
STORMY = NetworkFaults(
    loss=0.06,
    duplicates=0.08,
    detained=0.01,
    delay_ms=(0, 15),
    slow=0.06,
    replay_every_ms=200,
    cut_every_ms=2_500,
    damaged=0.003,
    clog_every_ms=4_000,
    break_every_ms=3_000,
    cap_every_ms=8_000,
    address_every_ms=4_000,
)
CRASHING = MachineFaults(crash_every_ms=900, slow_sync=0.05)
TROUBLED = MachineFaults(
    crash_every_ms=2_000,
    blackout_every_ms=12_000,
    pause_every_ms=3_000,
    slow_sync=0.1,
    sync_error_every_ms=6_000,
    full_every_ms=6_000,
    disk_fault_every_ms=4_000,
    drift_ppm=20_000,
    skew_ms=5_000,
    clock_step_every_ms=3_000,
    rate_every_ms=6_000,
    point_every_ms=6_000,
    slow_every_ms=8_000,
    shortage_every_ms=8_000,
    loop_every_ms=15_000,
)

GRAY_LINKS = NetworkFaults(delay_ms=(0, 12), slow=0.02, clog_every_ms=5_000, cap_every_ms=6_000, cap_ms=(2_000, 20_000))
GRAY = MachineFaults(
    pause_every_ms=12_000,
    long_pause=0.3,
    slow_sync=0.1,
    slow_sync_ms=700,
    slow_every_ms=6_000,
    slow_ms=(1_000, 15_000),
)
"""Nobody is gone, and nobody quite there."""

SKEWED = MachineFaults(
    crash_every_ms=15_000,
    pause_every_ms=8_000,
    long_pause=0.1,
    drift_ppm=500_000,
    skew_ms=60_000,
    clock_step_every_ms=2_000,
    rate_every_ms=4_000,
)

STREAMS = NetworkFaults(
    loss=0.002, delay_ms=(0, 10), damaged=0.01, clog_every_ms=6_000, break_every_ms=800, replay_every_ms=1_000
)

RESTARTS = MachineFaults(
    crash_every_ms=6_000,
    down_ms=(10, 800),
    slow_sync=0.05,
    point_every_ms=500,
    shortage_every_ms=1_500,
    loop_every_ms=3_000,
)
BAD_DISKS = MachineFaults(
    crash_every_ms=1_500,
    slow_sync=0.05,
    sync_error_every_ms=6_000,
    full_every_ms=5_000,
    disk_fault_every_ms=700,
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
    ("gray", GRAY_LINKS, GRAY),
    ("clocks", NetworkFaults(loss=0.01, delay_ms=(0, 8)), SKEWED),
    ("streams", STREAMS, MachineFaults(slow_sync=0.05)),
    ("restarts", NetworkFaults(loss=0.005, delay_ms=(0, 6)), RESTARTS),
    ("disks", NetworkFaults(delay_ms=(0, 6), cut_every_ms=3_000, address_every_ms=2_000), BAD_DISKS),
)

LONG_STORMS = {"gray": 3 * MINUTE_MS // 2, "clocks": 5 * MINUTE_MS // 2}
"""Faults that take long to come about, with few requests, so that the minutes cost little."""


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

VARIED_READS = 0.5
"""How often clients ask for reads of every kind."""

CORE_ONLY = 0.4
"""How often not everybody heals."""

LONG_FROM = 1_000_000
"""Among seeds from here on, every other storm is a long one; campaigns of hours begin here."""

LONG_STORMS_MS = (MINUTE_MS, 2 * MINUTE_MS, 4 * MINUTE_MS)
LONG_REQUESTS_MS = (500, 1_000, 2_000)
"""With few requests: a member that starts reads its whole ledger, so the cost of a busy storm grows with its square."""

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
    storm_ms = LONG_STORMS.get(name, STORM_MS)
    plan = Plan(
        name,
        quorums_of(random, size),
        network,
        machines,
        HASTY if name == "hasty" else Timing(),
        storm_ms,
        request_every_ms=8 if name == "hasty" else random.choice((15, 60, 60, 250)) * storm_ms // STORM_MS,
        pipeline_depth=random.choice((1, 4, 16, 64)),
        decree_bytes_max=random.choice((600, 10_000, 1 << 20)),
        heals_core_only=size > 1 and random.random() < CORE_ONLY,
    )
    # A generator of its own, so that what a seed is otherwise does not depend on it.
    reads = Dice(f"{seed}/reads")
    if reads.random() < VARIED_READS:
        plan = structs.replace(plan, reads_vary=True, lease=_lease(reads, plan))
    return _longer(random, plan) if seed >= LONG_FROM else plan


def _lease(random: Random, plan: Plan) -> LeaseTerms:
    """A lease whose terms are those of the clocks that the plan has, and no better."""
    machines, timing = plan.machines, plan.timing
    drift_ppm = max(machines.drift_ppm, RATE_ERROR_PPM_MAX if machines.rate_every_ms else 0)
    return LeaseTerms(
        duration_ms=random.choice((timing.election_timeout_ms, 2 * timing.election_timeout_ms)),
        drift_ppm=drift_ppm,
        pause_ms=timing.presence_ms // 5,
    )


def unusual(seed: int, plan: Plan) -> list[str]:
    """The options of ``paxon simulate`` by which ``plan`` differs from that of its seed."""
    usual = plan_of(seed)
    options = [f"--profile {plan.name}"] if plan.name != usual.name else []
    return [*options, f"--members {len(plan.members)}"] if plan.members != usual.members else options


def _longer(random: Random, plan: Plan) -> Plan:
    """The plan itself, or half of the time one with more of everything that takes long to come about."""
    storm_ms, request_every_ms = random.choice(LONG_STORMS_MS), random.choice(LONG_REQUESTS_MS)
    if random.getrandbits(1) or plan.name == "hasty":
        # Haste makes ten seconds as eventful as minutes, and as dear.
        return plan
    return structs.replace(plan, storm_ms=max(storm_ms, plan.storm_ms), request_every_ms=request_every_ms)
