"""A site that publishes the list of authorised domains: an HTTPS server on a real socket, and its PKI."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

import annuaire
from annuaire import WhitelistEntry
from certs import DemoPki, Issued

CN, OU = "alb.mssante.test", "390000000000023"


class Site:
    """What the server answers next; ``asked`` counts the requests."""

    def __init__(self) -> None:
        self.status = 200
        self.body = b""
        self.headers: dict[str, str] = {}
        self.cut = 0  # octets after which the connection is closed; 0: never
        self.asked = 0
        self.url = ""


@contextmanager
def serving(certificate: Path, key: Path) -> Iterator[Site]:
    """A running site under ``https://localhost``; nothing but the loopback."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked += 1
            self.send_response(site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(site.body)))
            self.end_headers()
            self.wfile.write(site.body[: site.cut or None])

        def log_message(self, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """A client that goes away is no news."""

    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    site.url = f"https://localhost:{server.server_port}/listeblanchemssante.xml"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signer_of(pki: DemoPki, ou: str = OU) -> Issued:
    return pki.issue_organisation(CN, ou, "LISTE BLANCHE", use="sign", name=f"signer-{ou}")


def signed_by(signer: Issued, entries: Sequence[WhitelistEntry], at: int) -> bytes:
    key = load_pem_private_key(signer.key.read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    chain = [load_der_x509_certificate(der) for der in signer.chain]
    return annuaire.sign_whitelist(entries, key, chain, at)
