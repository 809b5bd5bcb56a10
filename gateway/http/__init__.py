"""HTTP/1.1 on our own sockets: an ASGI application served within bounds, over TLS."""

from gateway.http.limits import Limits
from gateway.http.protocol import Tls
from gateway.http.server import HttpServer

__all__ = ["HttpServer", "Limits", "Tls"]
