"""Which addresses only this machine can reach, and what it takes to listen on the others."""

import pytest

from paxon.errors import ConfigurationError
from paxon.net.addresses import is_loopback, require_safe_listen, written


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LocalHost", "localhost.", "::ffff:127.0.0.1"]
)
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    require_safe_listen(host, tls=None, insecure=False)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "10.0.0.1", "192.168.0.1", "fe80::1%eth0", "example.org", "localhost.example.org"]
)
def test_beyond_loopback(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigurationError, match="beyond loopback without TLS needs --insecure"):
        require_safe_listen(host, tls=None, insecure=False)
    require_safe_listen(host, tls=None, insecure=True)
    require_safe_listen(host, tls=object(), insecure=False)


def test_written() -> None:
    assert written("127.0.0.1", 80) == "127.0.0.1:80"
    assert written("::1", 80) == "[::1]:80"
