"""Listen addresses: how they are written, and which of them only this machine can reach.

Knows: addresses as text.  Does not know: name servers; nothing here asks the network.
"""

from ipaddress import IPv6Address, ip_address

from paxon.errors import ConfigurationError


def written(host: str, port: int) -> str:
    """``host:port`` as people write it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether listening on ``host`` is out of reach for every other machine.

    Of the names only ``localhost`` counts.  Another name may well resolve to a loopback
    address today; what it resolves to after the next change of a zone file is not a thing to
    rest security on.
    """
    bare = host.removeprefix("[").removesuffix("]")
    if bare.lower().rstrip(".") == "localhost":
        return True
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def require_safe_listen(host: str, tls: object | None, insecure: bool) -> None:
    """Refuse to offer plain text to other machines unless the operator insists.

    Raises:
        ConfigurationError: ``host`` is beyond loopback, ``tls`` is ``None`` and ``insecure`` is false.
    """
    if tls is None and not insecure and not is_loopback(host):
        raise ConfigurationError(f"listening on {host or 'every address'} beyond loopback without TLS needs --insecure")
