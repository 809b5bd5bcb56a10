# ruff: noqa: E501  (tables of wire text read better unbroken)
from __future__ import annotations

import pytest

from gateway.message import Address, Facts, attachments, decode_words, find_part, section_span, walk
from tests.corpus import EIGHT_BIT, UTF8_HEADERS, WITHOUT_FINAL_LINE_END, large_message, nasty_messages
from tests.message.help import index


def facts(header: str | bytes) -> Facts:
    data = header if isinstance(header, bytes) else header.encode()
    return index(data.replace(b"\n", b"\r\n") + b"\r\n\r\ncorps\r\n").facts


def corpus_facts(name: str) -> Facts:
    return index(nasty_messages()[name]).facts


def test_plain_message() -> None:
    found = facts(
        'From: "Dr Marie EXEMPLE" <marie@medecin.fr>\nSender: s@x.fr\nReply-To: R <r@x.fr>\nTo: a@x.fr, B <b@y.fr>\n'
        "Cc: c@z.fr\nDate: Fri, 20 Nov 2026 09:15:00 +0100\nMessage-ID:\n <1@x>\nIn-Reply-To: <0@x> (x)\n"
        "References: <-1@x>\n\t<0@x>\nSubject: bonjour\nDisposition-Notification-To: m@x.fr"
    )
    assert found.from_ == [Address("Dr Marie EXEMPLE", "marie@medecin.fr")]
    assert found.sender == Address("", "s@x.fr")
    assert found.reply_to == [Address("R", "r@x.fr")]
    assert [address.address for address in found.to] == ["a@x.fr", "b@y.fr"]
    assert found.cc == [Address("", "c@z.fr")]
    assert found.message_id == "<1@x>"
    assert found.in_reply_to == "<0@x>"
    assert found.references == ["<-1@x>", "<0@x>"]
    assert found.date == "Fri, 20 Nov 2026 09:15:00 +0100"
    assert found.disposition_to == [Address("", "m@x.fr")]
    assert found.auto == ""
    assert not found.xdm
    assert found.headers_bad == []


def test_subject_is_decoded_and_kept_raw() -> None:
    found = corpus_facts("subject_encoded")
    assert found.subject == "Résultats du 20 novembre fin"
    assert found.subject_raw.startswith("=?utf-8?q?R=C3=A9sultat?= =?utf-8?b?")
    assert facts("Subject: [FIN]").subject_raw == "[FIN]"
    assert facts("Subject: =?utf-8?q?[FIN]?=").subject_raw != "[FIN]"
    assert facts(b"Subject: R\xe9sultats").subject == "Résultats"
    assert facts("Subject: Résultats d’été").subject == "Résultats d’été"


@pytest.mark.parametrize(
    ("value", "expected"), [("FIN", True), ("  FIN ", True), ("fin", False), ("FIN.", False), ("", False)]
)
def test_end_header(value: str, expected: bool) -> None:
    found = facts(f"X-MSS-MES: {value}")
    assert found.mss_end_header is expected
    assert found.mss_end is expected


def test_x_mss_headers() -> None:
    found = corpus_facts("fin_header")
    assert found.mss_end_header
    assert found.x_mss == {"X-MSS-INS": "O", "X-MSS-NIL": "DEV935997"}
    assert facts("x-mss-codecda: 34112-3,\n PRESC-BIO").x_mss == {"X-MSS-CODECDA": "34112-3, PRESC-BIO"}


def test_automatic_messages() -> None:
    assert corpus_facts("dsn").auto == "dsn"
    assert corpus_facts("mdn").auto == "mdn"
    assert corpus_facts("auto_replied").auto == "auto-replied"
    assert facts("Auto-Submitted: No").auto == ""
    assert facts("Auto-Submitted: AUTO-Generated").auto == "auto-generated"


def test_xdm() -> None:
    assert corpus_facts("xdm").xdm
    assert not corpus_facts("mixed_simple").xdm
    assert facts('Content-Type: application/zip; name="IHE_XDM.ZIP"').xdm
    assert facts("Content-Disposition: attachment; filename*=utf-8''ihe%5Fxdm.zip\nMIME-Version: 1.0").xdm
    inner = index(
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
        b"Content-Type: application/zip; name=IHE_XDM.ZIP\r\n\r\nx\r\n--b--\r\n"
    )
    assert not inner.facts.xdm  # a forwarded archive is not the sender's intent
    assert [part.media for part in attachments(inner.root)] == ["message/rfc822"]


def test_bad_headers() -> None:
    assert facts("Subject: x").headers_bad == ["date:missing", "from:missing"]
    two = facts("Date: x\nFrom: a@b.c\nFrom: d@e.f")
    assert two.headers_bad == ["from:duplicate"]
    assert [address.address for address in two.from_] == ["a@b.c", "d@e.f"]
    assert facts("Date: x\nFrom: personne").headers_bad == ["from:syntax"]
    assert facts("Date: x\nFrom:").headers_bad == ["from:syntax"]
    assert facts("Date: x\nFrom: a@b.c\nReply-To: <>").headers_bad == ["reply-to:syntax"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.c", Address("", "a@b.c")),
        ("<a@b.c>", Address("", "a@b.c")),
        ("a@b.c (Nom)", Address("Nom", "a@b.c")),
        ('"N, \\"x\\"" <"a b"@c.d>', Address('N, "x"', '"a b"@c.d')),
        ("=?iso-8859-1?q?Andr=E9?= =?utf-8?b?w6k=?= <a@b.c>", Address("Andréé", "a@b.c")),
        ("Zoé <zoë@médecin.fr>", Address("Zoé", "zoë@médecin.fr")),
        ("<@r.fr,@s.fr:a@b.c>", Address("", "a@b.c")),
        ("a .b @ c . d", Address("", "a.b@c.d")),
        ("a@[192.0.2.1]", Address("", "a@[192.0.2.1]")),
        ("personne", Address("", "")),
        ("Nom <a@b.c", Address("Nom", "")),
        ("Nom <a@b@c>", Address("Nom", "")),
    ],
)
def test_addresses(value: str, expected: Address) -> None:
    assert facts(f"From: {value}").from_ == [expected]


def test_groups_are_flattened() -> None:
    found = facts("To: G: a@b.c, D <d@e.f>;, vide:;, g@h.i")
    assert [address.address for address in found.to] == ["a@b.c", "d@e.f", "g@h.i"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sans", "sans"),
        ("=?utf-8?q?a_b=20c?=", "a b c"),
        ("=?UTF-8*fr?Q?=C3=A9t=C3=A9?= x", "été x"),
        ("a =?utf-8?q?b?=", "a b"),
        ("=?utf-8?q?b?= c", "b c"),
        ("=?utf-8?b?w6k?=", "é"),  # padding forgotten
        ("=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),  # a character in two words
        ("=?utf-8?q?a?= =?latin1?q?=E9?=", "aé"),
        ("=?inconnu?q?=C3=A9?=", "é"),
        ("=?rot13?q?abc?=", "abc"),
        ("=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        ("=?utf-7?q?+2AA-?=", "?"),  # a lone surrogate
    ],
)
def test_encoded_words(text: str, expected: str) -> None:
    assert decode_words(text) == expected


def test_file_names() -> None:
    def name(fields: str) -> str:
        data = f"MIME-Version: 1.0\r\n{fields}\r\n\r\nx"
        return index(data.encode()).root.filename

    assert (
        name("Content-Disposition: attachment; filename*=UTF-8''r%C3%A9sultat.pdf; filename=x")
        == "résultat.pdf"
    )
    assert (
        name("Content-Type: a/b; name*0*=utf-8'fr'compte%20; name*1=\"rendu 100%.pdf\"")
        == "compte rendu 100%.pdf"
    )
    assert name('Content-Disposition: attachment; filename="=?utf-8?q?=C3=A9.pdf?="') == "é.pdf"
    assert name("Content-Type: a/b; name=n.pdf\r\nContent-Disposition: attachment; filename=f.pdf") == "f.pdf"
    assert name('Content-Disposition: attachment; filename="été.pdf"') == "été.pdf"


def test_walk_gives_numbers_that_find() -> None:
    for data in nasty_messages().values():
        found = index(data)
        for path, part in walk(found.root):
            if not path:
                continue
            there = find_part(found.root, path)
            assert there is part or (there is not None and there.media == "message/rfc822")


def test_sections_of_an_attached_message() -> None:
    data = nasty_messages()["rfc822_in_multipart"]
    found = index(data)

    def text(path: tuple[int, ...], what: str) -> bytes | None:
        span = section_span(found, path, what)  # type: ignore[arg-type]  # a helper for the four kinds
        return None if span is None else data[slice(*span)]

    assert text((), "") == data
    assert text((), "HEADER") == found.header
    assert text((), "MIME") is None
    inner = text((2,), "")
    assert inner is not None
    assert inner.startswith(b"From: Dr I")
    assert text((2,), "HEADER") == inner.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert text((2,), "TEXT") == text((2, 1), "") == inner.partition(b"\r\n\r\n")[2]
    assert text((2,), "MIME") == b"Content-Type: message/rfc822\r\nContent-Description: joint\r\n\r\n"
    assert (text((3, 2), "MIME") or b"").endswith(b"size=12\r\n\r\n")
    assert (text((3, 2), "") or b"").startswith(b"JVBERi0")
    assert text((1,), "HEADER") is None
    assert text((4,), "") is None
    assert text((1, 1), "") == text((1,), "")  # as Dovecot: part 1 of a part that is no multipart is itself
    assert text((1, 2), "") is None


def test_corpus_names_its_needs() -> None:
    assert {"no_final_line_end", "boundary_at_end"} <= WITHOUT_FINAL_LINE_END
    assert {"utf8_addresses", "subject_latin1"} <= UTF8_HEADERS <= EIGHT_BIT
    assert "dots" not in EIGHT_BIT | WITHOUT_FINAL_LINE_END
    for size in (4096, 100_001, 1 << 20):
        assert len(large_message(size)) == size


def test_codecs_that_are_no_charsets() -> None:
    """Python's punycode takes minutes for a megabyte; nobody writes mail in it."""
    for charset in ("punycode", "idna", "unicode_escape", "raw-unicode-escape", "undefined", "rot13"):
        assert decode_words(f"=?{charset}?Q?b=C3=A9-\\u0041-xn?=") == "bé-\\u0041-xn"
