"""Calls are spans where a tracer is given, with OpenTelemetry's own."""

import asyncio

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from paxon.testing import Cluster
from tests.rsm.inventory import Inventory, OutOfStock


def test_each_call_has_a_span_that_says_what_was_called_and_what_came_of_it() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")

    async def main() -> None:
        async with Cluster(Inventory, members=1) as cluster:
            traced = cluster[1].traced(tracer)
            with tracer.start_as_current_span("order"):
                assert await traced.submit(Inventory.supply, "sku-1", 2) == 2
            assert await traced.within(5).read(Inventory.left, "sku-1") == 2
            with pytest.raises(OutOfStock):
                await traced.submit(Inventory.reserve, "none", order="o-1")
            await cluster[1].submit(Inventory.supply, "sku-1", 2)

    asyncio.run(main())
    spans = exporter.get_finished_spans()
    assert [span.name for span in spans] == [
        "paxon.submit Inventory.supply",
        "order",
        "paxon.read Inventory.left",
        "paxon.submit Inventory.reserve",
    ]
    supply, order, _, reserve = spans
    assert supply.parent is not None
    assert order.context is not None
    assert supply.parent.span_id == order.context.span_id
    assert dict(supply.attributes or {}) == {
        "paxon.part": "Inventory",
        "paxon.method": "supply",
        "paxon.version": "1",
    }
    assert not reserve.status.is_ok
    assert [event.name for event in reserve.events] == ["exception"]
