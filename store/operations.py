"""Write operations: named functions that any process may ask the one writer to run.

An operation is a plain function whose first parameter is a :class:`Tx`. Its parameters and result
are annotated with types that msgspec can carry, because the caller may be another process. It
touches nothing but ``tx``: when a member of a commit group fails, the group is rolled back and its
members are run again one by one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, get_type_hints

import msgspec
from sqlalchemy import Connection

from store.errors import StoreError

P = ParamSpec("P")
T = TypeVar("T")


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """A committed change: folder ``folder_id`` of ``box_id`` reached ``modseq``.

    ``folder_id`` 0 speaks of the box itself (opened, closed, folders changed); ``box_id`` 0 of a task
    queue, whose number ``folder_id`` then is (see :data:`store.tasks.QUEUES`).
    """

    box_id: int
    folder_id: int
    modseq: int


class Tx:
    """One open transaction, shared by the operations of a commit group."""

    __slots__ = ("conn", "home", "memo", "notices", "now", "segments")

    def __init__(self, conn: Connection, home: Path, now: int) -> None:
        self.conn = conn
        self.home = home
        self.now = now
        self.notices: dict[tuple[int, int], int] = {}
        self.segments: set[int] = set()
        self.memo: dict[str, Any] = {}  # what members of a group share, e.g. the head of a chain

    def notify(self, box_id: int, folder_id: int, modseq: int = 0) -> None:
        """Announce a change to every process once, after the commit."""
        key = (box_id, folder_id)
        if modseq >= self.notices.get(key, 0):
            self.notices[key] = modseq


class Operation(Generic[T]):
    """A registered operation: its wire name, its function, and how to carry arguments and result."""

    def __init__(self, name: str, function: Callable[..., T]) -> None:
        self.name = name
        self.function = function
        self._codec: tuple[type[msgspec.Struct], msgspec.msgpack.Decoder[Any], Any] | None = None

    def _prepare(self) -> tuple[type[msgspec.Struct], msgspec.msgpack.Decoder[Any], Any]:
        if self._codec is None:
            hints = get_type_hints(self.function)
            result = hints.pop("return")
            fields: list[Any] = []
            for parameter in list(inspect.signature(self.function).parameters.values())[1:]:
                field = (parameter.name, hints[parameter.name])
                if parameter.default is not parameter.empty:
                    field = (*field, parameter.default)  # type: ignore[assignment]  # 2- or 3-tuple
                fields.append(field)
            arguments = msgspec.defstruct(
                self.name.replace(".", "_"), fields, kw_only=True, array_like=True, gc=False
            )
            self._codec = (arguments, msgspec.msgpack.Decoder(arguments), result)
        return self._codec

    def encode(self, kwargs: dict[str, Any]) -> bytes:
        return _encoder.encode(self._prepare()[0](**kwargs))

    def decode(self, raw: bytes | msgspec.Raw) -> dict[str, Any]:
        arguments = self._prepare()[1].decode(raw)
        return {name: getattr(arguments, name) for name in arguments.__struct_fields__}

    def decode_result(self, raw: bytes | msgspec.Raw) -> T:
        result: T = msgspec.msgpack.decode(raw, type=self._prepare()[2])
        return result


_encoder = msgspec.msgpack.Encoder()
_by_name: dict[str, Operation[Any]] = {}
_by_function: dict[Callable[..., Any], Operation[Any]] = {}


def operation(
    name: str,
) -> Callable[[Callable[Concatenate[Tx, P], T]], Callable[Concatenate[Tx, P], T]]:
    """Register the decorated function as the write operation ``name``; the function stays callable."""

    def register(function: Callable[Concatenate[Tx, P], T]) -> Callable[Concatenate[Tx, P], T]:
        if name in _by_name:
            raise ValueError(f"operation {name} is registered twice")
        _by_name[name] = _by_function[function] = Operation(name, function)
        return function

    return register


def of(function: Callable[..., T]) -> Operation[T]:
    """The operation registered for ``function``. Raises :class:`KeyError` when there is none."""
    return _by_function[function]


def named(name: str) -> Operation[Any]:
    """The operation called ``name``. Raises :class:`StoreError` when its room is not loaded here."""
    try:
        return _by_name[name]
    except KeyError:
        raise StoreError(
            "store.operation", f"operation {name} is not loaded in the writing process"
        ) from None
