"""A member's configuration: what a file may say, and one clear line for everything else."""

from pathlib import Path

import pytest

from paxon.core.roster import Flexible, Majority, Weighted
from paxon.errors import ConfigurationError
from paxon.node.config import Address, LeaseTerms, Limits, MemberConfig, Timing

GOOD = """
cluster = "orders"
name = "n2"
directory = "data/n2"
listen = "127.0.0.1:7402"

[members]
n1 = "127.0.0.1:7401"
n2 = "127.0.0.1:7403"
n3 = "127.0.0.1:7405"
"""


def read(tmp_path: Path, text: str) -> MemberConfig:
    path = tmp_path / "member.toml"
    path.write_text(text)
    return MemberConfig.from_toml(path)


def test_the_defaults_are_a_majority_on_loopback(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD)
    assert config.directory == tmp_path / "data" / "n2"
    assert config.listen == Address("127.0.0.1", 7402)
    assert config.peer_address == Address("127.0.0.1", 7403)
    assert config.ids == {"n1": 1, "n2": 2, "n3": 3}
    assert config.node_id == 2
    assert config.roster.quorums == Majority((1, 2, 3))  # type: ignore[arg-type]  # literals stand for ids
    assert config.limits == Limits()
    assert config.timing == Timing()
    assert config.tls is None
    assert config.endpoint_of("n2") == "127.0.0.1:7402"
    assert config.endpoint_of("n1") == ""


def test_everything_can_be_set(tmp_path: Path) -> None:
    top, members = GOOD.split("[members]")
    config = read(
        tmp_path,
        top.replace("127.0.0.1:7402", "0.0.0.0:7402")
        + 'peer_listen = "[::]:9"\nquorum = { weights = { n1 = 1, n2 = 2, n3 = 0 } }\n[members]'
        + members
        + """
        [endpoints]
        n1 = "one.example:7400"
        n2 = "two.example:7400"
        [tls]
        cert = "n2.pem"
        key = "/etc/n2.key"
        ca = "ca.pem"
        [limits]
        pipeline_depth = 3
        [timing]
        presence_ms = 50
        [lease]
        duration_ms = 400
        """,
    )
    assert config.peer_address == Address("::", 9)
    assert isinstance(config.roster.quorums, Weighted)
    assert config.tls is not None
    assert config.tls.cert == tmp_path / "n2.pem"
    assert config.tls.key == Path("/etc/n2.key")
    assert config.limits.pipeline_depth == 3
    assert config.timing.presence_ms == 50
    assert config.lease == LeaseTerms(duration_ms=400)
    assert config.endpoint_of("n2") == "two.example:7400"
    assert config.endpoint_of("n1") == "one.example:7400"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('cluster = "orders"\n', "", "the setting cluster is missing"),
        ("orders", "or/ders", "cluster: 'or/ders' is not a name"),
        ('name = "n2"', 'name = "n9"', "has no 'n9'"),
        ('name = "n2"', "name = 2", "name: expected"),
        ('name = "n2"', 'name = "n2"\ncolour = 1', "unknown setting colour"),
        ('name = "n2"', 'name = "n2"\n"col\\nour" = 1', "unknown setting col?our"),
        ('name = "n2"', 'name = "n2"\nquorum = "most"', "quorum 'most' is unknown"),
        ('name = "n2"', 'name = "n2"\nquorum = { promises = 2 }', "go together"),
        ('name = "n2"', 'name = "n2"\nquorum = { promises = 1, votes = 2 }', "must be larger"),
        ('name = "n2"', 'name = "n2"\nquorum = { weights = { n1 = 1 } }', "n2, n3"),
        ('name = "n2"', 'name = "n2"\nquorum = { weights = { n1 = 1, n2 = -1, n3 = 1 } }', "negative"),
        ('name = "n2"', 'name = "n2"\nquorum = { votes = 2, promises = 2, weights = {} }', "not both"),
        ('listen = "127.0.0.1:7402"', 'listen = "127.0.0.1"', "has no port"),
        ('listen = "127.0.0.1:7402"', 'listen = "127.0.0.1:70000"', "choose one from 1 to 65535"),
        ('listen = "127.0.0.1:7402"', 'listen = "127.0.0.1:http"', "'http' is not a port"),
        ('listen = "127.0.0.1:7402"', 'listen = "::1:7402"', "in brackets"),
        ('listen = "127.0.0.1:7402"', 'listen = "[::g]:7402"', "not an IPv6 address"),
        ('listen = "127.0.0.1:7402"', 'listen = "a b:7402"', "not a host"),
        ('listen = "127.0.0.1:7402"', 'listen = "0.0.0.0:7402"', "no TLS"),
        ('listen = "127.0.0.1:7402"', 'listen = "127.0.0.1:7403"', "a port each"),
        ('n1 = "127.0.0.1:7401"', 'n1 = "127.0.0.1:7405"', "share the address"),
        ('n1 = "127.0.0.1:7401"', 'N2 = "127.0.0.1:7401"', "upper and lower case"),
        ('n1 = "127.0.0.1:7401"', 'n1 = "nowhere"', "members.n1 'nowhere'"),
        ("[members]", "[limits]\npipeline_depth = 65\n[members]", "limits.pipeline_depth is 65: choose from 1 to 64"),
        ("[members]", '[limits]\npipeline_depth = "2"\n[members]', "limits.pipeline_depth: expected"),
        ("[members]", "[limits]\ndepth = 2\n[members]", "unknown setting limits.depth"),
        ("[members]", "[limits]\nwaiting_bytes_max = 5\n[members]", "limits.waiting_bytes_max is 5"),
        ("[members]", "[timing]\nelection_timeout_ms = 200\n[members]", "choose from 300 to"),
        (
            "[members]",
            "[lease]\nduration_ms = 200\n[members]",
            "of which 149 can be used: choose one",
        ),
        ("[members]", "[lease]\nduration_ms = 600000\n[members]", "choose from 1 to 60000"),
        ("[members]", "[lease]\ndrift_ppm = 1000000\n[members]", "lease.drift_ppm is 1000000: choose from 0 to 500000"),
        ("[members]", '[endpoints]\nn9 = "a:1"\n[members]', "n9"),
        ("[members]", '[tls]\ncert = "a"\nkey = "b"\n[members]', "the setting tls.ca is missing"),
        ("[members]", "[members", "is not a TOML file"),
        ("[members]", "deep = " + "[" * 3000 + "\n[members]", "is not a TOML file"),
        ("[members]", "long = " + "9" * 5000 + "\n[members]", "is not a TOML file"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_file(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, GOOD.replace(old, new))
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'member.toml'}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        MemberConfig.from_toml(tmp_path / "none.toml")


def test_the_cluster_id_stands_for_the_hard_settings_alone(tmp_path: Path) -> None:
    def id_of(text: str) -> str:
        return read(tmp_path, text).cluster_id

    ours = id_of(GOOD)
    assert len(ours) == 32
    int(ours, 16)
    for soft in (
        GOOD.replace('name = "n2"', 'name = "n1"'),
        GOOD.replace("7402", "7502").replace("7405", "7505"),
        GOOD + "[limits]\npipeline_depth = 2",
        GOOD.replace('name = "n2"', 'name = "n2"\nquorum = "majority"'),
    ):
        assert id_of(soft) == ours
    hard = [
        id_of(GOOD.replace("orders", "stock")),
        id_of(GOOD.replace("n3 =", "n4 =")),
        id_of(GOOD.replace("n3 =", "# n3 =")),
        id_of(GOOD.replace('name = "n2"', 'name = "n2"\nquorum = { promises = 3, votes = 1 }')),
        id_of(GOOD.replace('name = "n2"', 'name = "n2"\nquorum = { promises = 1, votes = 3 }')),
    ]
    assert len({ours, *hard}) == 1 + len(hard)


def test_flexible_quorums(tmp_path: Path) -> None:
    config = read(tmp_path, GOOD.replace('name = "n2"', 'name = "n2"\nquorum = { promises = 3, votes = 1 }'))
    assert isinstance(config.roster.quorums, Flexible)
    assert config.roster.quorums_meet()


@pytest.mark.parametrize("text", ["127.0.0.1:7400", "[::1]:7400", "db-1.example.org:1", "localhost:65535"])
def test_an_address_survives_reading_and_writing(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("n1.example:1", False),
    ],
)
def test_what_counts_as_loopback(text: str, loopback: bool) -> None:
    assert Address.parse(text).is_loopback == loopback
