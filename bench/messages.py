"""The messages of a run: prebuilt templates, of which only Message-ID and To differ each time.

Which template, recipients and Message-ID message ``n`` has is a function of ``n`` alone, so whoever
checks the mailboxes afterwards knows what has to be there.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dkim

#: Octets on the wire of one message of each kind, headers and base64 included.
SIZES = {"small": 8 * 1024, "medium": 120 * 1024, "large": 1536 * 1024}
#: How many of each kind are in every block of twenty messages.
MIXES = {
    "small": {"small": 20},
    "medium": {"medium": 20},
    "large": {"large": 20},
    "mixed": {"small": 14, "medium": 5, "large": 1},
}
_POOL = {"small": 32, "medium": 8, "large": 4}
_WORDS = tuple(
    b"ordonnance prochain rendez-vous dimanche examen sanguin radiographie controle tension traitement "
    b"habituel courrier confrere resultat dossier ville semaine avis service sortie repos marche".split()
)
DOMAIN = "operator.example"  # the peer's set-up authorises it, and knows its DKIM key under s1
SENDER = f"docteur.essai@{DOMAIN}"

Addresses = Callable[[int], str]


def pdf(size: int, rnd: random.Random) -> bytes:
    """A valid one-page PDF of about ``size`` octets that does not compress."""
    noise = rnd.randbytes(max(64, size - 500))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<<>>>>",
        b"<</Length %d>>stream\n" % len(noise) + noise + b"\nendstream",
    ]
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + content + b"endobj\n"
    table = len(out)
    out += b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def _text(size: int, rnd: random.Random) -> bytes:
    """Lines of French words; one begins with a dot, so that transparency is part of the work."""
    lines, length = [b"Cher confr\xc3\xa8re,", b".et un point en d\xc3\xa9but de ligne", b""], 45
    while length < size:
        line = b" ".join(rnd.choices(_WORDS, k=9))[:76]
        lines.append(line)
        length += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


def _template(kind: str, number: int) -> bytes:
    """Headers (all but Message-ID and To) and body of one template."""
    rnd = random.Random(f"{kind}/{number}")
    head = (
        f"From: Docteur Essai <{SENDER}>\r\nSubject: Essai {kind} {number:03d}\r\n"
        "Date: Mon, 02 Nov 2026 08:15:00 +0100\r\nMIME-Version: 1.0\r\n"
    ).encode()
    plain = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    if kind == "small":
        return head + plain + _text(SIZES[kind] - 390, rnd)
    room = SIZES[kind] - 3600
    attached = base64.encodebytes(pdf(room * 57 // 78, rnd)).replace(b"\n", b"\r\n")
    mark = b"=_essai_%d" % number
    return (
        head + b'Content-Type: multipart/mixed; boundary="' + mark + b'"\r\n\r\n'
        b"--" + mark + b"\r\n" + plain + _text(2400, rnd) + b"\r\n--" + mark + b"\r\n"
        b'Content-Type: application/pdf; name="compte-rendu.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="compte-rendu.pdf"\r\n\r\n'
        + attached + b"\r\n--" + mark + b"--\r\n"
    )  # fmt: skip


def _sign(message: bytes, key: Path) -> bytes:
    """The DKIM-Signature field of a template; Message-ID and To are not signed, so it serves each copy."""
    signed: bytes = dkim.sign(
        message,
        b"s1",
        DOMAIN.encode(),
        key.read_bytes(),
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[b"from", b"subject", b"date", b"mime-version", b"content-type"],
    )
    return signed


@dataclass(frozen=True)
class Template:
    """``raw`` as stored, ``wire`` with dots stuffed and the final dot."""

    kind: str
    raw: bytes
    wire: bytes


class Corpus:
    """The messages of one run.

    :param address: the mail address of mailbox ``n``. :param boxes: how many mailboxes there are.
    :param recipients: of each message. :param dkim_key: PEM of an RSA key: messages are signed.
    """

    def __init__(
        self,
        run: str,
        mix: str,
        address: Addresses,
        boxes: int,
        *,
        recipients: int = 1,
        dkim_key: Path | None = None,
    ) -> None:
        self.run = run
        self.mix = mix
        self.address = address
        self.boxes = boxes
        self.recipients = min(recipients, boxes)
        shuffle = random.Random(mix)
        self._order: list[str] = []
        for _ in range(16):
            block = [kind for kind, count in MIXES[mix].items() for _ in range(count)]
            shuffle.shuffle(block)
            self._order += block
        self._templates = {kind: _templates(kind, dkim_key) for kind in MIXES[mix]}

    def template(self, number: int) -> Template:
        pool = self._templates[self._order[number % len(self._order)]]
        return pool[number % len(pool)]

    def targets(self, number: int) -> list[int]:
        """The mailboxes that message ``number`` goes to: neighbours in time go to distant ones."""
        first = number * 7919 + number // self.boxes
        return [(first + step) % self.boxes for step in range(self.recipients)]

    def message_id(self, number: int) -> str:
        return f"<{self.run}.{number}@{DOMAIN}>"

    def head(self, number: int) -> bytes:
        """The fields that are this message's own."""
        to = ",\r\n ".join(f"<{self.address(box)}>" for box in self.targets(number))
        return f"Message-ID: {self.message_id(number)}\r\nTo: {to}\r\n".encode()

    def raw(self, number: int) -> bytes:
        """The whole message as its recipient must find it."""
        return self.head(number) + self.template(number).raw

    def wire(self, number: int) -> bytes:
        """The whole message as it follows 354."""
        return self.head(number) + self.template(number).wire


_made: dict[tuple[str, Path | None], list[Template]] = {}


def _templates(kind: str, key: Path | None) -> list[Template]:
    if (kind, key) not in _made:
        made = []
        for number in range(_POOL[kind]):
            raw = _template(kind, number)
            if key is not None:
                raw = _sign(raw, key) + raw
            made.append(Template(kind, raw, raw.replace(b"\r\n.", b"\r\n..") + b".\r\n"))
        _made[kind, key] = made
    return _made[kind, key]
