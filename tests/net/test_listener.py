"""Arrivals: how many may be unfinished, for how long, and what an unusable address says."""

import asyncio
import socket
from typing import Any

import pytest

from paxon.errors import ConfigurationError
from paxon.net.handshake import Welcome
from paxon.net.links import LinkTimings, PeerAddress
from paxon.net.listener import Listener
from tests.net.harness import PATIENCE_S, Member, Stranger, eventually, hello_of, run

IMPATIENT = LinkTimings(handshake_timeout_s=0.05, retry_s_min=1000.0, retry_s_max=1000.0)
PATIENT = LinkTimings(handshake_timeout_s=1000.0, retry_s_min=1000.0, retry_s_max=1000.0)

NOWHERE = PeerAddress("ben", "127.0.0.1", 1)


def test_who_says_nothing_is_cut_off(loop: str) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=IMPATIENT)
        await ada.links.start()
        stranger = await Stranger.dial(ada.links.address)
        await stranger.until_closed()
        stranger.close()
        await eventually(lambda: ada.links.statistics().arrivals_failed == 1)
        await ada.links.close()

    run(main, loop)


def test_who_stays_after_the_handshake_is_not_cut_off(loop: str) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=IMPATIENT)
        ben = Member("ben", 2, {1: NOWHERE})
        await ada.links.start()
        member = await Stranger.dial(ada.links.address)
        member.say(hello_of(ben, "ada"))
        assert isinstance(await member.hears(), Welcome)
        # A stranger that comes later is cut off, so the time of the first one has passed as well.
        stranger = await Stranger.dial(ada.links.address)
        await stranger.until_closed()
        stranger.close()
        assert ada.up("in") == 1
        member.close()
        await ada.links.close()

    run(main, loop)


def test_a_flood_of_arrivals_does_not_lock_out_a_member(loop: str) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=PATIENT, unfinished_handshakes_max=4)
        ben = Member("ben", 2, {1: NOWHERE})
        await ada.links.start()
        strangers = [await Stranger.dial(ada.links.address) for _ in range(10)]
        member = await Stranger.dial(ada.links.address)
        member.say(hello_of(ben, "ada"))
        assert isinstance(await member.hears(), Welcome)
        # The oldest had to go; the newest may still be shaking hands.
        for stranger in strangers[:6]:
            await stranger.until_closed()
        assert ada.links.statistics().arrivals_failed == 7
        for stranger in (*strangers, member):
            stranger.close()
        await ada.links.close()

    run(main, loop)


def test_closing_cuts_unfinished_arrivals(loop: str) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=PATIENT)
        await ada.links.start()
        stranger = await Stranger.dial(ada.links.address)
        await eventually(lambda: ada.links._listener._unfinished)
        await ada.links.close()
        await stranger.until_closed()
        stranger.close()

    run(main, loop)


async def refuse(connection: socket.socket) -> None:
    connection.close()


@pytest.mark.parametrize(
    ("listen", "complaint"),
    [
        (("192.0.2.1", 0), "not an address of this machine"),
        (("no.such.name.invalid", 0), "the host name is not known"),
    ],
)
def test_an_address_that_cannot_be_had_says_why(loop: str, listen: tuple[str, int], complaint: str) -> None:
    async def main() -> None:
        listener = Listener(listen, refuse, unfinished_max=1, handshake_timeout_s=1.0)
        with pytest.raises(ConfigurationError, match=complaint):
            await listener.start()
        await listener.close()

    run(main, loop)


def test_a_name_with_several_addresses_has_one_port(loop: str) -> None:
    async def main() -> None:
        listener = Listener(("localhost", 0), refuse, unfinished_max=1, handshake_timeout_s=1.0)
        await listener.start()
        ports = {listening.getsockname()[1] for listening in listener._sockets}
        assert ports == {listener.address[1]}
        await listener.close()

    run(main, loop)


def test_a_shortage_of_descriptors_passes(
    loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        arrived = asyncio.Event()

        async def on_arrival(connection: socket.socket) -> None:
            connection.close()
            arrived.set()

        failures = [OSError(24, "Too many open files"), OSError(103, "Software caused connection abort")]

        class Scarce(socket.socket):
            """Cannot accept at first."""

            def accept(self) -> tuple[socket.socket, Any]:
                if failures:
                    raise failures.pop(0)
                return super().accept()

        monkeypatch.setattr("paxon.net.listener.SHORTAGE_PAUSE_S", 0.001)
        listener = Listener(("127.0.0.1", 0), on_arrival, unfinished_max=1, handshake_timeout_s=1.0)
        with monkeypatch.context() as patch:
            patch.setattr("paxon.net.listener.socket.socket", Scarce)
            await listener.start()
        stranger = await Stranger.dial(listener.address)
        async with asyncio.timeout(PATIENCE_S):
            await arrived.wait()
        assert not failures
        stranger.close()
        await listener.close()

    run(main, loop)
    assert any("Too many open files" in str(record.__dict__["fields"]) for record in caplog.records)
