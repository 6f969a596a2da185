"""The contract's fine print: what a class must say, and what it is told if it does not."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from paxon.errors import ContractError
from paxon.rsm.contract import Context, Method, StateMachine, command, journal_of, methods_of, state_of
from tests.rsm.inventory import Inventory


def faults_of(body: dict[str, Any]) -> str:
    """What is said about a class with these methods."""
    kind = type("Faulty", (StateMachine,), body)
    with pytest.raises(ContractError) as caught:
        methods_of(kind)
    return str(caught.value)


def no_context(self: Any, sku: str) -> None: ...
def no_types(self: Any, ctx: Context, sku) -> None: ...  # type: ignore[no-untyped-def]
def no_result(self: Any, ctx: Context, sku: str): ...  # type: ignore[no-untyped-def]
def anything(self: Any, ctx: Context, sku: Any) -> None: ...
def an_object(self: Any, ctx: Context, sku: Inventory) -> None: ...
def an_object_back(self: Any, ctx: Context) -> list[Inventory]: ...  # type: ignore[empty-body]
def many(self: Any, ctx: Context, *skus: str) -> None: ...
def named(self: Any, ctx: Context, **skus: str) -> None: ...
def nameless(self: Any, ctx: Context, sku: str, /) -> None: ...
def changing(self: Any, ctx: Context, skus: list[str] = []) -> None: ...  # noqa: B006 - that is what it is about
def undefined(self: Any, ctx: Context, sku: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
async def coroutine(self: Any, ctx: Context) -> None: ...
def generator(self: Any, ctx: Context) -> Iterator[int]:
    yield 1


async def stream(self: Any, ctx: Context) -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("method", "told"),
    [
        (no_context, "Faulty.method does not take a Context first: write: def method(self, ctx: Context, ...)"),
        (no_types, "does not say what type sku has: write sku: TYPE"),
        (no_result, "does not say what it returns"),
        (anything, "has a type for sku that cannot be carried: Any says nothing about the values"),
        (an_object, "has a type for sku that cannot be carried: Inventory is no plain data"),
        (an_object_back, "has a type for result that cannot be carried: Inventory is no plain data"),
        (many, "takes *args or **kwargs"),
        (named, "takes *args or **kwargs"),
        (nameless, "has arguments without names"),
        (changing, "has a default for skus that can change"),
        (undefined, "has a type that is not defined"),
        (coroutine, "is a coroutine or a generator"),
        (generator, "is a coroutine or a generator"),
        (stream, "is a coroutine or a generator"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_method_that_cannot_be_replicated_is_named_with_a_remedy(method: Any, told: str) -> None:
    assert told in faults_of({"method": command(method)})


def test_a_class_without_commands_is_told() -> None:
    assert "has no command" in faults_of({"left": Inventory.left})


def test_two_methods_of_one_name_and_version_are_told() -> None:
    def first(self: Any, ctx: Context) -> None: ...
    def second(self: Any, ctx: Context) -> None: ...

    told = faults_of({"first": command(name="same")(first), "second": command(name="same")(second)})
    assert told == "Faulty has two methods that are command same (version 1): give one another name or version"


def test_only_functions_are_marked() -> None:
    with pytest.raises(ContractError, match="closest to their def"):
        command(property(lambda self: 1))  # type: ignore[call-overload]


def test_methods_are_inherited_and_overridden() -> None:
    class Bigger(Inventory):
        @command
        def supply(self, ctx: Context, sku: str, amount: int = 2) -> int:
            """Twice as much."""
            return super().supply(ctx, sku, amount)

    assert set(methods_of(Bigger)) == set(methods_of(Inventory))
    machine = Bigger()
    assert machine.supply(Context(1, 0), "bolt") == 2


def test_a_machine_is_an_ordinary_object_in_a_test() -> None:
    inventory = Inventory()
    assert inventory.supply(Context(1, 0), "bolt", 2) == 2
    assert inventory.left("bolt") == 2


# --- fingerprints ---


def described(method: Any) -> Method:
    """A command of a class of its own."""
    return next(iter(methods_of(type("Some", (StateMachine,), {"method": command(name="same")(method)})).values()))


@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0


@dataclass(frozen=True)
class Elsewhere:
    x: int
    y: int = 5


@dataclass(frozen=True)
class Wider:
    x: int
    y: int = 0
    z: int = 0


@dataclass(frozen=True)
class Tree:
    name: str
    children: "tuple[Tree, ...]" = ()


def of_point(self: Any, ctx: Context, at: Point) -> list[Point]: ...  # type: ignore[empty-body]
def of_elsewhere(self: Any, ctx: Context, at: Elsewhere) -> list[Elsewhere]: ...  # type: ignore[empty-body]
def of_wider(self: Any, ctx: Context, at: Wider) -> list[Wider]: ...  # type: ignore[empty-body]
def of_another_name(self: Any, ctx: Context, place: Point) -> list[Point]: ...  # type: ignore[empty-body]
def of_another_result(self: Any, ctx: Context, at: Point) -> list[Point] | None: ...
def of_a_tree(self: Any, ctx: Context, at: Tree) -> None: ...


def test_moving_a_record_or_changing_a_default_keeps_the_fingerprint() -> None:
    """A record's own defaults act before the call is spelled, and its class may live anywhere."""
    assert described(of_point).fingerprint == described(of_elsewhere).fingerprint


@pytest.mark.parametrize("other", [of_wider, of_another_name, of_another_result], ids=lambda method: method.__name__)
def test_whatever_changes_the_bytes_changes_the_fingerprint(other: Any) -> None:
    assert described(of_point).fingerprint != described(other).fingerprint


def test_a_description_says_all_that_travels() -> None:
    assert described(of_point).description == "same(at: {x: int, y?: int}) -> list[{x: int, y?: int}]"
    assert described(of_a_tree).description == "same(at: {name: text, children?: tuple[record 0 out]}) -> none"


# --- attributes ---


def test_attributes_are_state_and_are_taken_back() -> None:
    inventory = Inventory()
    journal_of(inventory).forget()
    inventory.stock = {"bolt": 1}
    inventory.stock["bolt"] = 2
    inventory.changes = 7
    inventory.extra = [1]
    del inventory.orders
    journal_of(inventory).take_back()
    assert state_of(inventory) == {"stock": {}, "orders": {}, "changes": 0}


def test_an_attribute_that_could_change_unnoticed_is_refused_by_name() -> None:
    inventory: Any = Inventory()
    with pytest.raises(TypeError, match=r"Inventory.stock: a state cannot hold a object"):
        inventory.stock = object()
