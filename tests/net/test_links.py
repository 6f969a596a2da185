"""All links of a few members over real sockets: what arrives, what is refused, what comes back."""

import asyncio
import logging
from collections.abc import Set
from itertools import pairwise
from typing import Any

import pytest

from paxon.codec.frames import encode_frame
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ConfigurationError, InvariantViolation, ProtocolError
from paxon.net.handshake import Goodbye, Hello, Standing, Welcome
from paxon.net.links import LinkTimings, PeerAddress
from paxon.net.peer_memory import PeerMemory
from tests.net.harness import (
    NAMES,
    PATIENCE_S,
    VOCABULARY,
    WIDER_VOCABULARY,
    Book,
    Cluster,
    Member,
    Note,
    Pipe,
    Relay,
    Stranger,
    Unheard,
    cluster,
    eventually,
    hello_of,
    note_frame,
    run,
)

SLOW_TO_RETRY = LinkTimings(retry_s_min=1000.0, retry_s_max=1000.0, refused_retry_s=1000.0)
"""For tests in which nothing may happen by a retry."""


def fields_of(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records if record.getMessage() == event]


def test_everybody_hears_everybody_on_both_lanes(loop: str) -> None:
    async def main() -> None:
        async with cluster(3) as members:
            for of in (1, 2, 3):
                for to in {1, 2, 3} - {of}:
                    members[of].send(to, 10 * of + to, urgent=True)
                    members[of].send(to, 100 + 10 * of + to)
            await members[1].hears(21, 31, 121, 131)
            await members[2].hears(12, 32, 112, 132)
            await members[3].hears(13, 23, 113, 123)
            assert sorted(members[1].numbers(sender=2)) == [21, 121]
            assert members[1].links.endpoints() == {2: "ben.example:2379", 3: "cyd.example:2379"}
            statistics = members[1].links.statistics()
            assert all(link.is_up for link in statistics.links)
            assert len(statistics.links) == 2 * 2 * 2
            assert statistics.protocol_errors == statistics.links_refused == statistics.messages_unsent == 0
        assert members[1].lost == []

    run(main, loop)


def test_order_is_kept_within_a_lane(loop: str) -> None:
    async def main() -> None:
        async with cluster(2) as members:
            for number in range(2000):
                members[1].send(2, number, bytes(number % 300))
            await members[2].hears(1999)
            assert members[2].numbers() == list(range(2000))

    run(main, loop)


def test_frames_arrive_whole_however_the_network_cuts_them(loop: str) -> None:
    async def main() -> None:
        async with cluster(2, are_started=False) as members:
            members.relays[1, 2].piece_bytes = 1
            for node in (1, 2):
                await members.start(node)
            await members[1].until_up()
            for number in range(10):
                members[1].send(2, number, b"text")
            await members[2].hears(9)
            assert members[2].numbers() == list(range(10))

    run(main, loop)


def test_without_a_link_messages_are_dropped_and_counted() -> None:
    async def main() -> None:
        async with cluster(2, are_started=False) as members:
            await members.start(1)
            members[1].send(2, 1)
            members[1].send(2, 2, urgent=True)
            assert members[1].links.statistics().messages_unsent == 2
            with pytest.raises(InvariantViolation, match="other members"):
                members[1].send(1, 3)

    run(main)


def test_a_broken_link_comes_back(loop: str) -> None:
    async def main() -> None:
        async with cluster(2) as members:
            for attempt in range(3):
                ups = members[1].links.statistics().links[0].times_up
                members.relays[1, 2].cut()
                await eventually(lambda ups: members[1].links.statistics().links[0].times_up > ups, ups)
                await members[1].until_up()
                members[1].send(2, attempt)
                await members[2].hears(attempt)
            # The breaks are hints to both sides: one end dialled, the other accepted.
            await members[2].signal.until(lambda: members[2].lost)
            assert set(members[1].lost) == {2}
            assert set(members[2].lost) == {1}

    run(main, loop)


def test_a_member_that_restarts_is_found_again(loop: str) -> None:
    async def main() -> None:
        async with cluster(3) as members:
            await members.restart(2)
            await members[2].until_up(4)
            await eventually(lambda: members[1].up() == 4)
            members[1].send(2, 1)
            members[2].send(1, 2)
            await members[2].hears(1)
            await members[1].hears(2)

    run(main, loop)


def test_a_peer_that_dials_us_ends_our_waiting_for_the_next_retry(loop: str) -> None:
    async def main() -> None:
        async with cluster(2, are_started=False, each=lambda node: {"timings": SLOW_TO_RETRY}) as members:
            await members.start(1)
            await eventually(lambda: members.relays[1, 2].accepted == 2)
            # Ada was turned away and would come back in a quarter of an hour.
            await members.start(2)
            await members[1].until_up()

    run(main, loop)


# Lanes and queues.


def stalled_flood(members: Cluster) -> int:
    """Put more on the bulk lane than every buffer on the way can hold; how many messages that was."""
    text = bytes(256 * 1024)
    for number in range(1000, 1200):
        members[1].send(2, number, text)
    return 200


def bulk_link(member: Member) -> Any:
    return next(link for link in member.links.statistics().links if (link.lane, link.direction) == ("bulk", "out"))


def test_a_stalled_flood_does_not_delay_what_is_urgent(loop: str) -> None:
    async def main() -> None:
        async with cluster(2, queue_bytes_max=4 * 1024 * 1024) as members:
            members.relays[1, 2].gates["bulk"].clear()
            stalled_flood(members)
            await eventually(lambda: bulk_link(members[1]).queued_bytes > 1024 * 1024)
            for number in range(100):
                members[1].send(2, number, urgent=True)
            await members[2].hears(99)
            assert members[2].numbers() == list(range(100))
            assert bulk_link(members[1]).queued_bytes > 0

    run(main, loop)


def test_a_slow_peer_gets_the_newest(loop: str) -> None:
    async def main() -> None:
        limit = 4 * 1024 * 1024
        async with cluster(2, queue_bytes_max=limit) as members:
            members.relays[1, 2].gates["bulk"].clear()
            sent = stalled_flood(members)
            assert bulk_link(members[1]).queued_bytes <= limit
            dropped = bulk_link(members[1]).frames_dropped
            assert dropped > 0
            members.relays[1, 2].gates["bulk"].set()
            await members[2].hears(1199)
            # What was dropped is one run in the middle: behind what had left, before the newest.
            heard = members[2].numbers()
            assert heard == sorted(heard)
            assert len(heard) == sent - dropped
            assert heard[-8:] == list(range(1192, 1200))
            assert sum(two != one + 1 for one, two in pairwise(heard)) == 1

    run(main, loop)


def test_a_link_that_passes_nothing_on_is_dropped_and_dialled_again(loop: str) -> None:
    async def main() -> None:
        timings = LinkTimings(retry_s_min=0.005, retry_s_max=0.05, stall_timeout_s=0.3)
        async with cluster(2, timings=timings, queue_bytes_max=1024 * 1024) as members:
            members.relays[1, 2].gates["bulk"].clear()
            stalled_flood(members)
            await members[1].signal.until(lambda: members[1].lost)
            members.relays[1, 2].gates["bulk"].set()
            await members[1].until_up()
            await eventually(lambda: bulk_link(members[1]).is_up)
            members[1].send(2, 7)
            await members[2].hears(7)

    run(main, loop)


class CountingVocabulary(Vocabulary):
    """Counts how often it is asked to encode."""

    encoded = 0

    def encode(self, value: object) -> tuple[int, bytes]:
        self.encoded += 1
        return super().encode(value)


def test_one_message_to_many_is_encoded_once() -> None:
    async def main() -> None:
        vocabulary = CountingVocabulary(VOCABULARY.kinds)
        async with cluster(3, each=lambda node: {"vocabulary": vocabulary} if node == 1 else {}) as members:
            one, other = Note(1), Note(1)
            for message in (one, other):
                for to in (2, 3):
                    members[1].links.send(NodeId(to), message, False)
            for node in (2, 3):
                await members[node].signal.until(lambda node: members[node].numbers() == [1, 1], node)
            # Equal messages are encoded each: telling that they are equal would cost as much.
            assert vocabulary.encoded == 2

    run(main)


def test_a_message_that_no_receiver_would_take_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with cluster(2, frame_bytes_max=1000) as members:
            members[1].send(2, 1, bytes(2000))
            members[1].send(2, 2)
            await members[2].hears(2)
            assert members[2].numbers() == [2]
            assert members[1].links.statistics().messages_oversized == 1
            assert members[2].links.statistics().protocol_errors == 0

    run(main)
    assert len(fields_of(caplog, "message not sent")) == 1


# Bad frames.


async def established(member: Member, of: Member, lane: str = "bulk") -> Stranger:
    """A bare connection that ``member`` takes for ``of``."""
    stranger = await Stranger.dial(member.links.address)
    stranger.say(hello_of(of, member.me.member, lane=lane))
    assert isinstance(await stranger.hears(), Welcome)
    return stranger


def alone() -> tuple[Member, Member]:
    """Ada, who listens, and Ben, who does not run: whoever calls itself Ben is a bare connection."""
    nowhere = PeerAddress("ben", "127.0.0.1", 1)
    return Member("ada", 1, {2: nowhere}, timings=SLOW_TO_RETRY), Member("ben", 2, {1: nowhere})


@pytest.mark.parametrize(
    "data",
    [
        note_frame(1)[:-1] + b"\xff",
        encode_frame(1, b"\xc1"),
        encode_frame(99, b"\x80"),
        encode_frame(*WIDER_VOCABULARY.encode(Unheard(1))),
        encode_frame(1, bytes(2000)),
        bytes(100),
    ],
    ids=["damaged", "malformed", "unknown kind", "unknown message", "too long", "zeros"],
)
def test_a_bad_frame_closes_its_link_and_nothing_else(loop: str, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        nowhere = PeerAddress("ben", "127.0.0.1", 1)
        ada = Member("ada", 1, {2: nowhere}, timings=SLOW_TO_RETRY, frame_bytes_max=1000)
        _, ben = alone()
        await ada.links.start()
        urgent = await established(ada, ben, "urgent")
        for times in (1, 2):
            bulk = await established(ada, ben)
            bulk.writer.write(note_frame(times))
            await ada.hears(times)
            bulk.writer.write(data)
            await bulk.until_closed()
            bulk.close()
            await ada.signal.until(lambda times: ada.lost == [2] * times, times)
            assert ada.links.statistics().protocol_errors == times
        urgent.writer.write(note_frame(3))
        await ada.hears(3)
        assert ada.numbers() == [1, 2, 3]
        urgent.close()
        await ada.links.close()

    run(main, loop)
    assert len(fields_of(caplog, "peer broke the protocol")) == 1


def test_damage_on_the_way_costs_the_link_and_no_more(loop: str) -> None:
    async def main() -> None:
        async with cluster(2) as members:
            spoilt: list[bool] = []

            def mangle(pipe: Pipe, data: bytes) -> bytes:
                if pipe.lane != "bulk" or spoilt:
                    return data
                spoilt.append(True)
                return data[:-1] + bytes([data[-1] ^ 0x40])

            members.relays[1, 2].mangle = mangle
            members[1].send(2, 1, b"text")
            await members[1].signal.until(lambda: members[1].lost)
            await members[1].until_up()
            members[1].send(2, 2)
            await members[2].hears(2)
            assert members[2].numbers() == [2]
            assert members[2].links.statistics().protocol_errors == 1

    run(main, loop)


def test_the_host_may_find_a_message_wrong(loop: str) -> None:
    async def main() -> None:
        ada, ben = alone()

        def on_message(sender: NodeId, message: object) -> None:
            raise ProtocolError("a ballot of nobody")

        ada.links._on_message = on_message
        await ada.links.start()
        stranger = await established(ada, ben)
        stranger.writer.write(note_frame(1))
        await stranger.until_closed()
        stranger.close()
        await ada.signal.until(lambda: ada.lost)
        assert ada.links.statistics().protocol_errors == 1
        await ada.links.close()

    run(main, loop)


# Replacement.


def test_a_new_connection_replaces_the_old_one(loop: str) -> None:
    async def main() -> None:
        ada, ben = alone()
        await ada.links.start()
        old = await established(ada, ben)
        urgent = await established(ada, ben, "urgent")
        old.writer.write(note_frame(1))
        await ada.hears(1)
        new = await established(ada, ben)
        await old.until_closed()
        old.close()
        new.writer.write(note_frame(2))
        urgent.writer.write(note_frame(3))
        await ada.hears(2, 3)
        assert ada.links.statistics().links_replaced == 1
        assert ada.up("in") == 2
        # The peer is not lost: it is right here.
        assert ada.lost == []
        for stranger in (new, urgent):
            stranger.close()
        await ada.signal.until(lambda: ada.lost == [2, 2])
        assert ada.up("in") == 0
        await ada.links.close()

    run(main, loop)


# Refusals.


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protocol": 2}, "protocol"),
        ({"cluster": "another"}, "cluster"),
        ({"to_member": "cyd"}, "address"),
        ({"member": "zoe"}, "member"),
        ({"node": NodeId(3)}, "node"),
        ({"lane": "express"}, "lane"),
        ({"storage": "another"}, "storage"),
    ],
)
def test_who_does_not_fit_is_told_why_and_leaves_no_trace(
    loop: str, changes: dict[str, Any], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        ada, ben = alone()
        ada.book.storages["ben"] = "ben-storage"
        await ada.links.start()
        for times in (1, 2):
            stranger = await Stranger.dial(ada.links.address)
            stranger.say(hello_of(ben, "ada", **changes))
            goodbye = await stranger.hears()
            assert isinstance(goodbye, Goodbye)
            assert goodbye.code == code
            await stranger.until_closed()
            stranger.close()
            await eventually(lambda times: ada.links.statistics().links_refused == times, times)
        assert ada.book.storages == {"ben": "ben-storage"}
        assert ada.links.endpoints() == {}
        assert ada.lost == []
        await ada.links.close()

    run(main, loop)
    assert len(fields_of(caplog, "link refused")) == 1


@pytest.mark.parametrize("opening", [note_frame(1), encode_frame(240, b"\xc1"), b"GET / HTTP/1.1\r\n\r\n", bytes(5000)])
def test_what_is_no_hello_is_turned_away(loop: str, opening: bytes) -> None:
    async def main() -> None:
        ada, _ = alone()
        await ada.links.start()
        stranger = await Stranger.dial(ada.links.address)
        stranger.writer.write(opening)
        word = await stranger.hears()
        assert word is None or (isinstance(word, Goodbye) and word.code == "hello")
        stranger.close()
        await eventually(lambda: ada.links.statistics().protocol_errors == 1)
        assert ada.inbox == []
        await ada.links.close()

    run(main, loop)


def test_nobody_may_send_much_before_the_handshake(loop: str) -> None:
    async def main() -> None:
        ada, ben = alone()
        await ada.links.start()
        stranger = await Stranger.dial(ada.links.address)
        stranger.writer.write(encode_frame(240, bytes(5000)))
        await stranger.until_closed()
        stranger.close()
        stranger = await established(ada, ben)
        stranger.writer.write(note_frame(1, bytes(5000)))
        await ada.hears(1)
        stranger.close()
        await ada.links.close()

    run(main, loop)


class Impostor:
    """Answers at a peer's address with what a test gives it."""

    def __init__(self, answer: Welcome | Goodbye | Hello) -> None:
        self.answer = answer
        self.heard: list[Hello] = []
        self.spoke_on = False

    async def start(self, port: int = 0) -> PeerAddress:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return PeerAddress("ben", *self.server.sockets[0].getsockname())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stranger = Stranger(reader, writer)
        word = await stranger.hears()
        assert isinstance(word, Hello)
        self.heard.append(word)
        stranger.say(self.answer)
        self.spoke_on |= bool(await reader.read(1))
        stranger.close()


def welcome_of_ben(**changes: Any) -> Welcome:
    fields: dict[str, Any] = {
        "protocol": 1,
        "cluster": "cluster",
        "member": "ben",
        "node": NodeId(2),
        "storage": "ben-storage",
        "endpoint": "ben.example:2379",
    }
    return Welcome(**{**fields, **changes})


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (welcome_of_ben(protocol=2), "upgrade ada"),
        (welcome_of_ben(cluster="another"), "correct the address"),
        (welcome_of_ben(member="cyd", node=NodeId(3)), "wrong or swapped"),
        (welcome_of_ben(node=NodeId(3)), "same list of members"),
        (welcome_of_ben(storage="another"), "is known with storage"),
        (Goodbye("storage", "your disk\nis new"), "your disk?is new"),
    ],
)
def test_a_refused_dialler_says_so_once_and_keeps_knocking(
    loop: str, answer: Welcome | Goodbye, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        impostor = Impostor(answer)
        ada = Member("ada", 1, {2: await impostor.start()})
        ada.book.storages["ben"] = "ben-storage"
        await ada.links.start()
        await eventually(lambda: len(impostor.heard) >= 6)
        assert not impostor.spoke_on
        assert ada.up() == 0
        assert ada.links.endpoints() == {}
        assert ada.book.storages == {"ben": "ben-storage"}
        assert ada.lost == []
        ada.send(2, 1)
        assert ada.links.statistics().messages_unsent == 1
        await ada.links.close()
        impostor.server.close()

    run(main, loop)
    refused = fields_of(caplog, "link refused")
    assert len(refused) == 1
    assert advice in refused[0]["reason"]


def test_a_peer_that_was_refused_is_taken_once_it_is_right(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        impostor = Impostor(welcome_of_ben(cluster="another"))
        ada = Member("ada", 1, {2: await impostor.start()})
        await ada.links.start()
        for _ in range(2):
            await eventually(lambda: fields_of(caplog, "link refused"))
            impostor.answer = welcome_of_ben()
            await ada.until_up()
            # Both lanes are well, so a new refusal is news.
            caplog.clear()
            impostor.answer = welcome_of_ben(cluster="another")
            for link in ada.links._outgoing.values():
                assert link._framed is not None
                link._framed.abort()
        await eventually(lambda: fields_of(caplog, "link refused"))
        await ada.links.close()
        impostor.server.close()

    run(main, loop)


def test_a_peer_that_answers_with_nonsense_is_not_taken(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        _, ben = alone()
        impostor = Impostor(hello_of(ben, "ada"))
        ada = Member("ada", 1, {2: await impostor.start()})
        await ada.links.start()
        await eventually(lambda: len(impostor.heard) >= 4)
        await ada.links.close()
        impostor.server.close()

    run(main, loop)
    assert len(fields_of(caplog, "peer not reached")) == 1


def test_a_peer_that_goes_on_talking_is_cut_off(loop: str) -> None:
    async def main() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            stranger = Stranger(reader, writer)
            await stranger.hears()
            stranger.say(welcome_of_ben())
            writer.write(note_frame(1))
            await reader.read()
            stranger.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        ada = Member("ada", 1, {2: PeerAddress("ben", host, port)}, timings=SLOW_TO_RETRY)
        await ada.links.start()
        await eventually(lambda: [link.times_up for link in ada.links.statistics().links] == [1, 1, 0, 0])
        await eventually(lambda: ada.up() == 0)
        assert ada.inbox == []
        await ada.links.close()
        server.close()

    run(main, loop)


def test_swapped_addresses_are_noticed_at_both_ends(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with cluster(3) as members:
            to_ben, to_cyd = members.relays[1, 2], members.relays[1, 3]
            to_ben.target, to_cyd.target = to_cyd.target, to_ben.target
            to_ben.cut()
            to_cyd.cut()
            await eventually(lambda: len(fields_of(caplog, "link refused")) >= 2)
            await members[2].until_up(4)
            await members[3].until_up(4)
            await eventually(lambda: members[1].up() == 0)
            for to in (2, 3):
                members[1].send(to, 1)
            assert members[2].numbers(sender=1) == members[3].numbers(sender=1) == []

    run(main, loop)
    assert any("wrong or swapped" in fields["reason"] for fields in fields_of(caplog, "link refused"))


def test_two_members_of_different_clusters_do_not_mix(loop: str) -> None:
    async def main() -> None:
        async with cluster(2, are_started=False, each=lambda node: {"cluster": f"cluster {node}"}) as members:
            for node in (1, 2):
                await members.start(node)
            for node in (1, 2):
                await eventually(lambda node: members[node].links.statistics().links_refused > 0, node)
            assert members[1].up() == members[2].up() == 0
            assert members[1].book.storages == members[2].book.storages == {}

    run(main, loop)


def test_names_that_no_handshake_can_carry_are_refused_at_once() -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError, match="too long"):
            Member("ada", 1, {2: PeerAddress("ben" * 2000, "127.0.0.1", 1)})
        with pytest.raises(ConfigurationError, match="too long"):
            Member("ada", 1, {}, cluster="c" * 5000)

    run(main)


# Introductions.


def test_a_storage_is_introduced_before_its_member_is_accepted_either_way(loop: str) -> None:
    async def main() -> None:
        async with cluster(2) as members:
            for node, other in ((1, "ben"), (2, "ada")):
                assert members[node].book.storages == {other: f"{other}-storage"}
                # Asked once although there are four links: what is known is not asked again.
                assert members[node].book.calls == [(other, f"{other}-storage")]

    run(main, loop)


def test_a_member_whose_disk_was_lost_is_refused(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with cluster(3) as members:
            await members[2].links.wait_introduced(False)
            await members.restart(2, storage="an empty disk")
            waiting = asyncio.ensure_future(members[2].links.wait_introduced(False))
            for node in (1, 3):
                await eventually(lambda node: members[node].links.statistics().links_refused > 2, node)
            assert members[2].up() == 0
            assert not waiting.done()
            # Nor do the others send to it, whoever dials.
            await eventually(lambda: members[1].up() == members[3].up() == 2)
            waiting.cancel()

    run(main, loop)
    assert any("an empty disk" in fields["reason"] for fields in fields_of(caplog, "link refused"))


@pytest.mark.parametrize(("size", "needed"), [(2, 1), (3, 2), (4, 2), (5, 3)])
def test_a_new_storage_waits_for_a_strict_majority_of_the_others(size: int, needed: int) -> None:
    async def main() -> None:
        async with cluster(size, are_started=False) as members:
            await members.start(1)
            waiting = asyncio.ensure_future(members[1].links.wait_introduced(False))
            for already in range(needed):
                assert not waiting.done()
                assert 2 * already <= size - 1
                await members.start(already + 2)
                await members[1].until_up(2 * (already + 1))
            await asyncio.wait_for(waiting, PATIENCE_S)

    run(main)


def test_a_known_storage_takes_part_with_whom_it_can_decide_once_the_rest_had_a_moment() -> None:
    async def main() -> None:
        calls: list[frozenset[NodeId]] = []

        def is_enough(members: Set[NodeId]) -> bool:
            calls.append(frozenset(members))
            return len(members) >= 1

        async with cluster(3, are_started=False, each=lambda node: {"is_enough": is_enough}) as members:
            await members.start(1)
            waiting = asyncio.ensure_future(members[1].links.wait_introduced(True))
            await members.start(2)
            await asyncio.wait_for(waiting, PATIENCE_S)
            assert calls[-1] == {NodeId(2)}
            assert members[1].links.statistics().links_refused == 0
            # When everybody is there, nothing but their welcomes is waited for.
            await members.start(3)
            calls.clear()
            await asyncio.wait_for(members[3].links.wait_introduced(True), PATIENCE_S)

    run(main)


def test_a_member_that_forgot_something_is_told_so_and_gets_no_link() -> None:
    async def main() -> None:
        told: list[str] = []

        def each(node: int) -> dict[str, Any]:
            memory = PeerMemory(NAMES[node])
            if node != 2:
                memory.note(NodeId(2), 70)
            return {"memory": memory, "standing": lambda: Standing(69, 1, node), "on_disowned": told.append}

        async with cluster(3, are_started=False, each=each) as members:
            for node in (1, 2, 3):
                await members.start(node)
            await eventually(lambda: len(told) >= 2)
            assert all("the ledger of ben ends at line 69" in reason for reason in told)
            await eventually(lambda: members[1].up() == members[3].up() == 2)
            assert members[2].up() == 0

    run(main)


def test_a_copy_that_came_later_ends_the_links_of_the_process_before_it() -> None:
    """A copy of the directory was started once more than the first process: that one must not go on voting here."""

    async def main() -> None:
        boots = iter((1, 1))

        def each(node: int) -> dict[str, Any]:
            boot = next(boots)
            return {"standing": lambda: Standing(0, boot, node)}

        async with cluster(2, each=each) as members:
            await members[1].until_up(2)
            await members[2].until_up(2)
            told: list[str] = []
            first = members[2]
            second = Member(
                "ben", 2, members.addresses(2), standing=lambda: Standing(0, 2, 22), on_disowned=told.append
            )
            await second.links.start()
            await second.until_up(2)
            await eventually(lambda: first.up() == 0)
            assert members[1].up("in") == 2
            await second.links.close()

    run(main)


def test_alone_nobody_can_vouch_and_nothing_is_waited_for() -> None:
    async def main() -> None:
        async with cluster(1) as members:
            await members[1].links.wait_introduced(False)

    run(main)


def test_a_storage_that_cannot_be_recorded_refuses_for_the_time_being(loop: str) -> None:
    async def main() -> None:
        class FullDisk(Book):
            is_full = True

            def introduce(self, member: str, storage: str) -> None:
                if self.is_full:
                    raise OSError(28, "No space left on device")
                super().introduce(member, storage)

        book = FullDisk()
        async with cluster(2, are_started=False, each=lambda node: {"book": book} if node == 1 else {}) as members:
            for node in (1, 2):
                await members.start(node)
            await eventually(lambda: members[1].links.statistics().links_refused > 1)
            assert members[1].up() == members[1].up("in") == 0
            book.is_full = False
            await members[1].until_up()
            await members[2].until_up()

    run(main, loop)


# Starting and stopping.


def test_an_address_in_use_is_a_clear_error(loop: str) -> None:
    async def main() -> None:
        ada, _ = alone()
        await ada.links.start()
        second = Member("ada", 1, {}, listen=ada.links.address)
        host, port = ada.links.address
        with pytest.raises(ConfigurationError, match=rf"address {host}:{port} is in use"):
            await second.links.start()
        await second.links.close()
        await ada.links.close()
        # And it is free again at once.
        third = Member("ada", 1, {}, listen=(host, port))
        await third.links.start()
        await third.links.close()

    run(main, loop)


def test_what_was_sent_before_closing_arrives(loop: str) -> None:
    async def main() -> None:
        async with cluster(2) as members:
            for number in range(100):
                members[1].send(2, number)
            await members[1].links.close()
            await members[2].hears(99)
            await members[1].links.close()

    run(main, loop)


def test_closing_does_not_wait_for_a_peer_that_does_not_read(loop: str) -> None:
    async def main() -> None:
        async with cluster(2) as members:
            members.relays[1, 2].gates["bulk"].clear()
            stalled_flood(members)
            async with asyncio.timeout(PATIENCE_S):
                await members[1].links.close()

    run(main, loop)


def test_closing_while_dialling_leaves_nothing_behind(loop: str) -> None:
    async def main() -> None:
        async with cluster(3, are_started=False) as members:
            await members.start(1)
            await members.start(2)
            await members[1].links.close()
            assert members[1].lost == []
            never_started = Member("dov", 4, members.addresses(1))
            await never_started.links.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks

    run(main, loop)


def test_a_host_name_that_makes_no_sense_is_complained_of(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: PeerAddress("ben", "bad..name", 1), 3: PeerAddress("cyd", "127.0.0.1", 99999)})
        await ada.links.start()
        await eventually(lambda: len(fields_of(caplog, "peer not reached")) >= 2)
        await ada.links.close()

    run(main, loop)
    assert {fields["peer"] for fields in fields_of(caplog, "peer not reached")} == {"ben", "cyd"}


def test_a_dead_peer_is_one_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        relay = await Relay().start()
        ada = Member("ada", 1, {2: relay.peer("ben")})
        await ada.links.start()
        await eventually(lambda: relay.accepted >= 10)
        await ada.links.close()
        await relay.close()

    caplog.set_level(logging.INFO)
    run(main)
    assert 1 <= len(fields_of(caplog, "peer not reached")) <= 3
