"""All links of a few members over real sockets: what arrives, what is refused, what comes back."""

import asyncio
import logging
from typing import Any

import pytest

from paxon.codec.frames import encode_frame
from paxon.codec.values import Vocabulary
from paxon.core.decree import NodeId
from paxon.errors import ConfigurationError, InvariantViolation, ProtocolError
from paxon.net.handshake import Goodbye, Hello, Welcome, welcome_from
from paxon.net.links import LinkTimings, PeerAddress
from tests.net.harness import (
    HASTY,
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
                await eventually(lambda ups=ups: members[1].links.statistics().links[0].times_up > ups)
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


def test_retries_become_rarer_and_start_over_after_a_lasting_link(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        waits: list[float] = []
        timings = LinkTimings(retry_s_min=0.02, retry_s_max=0.5)
        member = Member("ada", 1, {2: PeerAddress("ben", "127.0.0.1", 1)}, timings=timings)
        link = member.links._outgoing[NodeId(2), "bulk"]
        attempts = [link_ended for link_ended in ("FAILED",) * 8 + ("LASTED", "FAILED", "SHORT", "REFUSED", "FAILED")]

        async def attempt() -> Any:
            if not attempts:
                link.is_stopping = True
                return outcomes["FAILED"]
            return outcomes[attempts.pop(0)]

        async def rest(seconds: float) -> None:
            waits.append(seconds)

        outcomes = {one.name: one for one in type(await_outcome()).__mro__[0]}  # type: ignore[attr-defined]
        monkeypatch.setattr(link, "_attempt", attempt)
        monkeypatch.setattr(link, "_rest", rest)
        await link._run()
        half = [0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25, 0.25]
        assert waits == pytest.approx([*half, 0.01, 0.01, 0.02, 2.5, 0.01, 0.02])

    def await_outcome() -> Any:
        from paxon.net.outgoing import _Attempt

        return _Attempt.FAILED

    run(main)


def test_jitter_stays_between_half_and_all_of_the_wait() -> None:
    async def main() -> None:
        for draw, factor in ((0, 0.5), (2**31, 0.75), (2**32 - 1, 1.0)):
            member = Member("ada", 1, {2: PeerAddress("ben", "127.0.0.1", 1)}, chance=lambda draw=draw: draw)
            link = member.links._outgoing[NodeId(2), "bulk"]
            assert link._back_off_s(1) == pytest.approx(factor * HASTY.retry_s_min)
            assert link._back_off_s(10_000) == pytest.approx(factor * HASTY.retry_s_max)

    run(main)


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
            assert sum(two != one + 1 for one, two in zip(heard, heard[1:], strict=False)) == 1

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
                await members[node].signal.until(lambda node=node: members[node].numbers() == [1, 1])
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
    stranger.say(hello_of(of, member.me.member, lane))
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
            await ada.signal.until(lambda times=times: ada.lost == [2] * times)
            assert ada.links.statistics().protocol_errors == times
        urgent.writer.write(note_frame(3))
        await ada.hears(3)
        assert ada.numbers() == [1, 2, 3]
        urgent.close()
        await ada.links.close()

    run(main, loop)
    assert len(fields_of(caplog, "peer broke the protocol")) == 1 or "claims" in caplog.text


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
            await eventually(lambda times=times: ada.links.statistics().links_refused == times)
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
    """Answers at a peer's address with whatever a test makes of the right welcome."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.heard: list[Hello] = []
        self.frames_after = 0

    async def start(self) -> tuple[str, int]:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self.server.sockets[0].getsockname()
        return host, port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stranger = Stranger(reader, writer)
        word = await stranger.hears()
        if isinstance(word, Hello):
            self.heard.append(word)
            stranger.say(self.answer)
            if await stranger.hears() is not None:
                self.frames_after += 1
        stranger.close()


BEN = welcome_from(Member.__init__ and hello_identity()) if False else None  # type: ignore[name-defined]
