"""How calls of replicated objects and their replies are spelled in bytes.

Knows: methods and their types.  Does not know: state, or who calls.

A call is one byte with the length of its head, the head, and the arguments.  The head, a MessagePack
array of the method's name, version and fingerprint, is the same in every call of a method: whoever has
that very method knows it by these bytes alone.  The arguments are a MessagePack map by name.  A
reply is an array of a one and the result, or of a two and a refusal: its class by module and name,
its arguments, and its text for those who do not have the class.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from msgspec import Struct, msgpack
from msgspec.structs import fields

from paxon.errors import BadRequest, ContractError, Rejected
from paxon.rsm.contract import Ability, Method
from paxon.rsm.machine import MALFORMED
from paxon.rsm.tracked import CONTAINERS, plain

R = TypeVar("R")

HEAD_BYTES_MAX: Final = 255
"""What one byte can say of a head's length."""


class Returned(Struct, Generic[R], frozen=True, array_like=True, tag=1):
    """The method returned ``result``."""

    result: R


class Refused(Struct, frozen=True, array_like=True, tag=2):
    """The method raised a ``Rejected``: the class ``kind``, made of ``arguments``; ``text`` is what it says."""

    kind: str
    arguments: tuple[Any, ...]
    text: str


def _untracked(value: Any) -> Any:
    if isinstance(value, CONTAINERS):
        return value.plain()
    raise TypeError(f"a {type(value).__name__} cannot be carried")


encode: Final = msgpack.Encoder(enc_hook=_untracked).encode
"""Plain data in bytes; containers of a state count as what they hold."""

_decode_ability: Final[Callable[[bytes], Ability]] = msgpack.Decoder(Ability).decode


class Spelling:
    """The calls of one method in bytes, and the replies to them."""

    def __init__(self, method: Method) -> None:
        """
        Raises:
            ContractError: if the method's name is too long.
        """
        head = encode(method.ability)
        if len(head) > HEAD_BYTES_MAX:
            raise ContractError(f"the name of {method} is too long: the limit is about {HEAD_BYTES_MAX - 20} letters")
        self.method = method
        self.head = bytes([len(head)]) + head
        self._head_bytes = len(self.head)
        # Where these are the types of all arguments, they fit without a closer look.
        kinds = tuple(field.type for field in fields(method.arguments))
        self._simple = kinds if all(kind in (str, int, bool, bytes, float) for kind in kinds) else (NotImplemented,)
        # Made once: finding the decoder of a type costs more than decoding a few values.
        self._decode_arguments = msgpack.Decoder(method.arguments).decode
        self._decode_reply = msgpack.Decoder(Returned[method.result] | Refused).decode  # type: ignore[name-defined]

    def call(self, *arguments: Any, **named: Any) -> bytes:
        """A call in bytes.

        Raises:
            TypeError: if the arguments do not fit the method, or are not of their types.
        """
        body = encode(self.method.arguments(*arguments, **named))
        try:
            # Whoever is wrong learns it here, and not when every member has refused the call.
            self._decode_arguments(body)
        except MALFORMED as error:
            raise TypeError(f"{self.method}: {error}") from error
        return self.head + body

    def require_fit(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        """See that arguments fit the method and are of its types.

        Raises:
            TypeError: if not.
        """
        if named or tuple(map(type, arguments)) != self._simple:
            self.call(*arguments, **named)

    def arguments(self, call: bytes) -> Struct:
        """The arguments of a call whose head was seen to be this method's.

        Raises:
            BadRequest: if they are not those of this method.
        """
        try:
            return self._decode_arguments(call[self._head_bytes :])
        except MALFORMED as error:
            raise BadRequest(f"{self.method} does not take these arguments: {error}") from error

    def result(self, reply: bytes) -> Any:
        """The result that a reply carries.

        Raises:
            Rejected: if the method refused: of the class that it raised, where that class is known here.
        """
        decoded = self._decode_reply(reply)
        if isinstance(decoded, Refused):
            raise _refusal(decoded)
        return decoded.result


def head_of(call: bytes) -> bytes:
    """What says which method is called; of what is no call, something that no method has."""
    return call[: call[0] + 1] if call else b""


def read_head(call: bytes) -> Ability:
    """Which method is called.

    Raises:
        BadRequest: if ``call`` is no call.
    """
    try:
        return _decode_ability(head_of(call)[1:])
    except MALFORMED as error:
        raise BadRequest(f"this is no call of a replicated object: {error}") from error


def told(ability: Ability) -> str:
    """A method in words."""
    name, version, fingerprint = ability
    return f"{name} (version {version}, fingerprint {fingerprint.hex()})"


def encode_result(result: Any) -> bytes:
    """The reply of a method that returned."""
    return encode((1, result))  # A Returned, without making one.


def encode_refusal(refusal: Rejected) -> bytes:
    """The reply of a method that refused."""
    kind = type(refusal)
    name = f"{kind.__module__}:{kind.__qualname__}"
    arguments = tuple(plain(argument) for argument in refusal.args)
    return encode(Refused(name, arguments, str(refusal)))


def _refusal(refused: Refused) -> Rejected:
    for kind in _kinds_of(Rejected):
        if f"{kind.__module__}:{kind.__qualname__}" == refused.kind:
            return kind(*refused.arguments)
    return Rejected(refused.text or refused.kind)


def _kinds_of(kind: type[Rejected]) -> list[type[Rejected]]:
    return [kind, *(grandchild for child in kind.__subclasses__() for grandchild in _kinds_of(child))]
