"""TLS contexts: every handshake completes, then the trust store judges what was presented.

**Why.** The operators' port must tell a refused peer *which* check failed (stranger, revoked,
expired, list too old), in an SMTP reply. If OpenSSL verifies the client certificate, the handshake
dies instead, with a bare alert and no reply. RFC 5246 §7.4.6 and RFC 8446 §4.4.2.4 leave the choice
to the server: it may go on with a certificate it does not accept, and decide in the application.

**How.** Python's :mod:`ssl` knows "request and verify" (``CERT_OPTIONAL``) and "do not request"
(``CERT_NONE``), nothing between. OpenSSL does: ``SSL_CTX_set_cert_verify_callback`` replaces its own
chain verification by a function of ours, which says yes to everything. We set it through
:mod:`ctypes` on the ``SSL_CTX`` of an ordinary :class:`ssl.SSLContext`, so asyncio, aiosmtpd and
``start_server(ssl=…)`` use it as any other, at full speed. TLS itself is untouched: the peer still
proves that it holds the key of the certificate it shows (CertificateVerify).

What was looked at and left:

- ``verify_flags`` with ``X509_V_FLAG_PARTIAL_CHAIN`` and ``NO_CHECK_TIME``: strangers still fail.
- pyOpenSSL over memory BIOs: one more dependency, a second OpenSSL in the process, and a Python
  layer under each record; asyncio's ``start_tls`` refuses its contexts.
- letting the handshake fail and logging the reason: the peer's administrator sees an alert only.

**Safety.** The pointer is read where CPython 3.11 to 3.13 keep it (first field after the object
header) and believed only after its options and its verify mode, read through libssl, twice equal
those Python reports (:mod:`certs.libssl`). The first context made runs a handshake in memory with a
self-signed client and refuses to go on when the outcome is not the wanted one
(:class:`certs.TlsUnavailable`). Should the call ever have no effect, OpenSSL's own verification
stands: the failure closes, never opens.

The judgement is the caller's duty: a context from :func:`operators_context` or
:func:`client_context` authenticates **nobody** by itself. Take :func:`peer_chain` after the
handshake, and ask :meth:`certs.TrustStore.check`.
"""

from __future__ import annotations

import _ssl
import functools
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from certs.errors import TlsUnavailable
from certs.libssl import Callback, context_pointer, libssl
from certs.selftest import self_signed_pem
from certs.stapling import Staple, ask_for_status, send_status

# Référentiel MSSanté #2 ECO.1.1.3: ECDHE with AES-GCM. ECDSA is there for the keys of test PKIs.
# TLS 1.3 suites (all AEAD with ephemeral keys) are OpenSSL's own list.
CIPHERS: Final = (
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
)


def _yes(_store_context: int, _argument: int) -> int:
    return 1


_accept: Final = Callback(_yes)  # kept for the life of the process: libssl holds its address


class PeerObject(ssl.SSLObject):
    """An SSLObject whose peer may have shown a certificate OpenSSL cannot describe.

    asyncio asks for the description at the end of every handshake; an odd name in a certificate
    must not end the connection before the trust store has said what is wrong with it.
    """

    def getpeercert(self, binary_form: bool = False) -> Any:
        """As the parent's; an empty dict for what cannot be described."""
        try:
            return super().getpeercert(binary_form)
        except (ssl.SSLError, ValueError):
            return {}


def operators_context(
    certificate: Path, key: Path, staple: Staple | None = None, *, passphrase: bytes = b""
) -> ssl.SSLContext:
    """Server side of the operators' port: a client certificate is requested, any is let through.

    :param certificate: PEM, leaf first then its intermediates.
    :param staple: the answer about our certificate, sent to who asks for it.
    :param passphrase: opens ``key``; needless for one in clear.
    :raises TlsUnavailable: this Python cannot do it (said once, at start).
    :raises OSError: the files cannot be read, or do not belong together (ssl.SSLError).
    """
    verify_self()
    context = _requesting_context(certificate, key, passphrase)
    if staple is not None:
        send_status(context, staple)
    return context


def server_context(
    certificate: Path, key: Path, staple: Staple | None = None, *, passphrase: bytes = b""
) -> ssl.SSLContext:
    """Server side where no client certificate is wanted (IMAP, webmail)."""
    context = _base(ssl.PROTOCOL_TLS_SERVER)
    # given always, empty or not: without one OpenSSL would ask at the terminal for a sealed key's
    context.load_cert_chain(certificate, key, passphrase)
    if staple is not None:
        send_status(context, staple)
    return context


def client_context(
    certificate: Path | None = None, key: Path | None = None, *, passphrase: bytes = b""
) -> ssl.SSLContext:
    """Client side of a relay: presents our certificate, lets any server certificate through.

    :func:`peer_chain`, :func:`certs.stapled_response` and the trust store judge the server after the
    handshake; matching the host name is the caller's, against :attr:`certs.Identity.hosts`.
    """
    context = _base(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate, key, passphrase)
    ask_for_status(context)
    return context


def peer_chain(tls: ssl.SSLObject | ssl.SSLSocket | None) -> list[bytes]:
    """The DER certificates the peer presented, leaf first; empty when it presented none.

    :param tls: ``transport.get_extra_info("ssl_object")``; None gives an empty chain.
    """
    if tls is None:
        return []
    leaf = tls.getpeercert(binary_form=True)
    if not leaf:
        return []
    chain = _presented(tls)
    return [leaf, *(der for der in chain if der != leaf)]


def _presented(tls: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    public = getattr(tls, "get_unverified_chain", None)  # Python 3.13
    if public is not None:
        return list(public() or ())
    private = getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None)  # 3.10 to 3.12
    if private is None:
        return []
    return [_der(certificate) for certificate in private() or ()]


def _der(certificate: Any) -> bytes:
    return bytes(certificate.public_bytes(_ssl.ENCODING_DER))


def _base(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # ECO.1.1.2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.sslobject_class = PeerObject
    return context


def _requesting_context(certificate: Path, key: Path, passphrase: bytes = b"") -> ssl.SSLContext:
    context = server_context(certificate, key, passphrase=passphrase)
    # Each session shows its certificate anew: a resumed one would show it without its chain.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    pointer = context_pointer(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    libssl().SSL_CTX_set_cert_verify_callback(pointer, _accept, None)
    return context


@functools.cache
def verify_self() -> None:
    """Prove in memory that a self-signed client gets through and is seen, with TLS 1.2 and 1.3.

    Run once per process, by the first :func:`operators_context`: about 10 ms.

    :raises TlsUnavailable: it does not; the operators' port must not open.
    """
    with tempfile.TemporaryDirectory(prefix="tls-") as folder:
        pem = Path(folder) / "self.pem"
        leaf = self_signed_pem(pem)
        server = _requesting_context(pem, pem)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            client = client_context(pem, pem)
            client.minimum_version = client.maximum_version = version
            seen = _handshake(server, client)
            if seen != [leaf]:
                raise TlsUnavailable("a client's certificate is not seen after the handshake")


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> list[bytes]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server)
    waiting: list[Callable[[], None]] = [theirs.do_handshake, ours.do_handshake]
    for _ in range(8):
        for step in list(waiting):
            try:
                step()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                raise TlsUnavailable(f"the handshake is refused by OpenSSL ({error.reason})") from error
            waiting.remove(step)
        if not waiting:
            return peer_chain(ours)
    raise TlsUnavailable("the handshake does not end")
