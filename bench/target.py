"""A server under load: where it listens, who is in it, what may be read of it from outside."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from bench.messages import Addresses


@dataclass(frozen=True)
class Target:
    """``roots``: pids whose trees are the server. ``queues``: folders that empty when all is delivered."""

    name: str
    smtp: tuple[str, int]
    imap: tuple[str, int]
    certificate: Path
    key: Path
    authorities: Path
    address: Addresses
    boxes: int
    password: str
    roots: tuple[int, ...]
    folder: Path
    database: Path | None = None
    queues: tuple[Path, ...] = ()

    def context(self, *, client: bool = False) -> ssl.SSLContext:
        """TLS towards the server; ``client``: with the operator's certificate."""
        context = ssl.create_default_context(cafile=str(self.authorities))
        if client:
            context.load_cert_chain(self.certificate, self.key)
        return context

    @property
    def waiting(self) -> bool:
        """Whether a queue of the server still holds a message."""
        return any(any(file.is_file() for file in queue.rglob("*")) for queue in self.queues)
