"""Who may be a member: the judgements alone, without sockets."""

from typing import Any

import pytest

from paxon.core.decree import NodeId
from paxon.net.handshake import (
    HANDSHAKE,
    HANDSHAKE_FRAME_BYTES_MAX,
    LANES,
    PROTOCOL,
    Goodbye,
    Hello,
    LocalIdentity,
    PeerAddress,
    Welcome,
    handshake_frame,
    hello_to,
    judge_hello,
    judge_welcome,
    welcome_from,
)

ADA = LocalIdentity("cluster", "ada", NodeId(1), "ada-storage", "ada:2379")
BEN = LocalIdentity("cluster", "ben", NodeId(2), "ben-storage", "ben:2379")
PEERS_OF_ADA = {NodeId(2): PeerAddress("ben", "ben", 7400), NodeId(3): PeerAddress("cyd", "cyd", 7400)}
TO_ADA = PeerAddress("ada", "ada", 7400)


def hello(**changes: Any) -> Hello:
    fields = {name: getattr(hello_to(TO_ADA, BEN, "urgent"), name) for name in Hello.__struct_fields__}
    return Hello(**{**fields, **changes})


def welcome(**changes: Any) -> Welcome:
    fields = {name: getattr(welcome_from(BEN), name) for name in Welcome.__struct_fields__}
    return Welcome(**{**fields, **changes})


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("names", [None, frozenset({"ben", "other"}), frozenset({"ben"})])
def test_a_member_fits(lane: str, names: frozenset[str] | None) -> None:
    assert judge_hello(hello(lane=lane), ADA, PEERS_OF_ADA, names) is None


@pytest.mark.parametrize(
    ("changes", "code", "advice"),
    [
        ({"protocol": PROTOCOL + 1}, "protocol", "upgrade ada"),
        ({"protocol": 0}, "protocol", "upgrade ben"),
        ({"cluster": "another"}, "cluster", "correct the address"),
        ({"to_member": "cyd"}, "address", "wrong or swapped"),
        ({"member": "zoe"}, "member", "same list of members"),
        ({"member": "ada", "node": NodeId(1)}, "member", "two members are called ada"),
        ({"node": NodeId(3)}, "node", "same list of members"),
        ({"lane": "express"}, "lane", "same release"),
    ],
)
def test_a_stranger_is_refused_with_advice(changes: dict[str, Any], code: str, advice: str) -> None:
    goodbye = judge_hello(hello(**changes), ADA, PEERS_OF_ADA, None)
    assert goodbye is not None
    assert goodbye.code == code
    assert advice in goodbye.reason


@pytest.mark.parametrize("names", [frozenset[str](), frozenset({"cyd"}), frozenset({"*"}), frozenset({"ben.example"})])
def test_a_certificate_must_carry_the_name(names: frozenset[str]) -> None:
    goodbye = judge_hello(hello(), ADA, PEERS_OF_ADA, names)
    assert goodbye is not None
    assert goodbye.code == "certificate"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"protocol": PROTOCOL + 1}, "protocol"),
        ({"cluster": "another"}, "cluster"),
        ({"member": "cyd"}, "address"),
        ({"node": NodeId(3)}, "node"),
    ],
)
def test_a_wrong_welcome_is_refused(changes: dict[str, Any], code: str) -> None:
    goodbye = judge_welcome(welcome(**changes), ADA, NodeId(2), PEERS_OF_ADA[NodeId(2)])
    assert goodbye is not None
    assert goodbye.code == code


def test_the_right_welcome_is_taken() -> None:
    assert judge_welcome(welcome(), ADA, NodeId(2), PEERS_OF_ADA[NodeId(2)]) is None


def test_a_goodbye_that_quotes_long_names_still_fits_its_frame() -> None:
    long = hello(member="\N{SNOWMAN}" * 4000, cluster="another")
    goodbye = judge_hello(long, ADA, PEERS_OF_ADA, None)
    assert goodbye is not None
    assert len(handshake_frame(goodbye)) < HANDSHAKE_FRAME_BYTES_MAX


@pytest.mark.parametrize("word", [hello(), welcome(), Goodbye("cluster", "why")])
def test_words_survive_the_wire(word: Hello | Welcome | Goodbye) -> None:
    assert HANDSHAKE.decode(*HANDSHAKE.encode(word)) == word
