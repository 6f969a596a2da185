"""What befalls letters and links, each fault seen to happen and not only to be counted."""

from collections.abc import Sequence
from random import Random

import pytest

from paxon.codec import frames
from paxon.core.decree import Ballot, NodeId, Slot
from paxon.core.messages import Lacking, Presence
from paxon.core.roster import Majority
from paxon.node import host
from paxon.sim.agenda import Agenda, Trace
from paxon.sim.damage import DAMAGES, damage
from paxon.sim.links import BACKLOG_MS_MAX, Cap, Reset
from paxon.sim.network import VOCABULARY, Network, Parcel
from paxon.sim.plan import MachineFaults, NetworkFaults, Plan
from paxon.sim.strikes import Strikes
from paxon.sim.world import Violation, World

A, B = NodeId(1), NodeId(2)
PRESENCE = Presence(Ballot(1, A), 1, Slot(99))
"""Larger than the letters that ``Post.send`` makes."""


class Seen:
    """Satisfies ``Ends``: keeps what comes."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self.arrived: list[tuple[int, Slot]] = []
        self.hints: list[tuple[NodeId, NodeId]] = []

    def deliver(self, parcel: Parcel) -> None:
        message = parcel.message
        assert isinstance(message, Lacking | Presence)
        slot = message.from_slot if isinstance(message, Lacking) else message.passed_until
        self.arrived.append((self._agenda.now_ms, slot))

    def hint(self, member: NodeId, peer: NodeId) -> None:
        self.hints.append((member, peer))

    def heard(self, frames: Sequence[tuple[int, bytes]], sent: Sequence[tuple[int, bytes]]) -> None:
        assert all(frame in sent for frame in frames)


class Post:
    """Two members and the network between them."""

    def __init__(self, faults: NetworkFaults | None = None, seed: int = 0) -> None:
        self.agenda = Agenda()
        self.strikes = Strikes(self.agenda)
        self.seen = Seen(self.agenda)
        still = NetworkFaults(delay_ms=(1, 1)) if faults is None else faults
        self.network = Network(self.agenda, Trace(), self.strikes, Random(seed), None, still, self.seen, encode=True)
        self._sent = 0

    def send(self, letters: int = 1, *, urgent: bool = False) -> None:
        """Send letters that are numbered from 1 on."""
        for _ in range(letters):
            self._sent += 1
            self.network.send(A, B, Lacking(Slot(self._sent)), urgent)

    def run(self, time_ms: int) -> list[int]:
        """The numbers of the letters that arrive in this time."""
        before = len(self.seen.arrived)
        until_ms = self.agenda.now_ms + time_ms
        while (event := self.agenda.pop(until_ms)) is not None:
            assert event.action is not None
            event.action()
        return [slot for _, slot in self.seen.arrived[before:]]


def test_a_clogged_link_holds_everything_and_then_lets_it_go_in_order() -> None:
    post = Post(NetworkFaults(delay_ms=(0, 30)))
    post.network.clog(A, B)
    post.send(20)
    assert post.run(5_000) == []
    assert post.network.clogged == 20
    post.network.unclog(A, B)
    assert post.run(100) == list(range(1, 21))
    assert post.network.clogged == 0


def _with_a_damaged_letter(seed: int) -> Post:
    """The first letter is damaged, and three others are on their way at the time."""
    post = Post(NetworkFaults(delay_ms=(1, 1), damaged=1.0), seed)
    post.network.send(A, B, PRESENCE, False)
    post.network.faults = NetworkFaults(delay_ms=(2, 2))
    post.send(3)
    post.run(10)
    return post


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_letter_costs_the_link_with_all_that_it_carries(kind: str) -> None:
    post = next(post for post in map(_with_a_damaged_letter, range(40)) if post.strikes.parts[f"N6 {kind}"])
    # A frame that was cut short is noticed with the next one, which it takes for its rest.
    assert post.seen.arrived == []
    assert post.seen.hints == [(A, B), (B, A)]
    post.send(2)
    assert post.run(10) == [4, 5], "the next letters go by a new connection"


@pytest.mark.parametrize("kind", DAMAGES)
def test_no_damage_leaves_a_frame_as_it_was(kind: str) -> None:
    frame = frames.encode_frame(7, b"some body")
    damaged = {damage(frame, kind, Random(seed)) for seed in range(500)}
    assert len(damaged) > 20
    assert not any(some.startswith(frame) for some in damaged)
    assert all((len(some) > len(frame)) == (kind == "longer") for some in damaged)
    assert all((len(some) < len(frame)) == (kind == "cut") for some in damaged)


def _streams(seed: int) -> World:
    plan = Plan("damage", Majority((A, B, NodeId(3))), NetworkFaults(damaged=0.05), storm_ms=2_000)
    return World(seed, plan)


def test_letters_are_damaged_and_noticed_in_a_run() -> None:
    counts = _streams(1).run()
    assert counts.faults["N6"] >= counts.counts["damage noticed"] > 10


def test_a_checksum_that_is_not_looked_at_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "crc32c", lambda data: 0)
    with pytest.raises(Violation, match="a damaged letter is noticed by its checksum and never read"):
        _streams(1).run()


def test_a_connection_that_is_reset_loses_what_it_carries_and_tells_both_ends() -> None:
    post = Post(NetworkFaults(delay_ms=(5, 5)))
    post.network.link(A, B).reset = Reset(4, tells_sender=True, tells_receiver=True)
    post.send(6)
    assert post.run(20) == [4, 5, 6]
    assert post.seen.hints == [(A, B), (B, A)]


def test_of_a_half_open_connection_the_sender_knows_nothing() -> None:
    post = Post()
    post.network.link(A, B).reset = Reset(1, tells_sender=False, tells_receiver=True)
    post.send(2)
    assert post.seen.hints == [(B, A)]
    post.send(2)
    assert post.run(10_000) == []
    post.network.break_connection(A, B)
    post.send()
    assert post.run(10) == [5]


def test_a_dead_connection_carries_nothing_until_a_restart_makes_another() -> None:
    post = Post()
    post.network.link(A, B).is_dead = True
    post.send(3)
    assert post.run(10_000) == []
    assert post.seen.hints == []
    post.network.reconnect(B)
    post.send()
    assert post.run(10) == [4]


def test_a_link_may_drop_large_letters_alone() -> None:
    post = Post()
    post.network.link(A, B).bytes_max = len(frames.encode_frame(*VOCABULARY.encode(Lacking(Slot(1)))))
    post.network.send(A, B, PRESENCE, False)
    post.send(2)
    assert post.run(10) == [1, 2]
    post.network.link(A, B).bytes_max = None
    post.network.send(A, B, PRESENCE, False)
    assert post.run(10) == [PRESENCE.passed_until]


def test_a_narrow_link_delays_by_size_and_bounds_its_queue() -> None:
    cap = Cap(bytes_per_s=10_000)
    waits = [cap.wait_ms(1_000, 1_000, urgent=False) for _ in range(40)]
    assert waits[:3] == [80, 180, 280], "a hundred milliseconds each, twenty of which were saved up"
    assert max(wait for wait in waits if wait is not None) <= BACKLOG_MS_MAX + 100
    assert waits[-1] is None
    assert cap.wait_ms(20_000, 1_000, urgent=False) == 80


def test_urgent_letters_do_not_wait_behind_bulk_ones_on_a_narrow_link() -> None:
    cap = Cap(bytes_per_s=10_000)
    for _ in range(20):
        cap.wait_ms(1_000, 1_000, urgent=False)
    assert cap.wait_ms(1_000, 50, urgent=True) == 0
    waits = [cap.wait_ms(1_000, 1_000, urgent=True) for _ in range(3)]
    assert waits[2] is not None
    assert waits[2] > 200, "but urgent ones wait for each other"


def _elections_under_load(seed: int) -> int:
    """How often leadership changes while large commands fill narrow links."""
    members = (A, B, NodeId(3))
    plan = Plan("narrow", Majority(members), NetworkFaults(), MachineFaults(), storm_ms=8_000, request_every_ms=15)
    world = World(seed, plan)
    for sender in members:
        for to in members:
            world.network.link(sender, to).cap = Cap(20_000)
    return world.run().counts["elections"]


def test_load_on_narrow_links_deposes_nobody() -> None:
    assert [_elections_under_load(seed) for seed in range(3)] == [1, 1, 1]


def test_heartbeats_in_the_bulk_lane_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "URGENT", ())
    assert sum(_elections_under_load(seed) for seed in range(3)) > 3


def test_a_replayed_letter_comes_whatever_became_of_its_connection() -> None:
    post = Post(NetworkFaults(delay_ms=(1, 1), replay_every_ms=1))
    post.send()
    post.network.break_connection(A, B)
    assert post.run(10) == []
    post.network.replay()
    assert post.run(10) == [1]
