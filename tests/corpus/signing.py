"""Whole messages that OpenSSL signed, as a mail client would send them."""

from __future__ import annotations

import ssl
import subprocess
import tempfile
from pathlib import Path

from certs import Issued


def openssl(*words: str | Path, data: bytes = b"") -> bytes:
    """Run ``openssl`` and give its output; fails with what it said."""
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def signed(
    author: str,
    who: Issued,
    *options: str,
    text: str = "Bonjour,\r\nle compte rendu suit.\r\n",
    message_id: str = "<signed@example.test>",
    entity: bytes = b"",
) -> bytes:
    """A message of ``author``, signed by ``who``; detached unless ``-nodetach`` is among the options.

    :param entity: the MIME entity to sign instead of ``text``.
    """
    part = entity or f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}".encode()
    words = ["cms", "-sign", "-binary", "-crlfeol", "-signer", who.pem, "-inkey", who.key, *options]
    with tempfile.NamedTemporaryFile(suffix=".pem") as intermediates:
        for der in who.chain[1:]:
            intermediates.write(ssl.DER_cert_to_PEM_cert(der).encode())
        intermediates.flush()
        carried = ["-certfile", intermediates.name] if who.chain[1:] else []
        made = openssl(*words, *carried, data=part)
    # OpenSSL ends the lines of the signature itself with a bare LF, which no mail program sends
    whole = made.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return header(author, message_id) + whole


def header(author: str, message_id: str = "<signed@example.test>") -> bytes:
    """The fields that the signature leaves outside."""
    return (
        f"From: <{author}>\r\nTo: <somebody@example.test>\r\nSubject: Compte rendu\r\n"
        f"Message-ID: {message_id}\r\nDate: Fri, 20 Nov 2026 10:00:00 +0100\r\n"
    ).encode()


def verified_by_openssl(raw: bytes, root: Path, folder: Path | None = None) -> bytes:
    """What ``openssl cms -verify`` finds signed in a message; fails when it does not verify."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "message"
        path.write_bytes(raw)
        return openssl("cms", "-verify", "-in", path, "-CAfile", root)
