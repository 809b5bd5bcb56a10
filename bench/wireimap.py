"""A client that reads bytes until an answer is whole, and no more: the server is measured."""

from __future__ import annotations

import socket

from bench.target import Target


class WireImap:
    """One IMAP session over TLS."""

    def __init__(self, target: Target) -> None:
        plain = socket.create_connection(target.imap, timeout=120)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = target.context().wrap_socket(plain, server_hostname=target.imap[0])
        self._count = 0
        self._until(b"")

    def _until(self, tag: bytes) -> bytes:
        """Read to the end of the line that begins with ``tag``; the tag is one that no message holds."""
        parts: list[bytes] = []
        tail = b"\n"
        while True:
            data = self._socket.recv(262_144)
            if not data:
                raise ConnectionError("the server closed the connection")
            parts.append(data)
            tail = (tail + data)[-1024:]
            if tail.endswith(b"\r\n") and b"\n" + tag in tail:
                return b"".join(parts)

    def command(self, text: str) -> bytes:
        """The whole answer. Raises :class:`SystemExit` unless it is OK."""
        self._count += 1
        tag = f"zq{self._count:06d}".encode()
        self._socket.sendall(tag + b" " + text.encode() + b"\r\n")
        answer = self._until(tag + b" ")
        last = answer[answer.rfind(tag + b" ") :]
        if not last.startswith(tag + b" OK"):
            raise SystemExit(f"{text[:40]}: {last[:200]!r}")
        return answer

    def login(self, user: str, password: str) -> None:
        self.command(f'LOGIN "{user}" "{password}"')

    def close(self) -> None:
        self.command("LOGOUT")
        self._socket.close()
