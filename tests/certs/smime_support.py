"""Signatures made by OpenSSL, and small DER for hostile ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

from certs import (
    DemoPki,
    Identity,
    Issued,
    SignatureVerdict,
    SignedBy,
    TrustStore,
    judge_signed,
    verify_signed,
)

CONTENT = b"Content-Type: text/plain; charset=utf-8\r\n\r\nBonjour,\r\nle compte rendu suit.\r\n"


def openssl(*words: str | Path, data: bytes = b"") -> tuple[int, bytes, str]:
    """Run ``openssl``: status, standard output, errors."""
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def signed_by_openssl(
    who: Issued, *options: str, content: bytes = CONTENT, form: str = "DER", command: str = "cms"
) -> bytes:
    """A signature of ``content``; detached unless ``-nodetach`` is among the options."""
    words = [command, "-sign", "-binary", "-outform", form, "-signer", who.pem, "-inkey", who.key, *options]
    code, out, said = openssl(*words, data=content)
    assert code == 0, said
    return out


def openssl_accepts(der: bytes, pki: DemoPki, folder: Path, content: bytes | None = CONTENT) -> bool:
    """Whether ``openssl cms -verify`` takes a DER signature at the PKI's present, to its root."""
    extra: list[str | Path] = []
    if content is not None:
        (folder / "content").write_bytes(content)
        extra = ["-content", folder / "content"]
    root = next((pki.trust / "roots").iterdir())
    words = ["cms", "-verify", "-binary", "-inform", "DER", "-CAfile", root, "-attime", str(pki.now // 1000)]
    code, out, said = openssl(*words, *extra, data=der)
    assert code == 0 or "Verification failure" in said or "rror" in said, said
    return code == 0 and (content is None or out == content)


async def judged(
    der: bytes,
    trust: TrustStore,
    *,
    content: bytes | None = CONTENT,
    owner: SignedBy = "sender",
    received_at: int,
) -> SignatureVerdict:
    """The whole verdict on one signature, with the directory's answer given."""

    async def answer(_: Identity) -> SignedBy:
        return owner

    results, _ = verify_signed([der], None if content is None else [content])
    return await judge_signed(results, trust, answer, received_at)


def tlv(tag: int, *parts: bytes) -> bytes:
    """One DER element."""
    value = b"".join(parts)
    size = len(value)
    if size < 128:
        return bytes([tag, size]) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + value


SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")
ENVELOPED_DATA = bytes.fromhex("06092a864886f70d010703")
SHA256 = tlv(0x30, bytes.fromhex("0609608648016503040201"))


def signed_data(
    *, inner: bytes = b"", certificates: bytes = b"", signers: bytes = b"", algorithms: bytes = SHA256
) -> bytes:
    """A SignedData around the given octets; ``inner`` is the content's OCTET STRING, if any."""
    content = tlv(0x30, DATA, tlv(0xA0, inner)) if inner else tlv(0x30, DATA)
    carried = tlv(0xA0, certificates) if certificates else b""
    body = tlv(0x30, b"\x02\x01\x01", tlv(0x31, algorithms), content, carried, tlv(0x31, signers))
    return tlv(0x30, SIGNED_DATA, tlv(0xA0, body))
