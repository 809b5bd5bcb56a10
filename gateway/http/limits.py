"""What one HTTP port gives to whoever asks, at most."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a port. Sizes in octets, times in seconds.

    ``connections`` are those of one process, ``per_peer`` those of one address (IPv6: of one /64).
    ``discard`` is how much of a body that nobody wants is read before the connection is cut.
    """

    head: int = 16 * 1024  # request line and header fields
    fields: int = 64  # header fields
    body: int = 1024 * 1024
    connections: int = 512
    per_peer: int = 64
    head_timeout: float = 10.0  # for a whole head, from its first octet (or the connection's begin)
    body_timeout: float = 20.0  # between two pieces of a body
    body_total: float = 300.0  # for a whole body
    idle_timeout: float = 30.0  # between two requests
    write_timeout: float = 30.0  # for a client that does not read its answer
    linger: float = 2.0
    discard: int = 1024 * 1024
