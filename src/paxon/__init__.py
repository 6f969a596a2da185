"""Paxon: Leslie Lamport's Part-Time Parliament as software that people run.

A class of ``@command`` and ``@query`` methods is replicated by ``open``:

    class Counter(paxon.StateMachine):
        def __init__(self) -> None:
            self.value = 0

        @paxon.command
        def add(self, ctx: paxon.Context, amount: int) -> int:
            self.value += amount
            return self.value

    async with paxon.open(Counter, node="n1", data="./n1", cluster="cluster.toml") as member:
        print(await member.submit(Counter.add, 5))
"""

from typing import TYPE_CHECKING

from paxon.version import __version__

if TYPE_CHECKING:
    from paxon import sync
    from paxon.client.caller import Caller
    from paxon.client.connecting import OutsideClient, connect
    from paxon.client.observed import Observed
    from paxon.client.opening import Member
    from paxon.client.opening import open_member as open  # noqa: A004
    from paxon.client.recipes.seats import Hold
    from paxon.client.specialist import AreaHold
    from paxon.errors import (
        ApplyFailed,
        BadRequest,
        ClaimLost,
        Compacted,
        ConfigurationError,
        ContractError,
        DeadlineExceeded,
        GrantLost,
        LockLost,
        NotDeterministic,
        NotGranted,
        NotLeader,
        NotYetKnown,
        OutcomeUnknown,
        Overloaded,
        PaxonError,
        Rejected,
        RequestError,
        ResultLost,
        SessionEnded,
        Unreachable,
    )
    from paxon.net.tls import TlsFiles
    from paxon.node.consistency import AtLeast, Leased, Linearizable, Stale
    from paxon.rsm.contract import Context, StateMachine, command, query

__all__ = [
    "ApplyFailed",
    "AreaHold",
    "AtLeast",
    "BadRequest",
    "Caller",
    "ClaimLost",
    "Compacted",
    "ConfigurationError",
    "Context",
    "ContractError",
    "DeadlineExceeded",
    "GrantLost",
    "Hold",
    "Leased",
    "Linearizable",
    "LockLost",
    "Member",
    "NotDeterministic",
    "NotGranted",
    "NotLeader",
    "NotYetKnown",
    "Observed",
    "OutcomeUnknown",
    "OutsideClient",
    "Overloaded",
    "PaxonError",
    "Rejected",
    "RequestError",
    "ResultLost",
    "SessionEnded",
    "Stale",
    "StateMachine",
    "TlsFiles",
    "Unreachable",
    "__version__",
    "command",
    "connect",
    "open",
    "query",
    "sync",
]

_PLACES = {
    "AreaHold": "paxon.client.specialist:AreaHold",
    "AtLeast": "paxon.node.consistency:AtLeast",
    "Caller": "paxon.client.caller:Caller",
    "Context": "paxon.rsm.contract:Context",
    "Hold": "paxon.client.recipes.seats:Hold",
    "Leased": "paxon.node.consistency:Leased",
    "Linearizable": "paxon.node.consistency:Linearizable",
    "Member": "paxon.client.opening:Member",
    "OutsideClient": "paxon.client.connecting:OutsideClient",
    "Observed": "paxon.client.observed:Observed",
    "Stale": "paxon.node.consistency:Stale",
    "StateMachine": "paxon.rsm.contract:StateMachine",
    "TlsFiles": "paxon.net.tls:TlsFiles",
    "command": "paxon.rsm.contract:command",
    "connect": "paxon.client.connecting:connect",
    "open": "paxon.client.opening:open_member",
    "query": "paxon.rsm.contract:query",
    "sync": "paxon.sync:",
}
"""Where each name is; those that are not here are errors.  Looked up when it is first wanted: every part of Paxon
imports this package, and the lowest ones must not thereby import the highest."""


def __getattr__(name: str) -> object:
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    place, _, attribute = _PLACES.get(name, f"paxon.errors:{name}").partition(":")
    module = importlib.import_module(place)
    found: object = getattr(module, attribute) if attribute else module
    globals()[name] = found
    return found
