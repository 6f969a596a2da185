"""Mutual TLS: who gets in, who does not, and what the files must be."""

import asyncio
import contextlib
import logging
import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from paxon.errors import ConfigurationError
from paxon.net.handshake import Goodbye, Welcome
from paxon.net.links import LinkTimings, PeerAddress
from paxon.net.tls import TlsContexts, TlsFiles, names_member
from tests.net.harness import HASTY, NAMES, Member, Relay, Stranger, cluster, eventually, hello_of, run, tls_files

NOWHERE = PeerAddress("ben", "127.0.0.1", 1)
SLOW_TO_RETRY = LinkTimings(retry_s_min=1000.0, retry_s_max=1000.0, refused_retry_s=1000.0)


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


def context_of(files: TlsFiles) -> ssl.SSLContext:
    return TlsContexts(files).client()


def reasons(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(str(record.__dict__.get("fields", {}).get("reason", "")) for record in caplog.records)


def test_members_talk_over_tls(loop: str, tmp_path: Path, authority: Any) -> None:
    async def main() -> None:
        def each(node: int) -> dict[str, Any]:
            return {"tls": tls_files(tmp_path, authority, NAMES[node])}

        async with cluster(3, each=each) as members:
            members[1].send(2, 1, bytes(1_000_000))
            members[1].send(3, 2, urgent=True)
            await members[2].hears(1)
            await members[3].hears(2)
            members.relays[1, 2].cut()
            await members[1].signal.until(lambda: members[1].lost)
            await members[1].until_up(4)

    run(main, loop)


def test_a_certificate_of_another_name_is_refused_by_the_acceptor(loop: str, tmp_path: Path, authority: Any) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=SLOW_TO_RETRY, tls=tls_files(tmp_path, authority, "ada"))
        ben = Member("ben", 2, {1: NOWHERE})
        await ada.links.start()
        impostor = await Stranger.dial(ada.links.address, context_of(tls_files(tmp_path, authority, "cyd")))
        impostor.say(hello_of(ben, "ada"))
        goodbye = await impostor.hears()
        assert isinstance(goodbye, Goodbye)
        assert goodbye.code == "certificate"
        assert "names cyd" in goodbye.reason
        impostor.close()
        # The judgement came before anything was written down.
        assert ada.book.calls == []
        right = await Stranger.dial(ada.links.address, context_of(tls_files(tmp_path, authority, "ben")))
        right.say(hello_of(ben, "ada"))
        assert isinstance(await right.hears(), Welcome)
        right.close()
        await ada.links.close()

    run(main, loop)


def test_a_certificate_of_another_name_is_refused_by_the_dialler(
    loop: str, tmp_path: Path, authority: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        heard: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                heard.append(await reader.read(1))
            writer.transport.abort()

        impostor = TlsContexts(tls_files(tmp_path, authority, "cyd")).server()
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=impostor)
        relay = await Relay().start()
        relay.target = server.sockets[0].getsockname()
        ada = Member("ada", 1, {2: relay.peer("ben")}, tls=tls_files(tmp_path, authority, "ada"))
        await ada.links.start()
        await eventually(lambda: relay.accepted >= 6)
        assert ada.up() == 0
        await ada.links.close()
        await relay.close()
        server.close()
        # Not even a hello that was meant for somebody else.
        assert set(heard) <= {b""}

    run(main, loop)
    assert reasons(caplog).count("the certificate of ben names cyd") == 1


def test_another_authority_is_refused(
    loop: str, tmp_path: Path, authority: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        def each(node: int) -> dict[str, Any]:
            return {"tls": tls_files(tmp_path, authority if node == 1 else trustme.CA(), NAMES[node])}

        async with cluster(2, are_started=False, each=each) as members:
            for node in (1, 2):
                await members.start(node)
            await eventually(lambda: reasons(caplog).lower().count("certificate") >= 2)
            await eventually(lambda: members.relays[1, 2].accepted >= 4)
            assert members[1].up() == members[2].up() == 0
            assert members[1].book.calls == members[2].book.calls == []

    run(main, loop)


def test_a_client_without_a_certificate_is_refused(loop: str, tmp_path: Path, authority: Any) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=SLOW_TO_RETRY, tls=tls_files(tmp_path, authority, "ada"))
        ben = Member("ben", 2, {1: NOWHERE})
        await ada.links.start()
        context = ssl.create_default_context()
        context.check_hostname = False
        authority.configure_trust(context)
        try:
            stranger = await Stranger.dial(ada.links.address, context)
        except OSError:
            pass
        else:
            stranger.say(hello_of(ben, "ada"))
            await stranger.until_closed()
            stranger.close()
        await eventually(lambda: ada.links.statistics().arrivals_failed == 1)
        assert ada.book.calls == []
        await ada.links.close()

    run(main, loop)


def test_plain_text_on_a_tls_port_is_refused(loop: str, tmp_path: Path, authority: Any) -> None:
    async def main() -> None:
        ada = Member("ada", 1, {2: NOWHERE}, timings=SLOW_TO_RETRY, tls=tls_files(tmp_path, authority, "ada"))
        ben = Member("ben", 2, {1: NOWHERE})
        await ada.links.start()
        stranger = await Stranger.dial(ada.links.address)
        stranger.say(hello_of(ben, "ada"))
        async with asyncio.timeout(20.0):
            while await stranger.reader.read(1000):
                pass  # A TLS alert, which is not for us to read.
        stranger.close()
        await eventually(lambda: ada.links.statistics().arrivals_failed == 1)
        await ada.links.close()

    run(main, loop)


@pytest.mark.parametrize("secured", [1, 2])
def test_tls_at_one_end_only_is_a_line_in_the_log(
    loop: str, secured: int, tmp_path: Path, authority: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        def each(node: int) -> dict[str, Any]:
            return {"tls": tls_files(tmp_path, authority, NAMES[node])} if node == secured else {}

        async with cluster(2, are_started=False, each=each) as members:
            for node in (1, 2):
                await members.start(node)
            await eventually(lambda: members.relays[1, 2].accepted >= 6 and members.relays[2, 1].accepted >= 6)
            assert members[1].up() == members[2].up() == 0

    run(main, loop)
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) < 12


def test_a_tls_handshake_that_is_never_finished_is_cut_off(loop: str, tmp_path: Path, authority: Any) -> None:
    async def main() -> None:
        timings = LinkTimings(handshake_timeout_s=0.05, retry_s_min=1000.0, retry_s_max=1000.0)
        ada = Member("ada", 1, {2: NOWHERE}, timings=timings, tls=tls_files(tmp_path, authority, "ada"))
        await ada.links.start()
        stranger = await Stranger.dial(ada.links.address)
        stranger.writer.write(b"\x16\x03\x01")
        await stranger.until_closed()
        stranger.close()
        await eventually(lambda: ada.links.statistics().arrivals_failed == 1)
        await ada.links.close()

    run(main, loop)


def test_new_files_count_for_new_connections(loop: str, tmp_path: Path, authority: Any) -> None:
    async def main() -> None:
        files = tls_files(tmp_path, authority, "ada")
        ada = Member("ada", 1, {2: NOWHERE}, timings=HASTY, tls=files)
        ben = Member("ben", 2, {1: NOWHERE})
        await ada.links.start()
        another = trustme.CA()
        newcomer = context_of(tls_files(tmp_path / ".." / tmp_path.name, another, "ben"))
        tls_files(tmp_path, another, "ada")
        stranger = await Stranger.dial(ada.links.address, newcomer)
        stranger.say(hello_of(ben, "ada"))
        assert isinstance(await stranger.hears(), Welcome)
        stranger.close()
        await ada.links.close()

    run(main, loop)


def test_a_rotation_half_done_keeps_the_old_files(
    tmp_path: Path, authority: Any, caplog: pytest.LogCaptureFixture
) -> None:
    files = tls_files(tmp_path, authority, "ada")
    contexts = TlsContexts(files)
    before = contexts.server()
    assert contexts.server() is before
    key = files.key.read_bytes()
    files.key.write_bytes(authority.issue_cert("ada").private_key_pem.bytes())
    assert contexts.server() is before
    assert any("not usable yet" in record.getMessage() for record in caplog.records)
    files.key.unlink()
    assert contexts.server() is before
    files.key.write_bytes(key)
    files.key.chmod(0o600)
    assert contexts.server() is not before


def test_contexts_ask_for_certificates_and_no_old_versions(tmp_path: Path, authority: Any) -> None:
    contexts = TlsContexts(tls_files(tmp_path, authority, "ada"))
    for context in (contexts.server(), contexts.client()):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, authority: Any, mode: int) -> None:
    files = tls_files(tmp_path, authority, "ada")
    files.key.chmod(mode)
    with pytest.raises(ConfigurationError, match=r"open to others.*chmod 600"):
        TlsContexts(files)


@pytest.mark.parametrize("which", ["cert", "key", "ca"])
def test_a_file_that_is_missing_or_no_pem_is_named(tmp_path: Path, authority: Any, which: str) -> None:
    files = tls_files(tmp_path, authority, "ada")
    path: Path = getattr(files, which)
    path.write_text("not a certificate")
    with pytest.raises(ConfigurationError, match=path.name):
        TlsContexts(files)
    path.unlink()
    with pytest.raises(ConfigurationError, match=path.name):
        TlsContexts(files)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: Any) -> None:
    files = tls_files(tmp_path, authority, "ada")
    other = tls_files(tmp_path, authority, "ben")
    with pytest.raises(ConfigurationError, match="belong together"):
        TlsContexts(TlsFiles(files.cert, other.key, files.ca))


def test_a_key_with_a_password_is_refused_without_asking_for_it(tmp_path: Path, authority: Any) -> None:
    from cryptography.hazmat.primitives import serialization

    files = tls_files(tmp_path, authority, "ada")
    key = serialization.load_pem_private_key(files.key.read_bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    files.key.write_bytes(encrypted)
    os.chmod(files.key, 0o600)
    with pytest.raises(ConfigurationError, match="without a password"):
        TlsContexts(files)


def test_names_are_compared_whole_and_without_case() -> None:
    assert names_member(frozenset({"ada"}), "Ada")
    assert not names_member(frozenset({"*.example", "ada.example"}), "ada")
    assert not names_member(frozenset(), "ada")
