"""One HTTP connection: uvicorn's protocol on httptools, with bounds and deadlines of its own.

Invariants: there is always a deadline running unless the application works on a request whose body is here;
an answer that ends before the request's body does closes the connection, after what is on its way was read
(else the kernel's reset would take the answer from the client).
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from certs import peer_chain
from gateway.http.limits import Limits

# uvicorn speaks through the standard library; what it would say, the access log says without names.
_quiet: Final = logging.getLogger("passerelle.http.uvicorn")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False

_PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


class Tls(msgspec.Struct, frozen=True):
    """What the transport knows of the client: ``request.state.tls``.

    ``chain``: DER certificates, leaf first, empty when none was shown; **judged by nobody yet**.
    ``version``: ``"TLSv1.3"``, "" without TLS.
    """

    chain: list[bytes] = []
    version: str = ""


class Gate(Protocol):
    """What a connection asks of its server."""

    limits: Limits

    def opened(self, connection: HttpConnection, peer: str) -> bool: ...
    def closed(self, connection: HttpConnection, peer: str) -> None: ...
    def refused(self, status: int, why: str) -> None: ...


class _Outlet:
    """The transport as a request's cycle sees it: closing waits for a body that is still coming."""

    def __init__(self, connection: HttpConnection, transport: asyncio.Transport) -> None:
        self._connection = connection
        self._transport = transport

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self._connection.end()


class _RefusedError(Exception):
    """Ends parsing; the connection knows the status."""


class HttpConnection(HttpToolsProtocol):
    """See the module. ``gate`` counts connections and hears of refusals."""

    def __init__(self, config: Config, state: ServerState, gate: Gate) -> None:
        super().__init__(config, state, {})
        self.logger = self.access_logger = _quiet
        self.access_log = False
        self._gate: Final = gate
        self._limits: Final = gate.limits
        self._deadline: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._peer = ""
        self._admitted = False
        self._in_head = True
        self._in_body = False
        self._head = 0
        self._fields = 0
        self._body_until = 0.0
        self._surplus = 0
        self._status = 400
        self._lingering = False

    # -- life of the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self.app_state = {"tls": Tls(peer_chain(tls), (tls.version() or "") if tls is not None else "")}
        self._peer = self.client[0] if self.client else ""
        self._admitted = self._gate.opened(self, self._peer)
        if not self._admitted:
            self._refuse(503, "too many connections")
            return
        self._arm(self._limits.head_timeout, self._head_late)

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._stop_writing_clock()
        self._unset_keepalive_if_required()
        if self._admitted:
            self._gate.closed(self, self._peer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            self._surplus += len(data)
            if self._surplus > self._limits.discard:
                self.transport.abort()
            return
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self.transport.is_closing() or self._lingering:
            return
        if self._in_head and self._head > self._limits.head:
            self._refuse(431, "head too large")  # RFC 6585 §5
        elif self._in_head and self._deadline is None and self._idle:
            self._arm(self._limits.head_timeout, self._head_late)

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def end(self) -> None:
        """Close when what was written is sent, and when a body that is still coming had its time."""
        if self._in_body and not self.transport.is_closing():
            self._lingering = True
            self.flow.resume_reading()
            self._arm(self._limits.linger, self.transport.abort)
        else:
            self.transport.close()

    # -- deadlines

    def _arm(self, seconds: float, late: Callable[[], Any]) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(seconds, late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_late(self) -> None:
        self._deadline = None
        if self._head:
            self._refuse(408, "head too slow")  # RFC 9110 §15.5.9
        else:
            self.transport.close()

    def _body_late(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # the application takes its time, not the client
            self._body_until = self.loop.time() + self._limits.body_total
            self._arm(self._limits.body_timeout, self._body_late)
            return
        self._gate.refused(408, "body too slow")
        self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._writing is None:
            self._writing = self.loop.call_later(self._limits.write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_writing_clock()
        super().resume_writing()

    def _stop_writing_clock(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    # -- what the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._in_body = True, False
        self._fields = self._surplus = 0
        self._arm(self._limits.head_timeout, self._head_late)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.head // 2:
            self._status = 414
            raise _RefusedError

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._in_head:  # RFC 9110 §6.5.1: trailer fields are not merged into the head
            super().on_header(name, value)
        if self._fields > self._limits.fields:
            self._status = 431
            raise _RefusedError

    def on_headers_complete(self) -> None:
        self._in_head = False
        hosts = sum(1 for name, _ in self.headers if name == b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):  # RFC 9112 §3.2
            raise _RefusedError
        if (
            len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            > self._limits.head
        ):
            self._status = 431
            raise _RefusedError
        super().on_headers_complete()
        # The cycle's task has not begun: it only ever meets the outlet.
        self.cycle.transport = _Outlet(self, self.transport)  # type: ignore[assignment]  # what a cycle uses of one
        self._in_body = True
        self._body_until = self.loop.time() + self._limits.body_total
        self._arm(self._limits.body_timeout, self._body_late)

    def on_body(self, body: bytes) -> None:
        if self.cycle.response_complete:
            self._surplus += len(body)
            if self._surplus > self._limits.discard:
                self.transport.abort()
            return
        super().on_body(body)
        left = self._body_until - self.loop.time()
        self._arm(max(0.0, min(self._limits.body_timeout, left)), self._body_late)

    def on_message_complete(self) -> None:
        self._disarm()
        self._in_body, self._in_head, self._head = False, True, 0
        super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        # RFC 9110 §7.8: an upgrade may be ignored; the parser stops there, so nothing more is read.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    # -- answers without the application

    def send_400_response(self, msg: str) -> None:
        """Uvicorn's answer to what cannot be parsed, with the status that fits."""
        self._refuse(self._status, "not HTTP" if self._status == 400 else _PHRASES[self._status])

    def _refuse(self, status: int, why: str) -> None:
        self._gate.refused(status, why)
        self._disarm()
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()  # an answer is under way: nothing may be written into it
            return
        phrase = _PHRASES[status]
        lines = [
            f"HTTP/1.1 {status} {phrase}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(phrase)}",
            "x-content-type-options: nosniff",
            "connection: close",
        ]
        if status == 503:
            lines.append("retry-after: 5")
        self.transport.write("\r\n".join([*lines, "", phrase]).encode())
        self._in_body = True  # whatever it goes on sending
        self.end()
