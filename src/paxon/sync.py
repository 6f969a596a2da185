"""Paxon for programs without an event loop: ``paxon.open`` and ``paxon.connect`` with calls that wait.

with paxon.sync.open(Inventory, node="n1", data="./n1", cluster="cluster.toml") as member:
    left = member.submit(Inventory.reserve, "sku-1", order="o-9")

with paxon.sync.connect("one.example:7400", Inventory) as client:
    for seen in client.watch(Inventory, "reserved", Reserved):
        print(seen.event)
"""

from paxon.client.blocking import BlockingCaller, BlockingClient, BlockingMember
from paxon.client.blocking import connect_blocking as connect
from paxon.client.blocking import open_blocking as open  # noqa: A004

__all__ = ["BlockingCaller", "BlockingClient", "BlockingMember", "connect", "open"]
