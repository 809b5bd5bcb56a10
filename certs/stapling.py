"""Certificate status inside the handshake (RFC 6066 §8, "OCSP stapling"), both ways.

As TLS client we ask the server to send the answer of its responder along, and read it after the handshake
(:func:`stapled_response`). As server we send the answer about our own certificate to who asks for it
(:class:`Staple`). Python's :mod:`ssl` knows neither; OpenSSL does, and is reached as :mod:`certs.libssl`
says.

**Safety.** Nothing here decides: an answer that is read is verified like one from the responder
(:mod:`certs.ocsp`), and one that is missing only means that the responder is asked. Where OpenSSL cannot be
reached, :func:`stapling_trouble` says so and everything else goes on.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import itertools
import ssl
import tempfile
import threading
import weakref
from pathlib import Path
from typing import Final

import structlog

from certs.errors import TlsUnavailable
from certs.libssl import Callback, connection_pointer, context_pointer, libssl
from certs.selftest import self_signed_pem

log = structlog.get_logger("certs")

# openssl/tls1.h, openssl/ssl.h: fixed numbers of the public interface, the same in OpenSSL 1.1.1 and 3.
_SET_STATUS_CALLBACK: Final = 63
_SET_STATUS_ARGUMENT: Final = 64
_SET_STATUS_TYPE: Final = 65
_GET_RESPONSE: Final = 70
_SET_RESPONSE: Final = 71
_STATUS_OCSP: Final = 1
_SENT: Final = 0  # SSL_TLSEXT_ERR_OK
_NOT_SENT: Final = 3  # SSL_TLSEXT_ERR_NOACK: go on without

MAX_RESPONSE: Final = 64 * 1024


class Staple:
    """The answer that a server sends along with its certificate; empty at first. Thread-safe."""

    def __init__(self) -> None:
        self._held: tuple[bytes, bytes] = (b"", b"")

    def hold(self, certificate: bytes, response: bytes) -> None:
        """Send ``response`` from now on, with that certificate (DER) only; ``b""`` stops it."""
        self._held = (hashlib.sha256(certificate).digest(), response)

    def response_for(self, certificate: bytes) -> bytes:
        """What is sent along with this certificate (DER), ``b""`` for nothing."""
        digest, response = self._held
        return response if response and digest == hashlib.sha256(certificate).digest() else b""


# The callback is one for all contexts and lives as long as the process; its argument says which staple.
_staples: Final[dict[int, Staple]] = {}
_numbers: Final = itertools.count(1)
_lock: Final = threading.Lock()


def _answer(connection: int, number: int) -> int:
    """OpenSSL asks, in the handshake of a client that wants it, for what to send along."""
    staple = _staples.get(number)
    if staple is None:
        return _NOT_SENT
    library = libssl()
    response = staple.response_for(_own_certificate(connection))
    if not response:
        return _NOT_SENT
    memory = library.CRYPTO_malloc(len(response), b"", 0)  # OpenSSL frees it
    if not memory:
        return _NOT_SENT
    ctypes.memmove(memory, response, len(response))
    library.SSL_ctrl(connection, _SET_RESPONSE, len(response), memory)
    return _SENT


def _own_certificate(connection: int) -> bytes:
    """The certificate that OpenSSL chose for this handshake, in DER."""
    library = libssl()
    certificate = library.SSL_get_certificate(connection)
    size = library.i2d_X509(certificate, None) if certificate else 0
    if size <= 0:
        return b""
    room = ctypes.create_string_buffer(size)
    place = ctypes.c_void_p(ctypes.addressof(room))
    library.i2d_X509(certificate, ctypes.byref(place))
    return room.raw


_callback: Final = Callback(_answer)


def ask_for_status(context: ssl.SSLContext) -> bool:
    """Make the connections of a client context ask for the server's status; False where it cannot be."""
    if stapling_trouble():
        return False
    _ask(context)
    return True


def _ask(context: ssl.SSLContext) -> None:
    libssl().SSL_CTX_ctrl(context_pointer(context), _SET_STATUS_TYPE, _STATUS_OCSP, None)


def send_status(context: ssl.SSLContext, staple: Staple) -> bool:
    """Make a server context send what ``staple`` holds to who asks; False where it cannot be."""
    if stapling_trouble():
        return False
    _send(context, staple)
    return True


def _send(context: ssl.SSLContext, staple: Staple) -> None:
    pointer = context_pointer(context)
    with _lock:
        number = next(_numbers)
        _staples[number] = staple
    weakref.finalize(context, _staples.pop, number, None)
    libssl().SSL_CTX_ctrl(pointer, _SET_STATUS_ARGUMENT, 0, number)
    libssl().SSL_CTX_callback_ctrl(pointer, _SET_STATUS_CALLBACK, _callback)


def stapled_response(tls: ssl.SSLObject | ssl.SSLSocket | None) -> bytes | None:
    """The OCSP response (DER, unverified) that the server sent along; None when it sent none.

    :param tls: ``transport.get_extra_info("ssl_object")`` of a client connection, after its handshake.
    """
    if tls is None or stapling_trouble():
        return None
    try:
        return _read(tls)
    except TlsUnavailable:
        return None


def _read(tls: ssl.SSLObject | ssl.SSLSocket) -> bytes | None:
    place = ctypes.c_void_p()
    size = libssl().SSL_ctrl(connection_pointer(tls), _GET_RESPONSE, 0, ctypes.byref(place))
    if not place.value or not 0 < size <= MAX_RESPONSE:
        return None
    return ctypes.string_at(place.value, size)


@functools.cache
def stapling_trouble() -> str:
    """Why stapling cannot be used on this machine, for `doctor` and the log; "" when it can.

    Proven once per process, about 10 ms, by handshakes in memory: what the server holds must come out at
    the client with TLS 1.2 and 1.3, and nothing for another certificate.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="staple-") as folder:
            _prove(Path(folder) / "self.pem")
    except TlsUnavailable as error:
        log.warning("stapling_unavailable", reason=error.peer)
        return error.peer
    return ""


def _prove(pem: Path) -> None:
    leaf = self_signed_pem(pem)
    staple = Staple()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    _send(server, staple)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    _ask(client)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client.minimum_version = ssl.TLSVersion.TLSv1_2
        client.maximum_version = version
        for certificate, wanted in ((leaf, b"a status"), (b"another", None)):
            staple.hold(certificate, b"a status")
            if _seen(server, client) != wanted:
                raise TlsUnavailable("a certificate status does not come through the handshake")


def _seen(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    done: set[ssl.SSLObject] = set()
    for _ in range(6):
        for side in (theirs, ours):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                raise TlsUnavailable(f"the handshake is refused by OpenSSL ({error.reason})") from error
    if len(done) < 2:
        raise TlsUnavailable("the handshake does not end")
    return _read(theirs)
