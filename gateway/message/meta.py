"""MessageMeta to and from the bytes that are stored beside a message."""

from __future__ import annotations

import msgspec

from gateway.message.types import MessageMeta

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(MessageMeta)


def encode_meta(meta: MessageMeta) -> bytes:
    """The bytes that are sealed and stored beside the body."""
    return _ENCODER.encode(meta)


def decode_meta(data: bytes) -> MessageMeta:
    """Raises msgspec.DecodeError (ValidationError included) when `data` is not an encoded MessageMeta."""
    return _DECODER.decode(data)
