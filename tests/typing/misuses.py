"""What mypy --strict has to refuse of a user's program, each line for the reason that stands above it.

Nobody runs or lints this; ``test_misuses`` compares it with what mypy says, line by line.
"""

import paxon
from paxon.sync import BlockingMember
from tests.rsm.inventory import Inventory, Reserved


async def wrong_calls(member: paxon.Member, client: paxon.OutsideClient) -> None:
    # [arg-type] Argument 3 to "submit" of "Caller" has incompatible type "str"; expected "int"
    await member.submit(Inventory.supply, "sku-1", "many")
    # [arg-type] Argument 3 to "submit" of "Caller" has incompatible type "str"; expected "int"
    await client.submit(Inventory.supply, "sku-1", "many")
    # [call-arg] Missing named argument "order" for "submit" of "Caller"
    await member.submit(Inventory.reserve, "sku-1")
    # [call-arg] Too many arguments for "submit" of "Caller"
    await member.submit(Inventory.supply, "sku-1", 1, 2)
    # [call-arg] Unexpected keyword argument "amuont" for "submit" of "Caller"; did you mean "amount"?
    await member.submit(Inventory.supply, "sku-1", amuont=1)
    # [arg-type] Argument 1 to "submit" of "Caller" has incompatible type "Callable[[Inventory, str], int]"
    # [call-arg] Too many arguments for "submit" of "Caller"
    await member.submit(Inventory.left, "sku-1")
    # [arg-type] Argument 2 to "read" of "Caller" has incompatible type "str"; expected "Context"
    # [call-arg] Missing positional argument "sku" in call to "read" of "Caller"
    await member.read(Inventory.supply, "sku-1")
    # [call-arg] Missing positional argument "sku" in call to "read" of "Caller"
    await member.read(Inventory.left)
    # [arg-type] Argument 2 to "read" of "Caller" has incompatible type "int"; expected "str"
    await member.read(Inventory.left, 7)
    # [arg-type] Argument 1 to "submit" of "Caller" has incompatible type "Callable[[Sized], int]"
    # [call-arg] Too many arguments for "submit" of "Caller"
    # [type-var] Value of type variable "M" of "submit" of "Caller" cannot be "Sized"
    await member.submit(len, "sku-1")
    # [arg-type] Argument 1 to "submit" of "Caller" has incompatible type "str"
    await member.submit("supply", "sku-1")


async def wrong_results(member: paxon.Member) -> None:
    # [arg-type] Argument 1 to "submit" of "Caller" has incompatible type "Callable[[Inventory, Context, str, int], i
    text: str = await member.submit(Inventory.supply, "sku-1")
    # [arg-type] Argument 1 to "submit" of "Caller" has incompatible type "def reserve(self, Inventory, Context, /, s
    number: int = await member.submit(Inventory.reserve, "sku-1", order="o-9")
    # [arg-type] Argument 1 to "read" of "Caller" has incompatible type "Callable[[Inventory, str], list[str]]"
    names: list[int] = await member.read(Inventory.orders_of, "o-9")
    # [unused-coroutine] Value of type "Coroutine[Any, Any, int]" must be used
    member.submit(Inventory.supply, "sku-1")
    # [operator] Unsupported operand types for + ("Coroutine[Any, Any, int]" and "int")
    member.submit(Inventory.supply, "sku-1") + 1
    print(text, number, names)


async def wrong_watches(member: paxon.Member) -> None:
    async for seen in member.watch(Inventory, "reserved", Reserved):
        # [assignment] Incompatible types in assignment (expression has type "Reserved", variable has type "str")
        text: str = seen.event
        # [attr-defined] "Reserved" has no attribute "price"
        print(text, seen.event.price)
    # [attr-defined] "AsyncGenerator[Observed[Reserved], None]" has no attribute "__iter__" (not iterable)
    for never in member.watch(Inventory, "reserved", Reserved):
        print(never)
    # [arg-type] Argument 1 to "watch" of "Caller" has incompatible type "Inventory"; expected "type[StateMachine]"
    member.watch(Inventory(), "reserved", Reserved)
    # [arg-type] Argument "since" to "watch" of "Caller" has incompatible type "str"; expected "int | None"
    member.watch(Inventory, "reserved", Reserved, since="yesterday")


async def wrong_choices(member: paxon.Member) -> None:
    # [arg-type] Argument 1 to "within" of "Caller" has incompatible type "str"; expected "float"
    member.within("soon")
    # [arg-type] Argument 1 to "reading" of "Caller" has incompatible type "str"
    member.reading("stale")
    # [arg-type] Argument "ttl" to "session" of "Caller" has incompatible type "str"; expected "float"
    async with member.session(ttl="long") as session:
        print(session)


async def wrong_beginnings() -> None:
    # [call-arg] Missing named argument "node" for "open_member"
    paxon.open(Inventory, data="n1", cluster="cluster.toml")
    # [arg-type] Argument 1 to "open_member" has incompatible type "Inventory"; expected "type[StateMachine]"
    paxon.open(Inventory(), node="n1", data="n1", cluster="cluster.toml")
    # [arg-type] Argument 2 to "connect" has incompatible type "Inventory"; expected "type[StateMachine]"
    paxon.connect("one.example:7400", Inventory())
    # [arg-type] Argument "tls" to "connect" has incompatible type "str"; expected "TlsFiles | None"
    paxon.connect(["one.example:7400"], Inventory, tls="cert.pem")
    # [attr-defined] "_AsyncGeneratorContextManager[Member, None]" has no attribute "__enter__"
    # [attr-defined] "_AsyncGeneratorContextManager[Member, None]" has no attribute "__exit__"; maybe "__aexit__"?
    with paxon.open(Inventory, node="n1", data="n1", cluster="cluster.toml") as member:
        print(member)


async def wrong_colours(blocking: BlockingMember) -> None:
    # [misc] Incompatible types in "await" (actual type "int", expected type "Awaitable[Any]")
    await blocking.submit(Inventory.supply, "sku-1")
    # [assignment] Incompatible types in assignment (expression has type "int", variable has type "str")
    text: str = blocking.submit(Inventory.supply, "sku-1")
    # [arg-type] Argument 3 to "submit" of "BlockingCaller" has incompatible type "str"; expected "int"
    blocking.submit(Inventory.supply, "sku-1", "many")
    for seen in blocking.watch(Inventory, "reserved", Reserved):
        # [assignment] Incompatible types in assignment (expression has type "Reserved", variable has type "str")
        text = seen.event
    print(text)


class WrongMachine(paxon.StateMachine):
    # [arg-type] Argument 1 to "command" has incompatible type "Callable[[WrongMachine, int], int]"
    @paxon.command
    def without_a_context(self, amount: int) -> int:
        return amount

    @paxon.command
    # [no-untyped-def] Function is missing a type annotation
    def without_types(self, ctx, amount):
        return amount

    # [call-overload] No overload variant of "query" matches argument type "str"
    # [untyped-decorator] Untyped decorator makes function "with_a_version_in_words" untyped
    @paxon.query(version="2")
    def with_a_version_in_words(self) -> int:
        return 1
