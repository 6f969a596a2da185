"""Every target holds for inputs of hypothesis and for all that ever broke one; and a target can break."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from paxon.codec import values
from paxon.codec.frames import FrameReader
from paxon.codec.records import RECORDS
from paxon.codec.values import Vocabulary
from paxon.core import president
from paxon.errors import InvariantViolation, ProtocolError, check
from paxon.kv import name_server
from paxon.net.handshake import HANDSHAKE
from paxon.node import config
from paxon.node.service import CLIENT_VOCABULARY
from paxon.node.vocabulary import PEER_VOCABULARY
from paxon.rsm import calls
from tests.core.steady import steady
from tests.fuzz import __main__ as program
from tests.fuzz import members, storage
from tests.fuzz.__main__ import CORPUS, main
from tests.fuzz.oracle import ALLOWANCE_BYTES, LIES, Draw, MemoryWasted, Target, refusing, run_bounded
from tests.fuzz.targets import TARGETS
from tests.storage.scripts import flat, groups, opened

EDITS_MAX = 6

BROKEN_ONCE = [
    pytest.param(path.parent.name, path, id=f"{path.parent.name}/{path.name}") for path in CORPUS.glob("*/*")
]


@st.composite
def inputs(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """Anything at all, or a seed with some bytes replaced, left out, doubled or taken from another seed."""
    if draw(st.integers(0, 7)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, EDITS_MAX))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 8)))
        other = draw(st.sampled_from(seeds))
        start = draw(st.integers(0, len(other)))
        data[at:end] = draw(st.binary(max_size=8) | st.just(other[start : start + 40]))
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds(name: str) -> None:
    target = TARGETS[name]

    @settings(steady, max_examples=60)
    @given(inputs(target.seeds))
    def holds(data: bytes) -> None:
        run_bounded(target, data)

    holds()


@pytest.mark.parametrize(("name", "path"), BROKEN_ONCE)
def test_what_broke_a_target_once_breaks_none(name: str, path: Path) -> None:
    run_bounded(TARGETS[name], path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_hold(name: str) -> None:
    for seed in TARGETS[name].seeds:
        run_bounded(TARGETS[name], seed)


# --- targets start from everything there is ---


@pytest.mark.parametrize(
    ("name", "vocabulary"),
    [
        ("peer-messages", PEER_VOCABULARY),
        ("client-messages", CLIENT_VOCABULARY),
        ("handshake", HANDSHAKE),
        ("records", RECORDS),
    ],
)
def test_every_kind_has_a_seed_that_decodes(name: str, vocabulary: Vocabulary) -> None:
    decoded = {type(vocabulary.decode(seed[0], seed[1:])) for seed in TARGETS[name].seeds}
    assert decoded == set(vocabulary.kinds.values())


def test_a_seed_of_the_legislator_presides_and_passes_a_decree() -> None:
    draw = Draw(members.PRESIDING)
    lectern = members.Lectern(draw)
    while not draw.is_empty:
        assert not lectern.step().is_refused
    assert lectern.legislator.ledger.passed_until == 2
    assert lectern.legislator.may_propose


def test_a_seed_of_the_sealed_segments_is_a_whole_ledger() -> None:
    disk = storage.USED.copy()
    storage.put_sealed(disk, TARGETS["sealed"].seeds[0])
    assert opened(disk)[1] == flat(groups())


# --- a target can break ---


def _texts_unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MALFORMED", (msgspec.DecodeError, RecursionError))
    monkeypatch.setattr("paxon.storage.identity.MALFORMED", (msgspec.DecodeError, RecursionError))
    monkeypatch.setattr(name_server, "MALFORMED", (msgspec.DecodeError, RecursionError))
    monkeypatch.setattr(calls, "MALFORMED", (msgspec.DecodeError, RecursionError))


def _nests_unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MALFORMED", (msgspec.DecodeError, UnicodeDecodeError))
    monkeypatch.setattr("paxon.storage.ballots.MALFORMED", (msgspec.DecodeError, UnicodeDecodeError))
    monkeypatch.setattr(name_server, "MALFORMED", (msgspec.DecodeError, UnicodeDecodeError))


def _gaps_unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not for ever, so that the test has an end.
    monkeypatch.setattr(president, "GAPS_MAX", 2**16)
    monkeypatch.setattr(members, "_FAR", (*members._FAR[:5], *[2**15] * 5))


def _rounds_unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(president, "ROUND_MAX", 2**60)


def _toml_unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "NO_TOML", (tomllib.TOMLDecodeError, UnicodeDecodeError))


Breakage = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize(
    ("breakage", "name", "file", "error"),
    [
        (_texts_unguarded, "handshake", "text-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "peer-messages", "text-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "client-messages", "text-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "connection", "text-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "replies", "text-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "twins", "identity-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "twins", "peers-that-are-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "objects", "name-that-is-no-utf-8", UnicodeDecodeError),
        (_texts_unguarded, "objects", "argument-that-is-no-utf-8", UnicodeDecodeError),
        (_nests_unguarded, "peer-messages", "deep-nest", RecursionError),
        (_nests_unguarded, "replies", "deep-nest", RecursionError),
        (_nests_unguarded, "twins", "deep-nest", RecursionError),
        (_gaps_unlimited, "legislator", "far-vote", MemoryWasted),
        (_gaps_unlimited, "legislator", "far-outcome", MemoryWasted),
        (_gaps_unlimited, "host", "far-vote", MemoryWasted),
        (_rounds_unlimited, "legislator", "last-round", ProtocolError),
        (_toml_unguarded, "configuration", "deep-brackets", RecursionError),
        (_toml_unguarded, "configuration", "number-of-thousands-of-digits", ValueError),
    ],
)
def test_what_broke_a_target_breaks_it_again_without_the_fix(
    breakage: Breakage, name: str, file: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    breakage(monkeypatch)
    with pytest.raises(error):
        run_bounded(TARGETS[name], (CORPUS / name / file).read_bytes())


def test_hypothesis_finds_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any input that is known to break it."""
    _texts_unguarded(monkeypatch)
    seeds = TARGETS["client-messages"].seeds

    @settings(steady, max_examples=5000, database=None, phases=[Phase.generate])
    @given(inputs(seeds))
    def holds(data: bytes) -> None:
        TARGETS["client-messages"].run(data)

    with pytest.raises(UnicodeDecodeError):
        holds()


def test_memory_for_a_claimed_length_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = FrameReader.feed

    def generous(reader: FrameReader, data: bytes) -> list[tuple[int, bytes]]:
        bytearray(min(int.from_bytes(data[:4], "big"), 2**26))
        return feed(reader, data)

    monkeypatch.setattr(FrameReader, "feed", generous)
    with pytest.raises(MemoryWasted):
        run_bounded(TARGETS["frames"], bytes.fromhex("00 ffffffff 00000000"))


def test_what_is_used_once_and_never_again_is_no_cost_of_the_input() -> None:
    tables: list[bytearray] = []

    def grows_once(data: bytes) -> None:
        if not tables:
            tables.append(bytearray(2 * ALLOWANCE_BYTES))

    run_bounded(Target(grows_once, ()), b"")
    assert len(tables) == 1


def test_a_value_that_changes_on_its_way_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = Vocabulary.encode
    monkeypatch.setattr(Vocabulary, "encode", lambda words, value: (7, b"\x81\xa9from_slot\x01"))
    with pytest.raises(AssertionError, match="changes on its way"):
        run_bounded(TARGETS["peer-messages"], bytes((7,)) + b"\x81\xa9from_slot\x02")
    monkeypatch.setattr(Vocabulary, "encode", encode)
    run_bounded(TARGETS["peer-messages"], bytes((7,)) + b"\x81\xa9from_slot\x02")


def test_only_lies_about_agreement_are_tolerated() -> None:
    for claim in LIES:
        with refusing(ProtocolError, lies=True) as watch:
            check(False, f"{claim} (slot 7)")
        assert watch.is_lied_to
        with pytest.raises(InvariantViolation), refusing(ProtocolError):
            check(False, claim)
    with pytest.raises(InvariantViolation), refusing(ProtocolError, lies=True):
        check(False, "a promise only rises")


# --- the program ---


def test_an_input_is_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "input"
    file.write_bytes(TARGETS["records"].seeds[0])
    assert main(["records", str(file)]) == 0
    assert capsys.readouterr().out == f"records holds for {file}\n"


def test_an_unknown_target_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gone"]) == 2
    assert "no such target: gone" in capsys.readouterr().err


def test_without_atheris_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(program, "find_spec", lambda name: None)
    assert main([]) == 0
    assert "fuzzing skipped: atheris has no wheel" in capsys.readouterr().err
