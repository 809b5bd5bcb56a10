# ruff: noqa: E501  (tables of wire text read better unbroken)
"""Messages whose MIME structure is hard."""

from __future__ import annotations

import base64

from tests.corpus.headers import wire

TOP = (
    "From: Dr A <a@exemple.mssante.fr>\nTo: 185017512345612@patient.mssante.fr\nDate: Fri, 20 Nov 2026 09:15:00 +0100\n"
    "Subject: structure\nMessage-ID: <s@exemple.mssante.fr>\nMIME-Version: 1.0\n"
)
INNER = "From: Dr I <i@x.fr>\nTo: j@y.fr\nSubject: dedans\nDate: Thu, 19 Nov 2026 08:00:00 +0100\nMessage-ID: <i@x>\n"
TEXT = "Content-Type: text/plain; charset=utf-8\n\ndu texte\n"
PDF = (
    "Content-Type: application/pdf; name=cr.pdf\nContent-Transfer-Encoding: base64\n"
    "Content-Disposition: attachment; filename=cr.pdf; size=12\n\nJVBERi0xLjcK\n"
)


def message(text: str) -> bytes:
    return wire(TOP + text)


def mixed(
    parts: list[str], *, boundary: str = "b", kind: str = "mixed", close: bool = True, params: str = ""
) -> str:
    text = f'Content-Type: multipart/{kind}; boundary="{boundary}"{params}\n\n'
    text += "".join(f"--{boundary}\n{part}\n" for part in parts)
    return text + (f"--{boundary}--\n" if close else "")


def large_message(size: int) -> bytes:
    """A message of exactly `size` octets (2 KiB at least): a text and a base64 attachment."""
    head = message(
        mixed([TEXT], boundary="=_large", close=False)
        + "--=_large\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        'Content-Disposition: attachment; filename="grand.bin"\n\n'
    )
    tail = b"\r\n--=_large--\r\n"
    room = size - len(head) - len(tail)
    line = base64.b64encode(bytes(range(57))) + b"\r\n"
    lines, rest = divmod(room, len(line))
    return head + line * lines + b"A" * rest + tail


def _nested() -> dict[str, bytes]:
    deep = TEXT
    for level in range(6):
        deep = mixed([deep, PDF], boundary=f"niveau{level}")
    rfc822 = "Content-Type: message/rfc822\nContent-Description: joint\n\n"
    inner_mixed = INNER + "MIME-Version: 1.0\n" + mixed([TEXT, PDF], boundary="in")
    chain = INNER + TEXT
    for level in range(4):
        chain = INNER.replace("dedans", f"niveau {level}") + rfc822 + chain
    too_deep = TEXT
    for level in range(110):
        too_deep = mixed([too_deep], boundary=f"d{level:03}x")
    return {
        "mixed_simple": message(mixed([TEXT, PDF])),
        "nested_multiparts": message(deep),
        "alternative_related": message(
            mixed([mixed([TEXT, mixed(["Content-Type: text/html\nContent-ID: <h@x>\n\n<p>x</p>", PDF], boundary="r", kind="related",
                  params='; type="text/html"; start="<h@x>"')], boundary="a", kind="alternative"), PDF])
        ),
        "rfc822_in_multipart": message(mixed([TEXT, rfc822 + INNER + TEXT, rfc822 + inner_mixed])),
        "rfc822_at_root": message(rfc822 + INNER + TEXT),
        "rfc822_multipart_at_root": message(rfc822 + inner_mixed),
        "rfc822_chain": message(chain),
        "rfc822_empty": message(mixed([rfc822, "Content-Type: message/rfc822\n", TEXT])),
        "rfc822_header_only": message(mixed([rfc822 + INNER, rfc822 + INNER.rstrip("\n"), TEXT])),
        "rfc822_base64": message(mixed(["Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogYQ==\n"])),
        "digest": message(mixed(["\n" + INNER + TEXT, "Content-Type: text/plain\n\ntexte", INNER], kind="digest")),
        "partial_and_external": message(
            mixed(["Content-Type: message/partial; id=a; number=1\n\nsuite",
                   'Content-Type: message/external-body; access-type=URL;\n URL="http://x.fr/"\n\nContent-Type: image/png\n\n'])
        ),
        "too_deep": message(too_deep),
        "dsn": message(
            mixed(["\nNon distribué\n", "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x.fr\n\nFinal-Recipient: rfc822; a@y.fr\nAction: failed\nStatus: 5.1.1\n",
                   "Content-Type: text/rfc822-headers\n\n" + INNER], kind="report", params="; report-type=delivery-status")
        ),
        "mdn": message(
            mixed([TEXT, "Content-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n",
                   rfc822 + INNER + TEXT], kind="report", params=";\n report-type=disposition-notification")
        ),
        "signed": message(
            mixed([TEXT, 'Content-Type: application/pkcs7-signature; name="smime.p7s"\nContent-Transfer-Encoding: base64\n'
                   'Content-Disposition: attachment; filename="smime.p7s"\n\nMIIB\n'], kind="signed",
                  params='; protocol="application/pkcs7-signature"; micalg=sha-256')
        ),
        "xdm": message(mixed([TEXT, "Content-Type: application/zip\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=IHE_XDM.zip\n\nUEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==\n"])),
    }  # fmt: skip


def _boundaries() -> dict[str, bytes]:
    multi = 'Content-Type: multipart/mixed; boundary="b"\n'
    return {
        "multipart_empty": message(multi + "\n--b--\n"),
        "multipart_no_parts": message(multi + "\nrien que du texte\n"),
        "multipart_no_body": message(multi + "\n"),
        "multipart_header_only": message(multi),
        "no_closing_boundary": message(mixed([TEXT, PDF], close=False)),
        "no_closing_nested": message(mixed([mixed([TEXT, TEXT], boundary="in", close=False), PDF])),
        "no_boundary_param": message("Content-Type: multipart/mixed\n\n--b\n" + TEXT + "--b--\n"),
        "empty_boundary_param": message(
            'Content-Type: multipart/mixed; boundary=""\n\n--\n' + TEXT + "\n----\n"
        ),
        "boundary_prefix_inner": message(mixed([mixed([TEXT, TEXT], boundary="abc"), PDF], boundary="ab")),
        "boundary_prefix_outer": message(mixed([mixed([TEXT, TEXT], boundary="ab"), PDF], boundary="abc")),
        "boundary_with_dashes": message(mixed([mixed([TEXT], boundary="x"), PDF], boundary="x--")),
        "boundary_with_dashes_inner": message(mixed([mixed([TEXT], boundary="x--"), PDF], boundary="x")),
        "boundary_same_twice": message(mixed([mixed([TEXT, TEXT], boundary="b"), PDF], boundary="b")),
        "boundary_trailing_blanks": message(multi + "\n--b  \t\n" + TEXT + "\n--b-- \t\nepilogue\n"),
        "boundary_trailing_text": message(
            multi + "\n--bonjour\n" + TEXT + "\n--b--fin\nepilogue\n--b\nencore\n"
        ),
        "boundary_70": message(mixed([TEXT, PDF], boundary="=" * 70)),
        "boundary_too_long": message(mixed([TEXT, PDF], boundary="z" * 100)),
        "boundary_quoted_odd": message(mixed([TEXT], boundary="a b'()+_,-./:=?")),
        "boundary_unquoted_bad": message(
            "Content-Type: multipart/mixed; boundary=a=b?c\n\n--a=b?c\n" + TEXT + "\n--a=b?c--\n"
        ),
        "boundary_in_header": message(multi + "\n--b\nContent-Type: text/plain\n--b\n" + TEXT + "\n--b--\n"),
        "boundary_in_header_first": message(multi + "\n--b\n--b\n--b\n\n--b--\n"),
        "boundary_at_end": message(multi + "\ntexte\n--b"),
        "boundary_at_end_with_line": message(multi + "\ntexte\n--b\n"),
        "boundary_closing_at_end": message(multi + "\n--b\n" + TEXT + "\n--b--"),
        "boundary_almost": message(multi + "\n--b\n\n-b\n-- b\n --b\n--c\n--\n---\n\n--b--\n"),
        "preamble_epilogue": message(multi + "\npreambule\n\n--b\n" + TEXT + "\n--b--\n\nepilogue\nsuite\n"),
        "epilogue_outer": message(
            mixed([mixed([TEXT], boundary="in") + "epilogue du dedans\n", PDF]) + "epilogue"
        ),
        "no_line_before_boundary": message(multi + "\n--b\n\n--b\nContent-Type: text/plain\n\n--b--\n"),
        "no_final_line_end_mime": message(mixed([TEXT, PDF]).rstrip("\n")),
        "many_parts": message(mixed([f"\npartie {n}" for n in range(300)])),
        "nested_close_outer_only": message(
            mixed([mixed([TEXT, TEXT], boundary="in", close=False)]) + "fin\n--in\nnon\n"
        ),
        "second_content_type": message(multi + "Content-Type: text/html\n\n--b\n" + TEXT + "--b--\n"),
    }


def _contents() -> dict[str, bytes]:
    odd_types = [
        "text", "text/", "/plain", "text/plain charset=utf-8", "text/plain;", "text/plain;;charset=x", "text/plain; charset",
        "text/plain; charset=", "text/plain; =x", 'text/plain; charset="pas fini', "text/plain; a=b c=d; e=f", "text/plain; a=b (com; c=d) ; e=f",
        "(com)text(com)/(com)plain(com);a=b", "multipart", "multipart/", "message", "TEXT/HTML; Charset=UTF-8", "x-y/z.t+u; p=\"q\\\"r\"",
        "text/plain; name==?utf-8?q?a?=; b=c", "text/plain; a=b; a=c", "é/ü; ç=à", '"text/plain"', "text/plain, text/html", "",
        "application/octet-stream; name=\"é à.pdf\"", "image/png/x", "text/plain; name=\"a\n b\"; x=y", "text/plain; a=\"(b)\"; (c) d=e",
    ]  # fmt: skip
    odd_dispositions = [
        "attachment",
        'inline; filename="a b.pdf"',
        "",
        ";filename=x",
        "(com) attachment (com); filename = x",
        'attachment; filename="é.pdf"',
        "inline inline",
    ]
    odd_encodings = ["base64", "BASE64", "quoted-printable (com)", "8bit; x", "", "7 bit", "x-unknown"]
    parts = [f"Content-Type: {kind}\n\n{n}" for n, kind in enumerate(odd_types)]
    parts += [f"Content-Disposition: {kind}\n\n{n}" for n, kind in enumerate(odd_dispositions)]
    parts += [f"Content-Transfer-Encoding: {kind}\n\n{n}" for n, kind in enumerate(odd_encodings)]
    rfc2231 = (
        "Content-Type: application/pdf;\n name*0*=utf-8'fr'compte%20rendu%20;\n name*1*=d%C3%A9;\n name*2=\"fini 100%.pdf\"\n"
        "Content-Disposition: attachment;\n filename*=UTF-8''r%C3%A9sultat.pdf;\n filename=\"resultat.pdf\"\n\nx"
    )
    return {
        "content_garbage": message(mixed(parts)),
        "content_garbage_root_type": message("Content-Type: pas un type\n\ncorps\n"),
        "content_type_empty_root": message("Content-Type:\n\ncorps\n"),
        "rfc2231": message(mixed([rfc2231])),
        "rfc2231_odd": message(
            mixed([
                "Content-Type: text/plain; a*1=deux; a*0=un; b*0=x; b*2=y; c*x=z; d**=t\n\nx",
                "Content-Disposition: attachment; filename*0=\"a%\"; filename*1*=%20b; x=\"y\"\n\nx",
            ])
        ),
        "rfc2047_filename": message(mixed(['Content-Disposition: attachment;\n filename="=?utf-8?b?w6l0w6k=?=\n =?utf-8?q?_fin.pdf?="\n\nx'])),
        "all_content_fields": message(
            mixed([
                "Content-Type: text/plain; charset=utf-8; format=flowed\nContent-ID: <id@x>\nContent-Description: un \"essai\"\n"
                "Content-Transfer-Encoding: 7bit\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\nContent-Language: fr, en-GB , de\n"
                "Content-Location: http://x.fr/\n a/b\nContent-Disposition: inline; filename=a.txt\n\ntexte",
                "Content-Description: été\nContent-ID: \nContent-Language: \n\nx",
            ], params="\nContent-Language: fr\nContent-Location: loc\nContent-Disposition: inline; a=b\nContent-ID: <m@x>")
        ),
        "content_twice": message(
            mixed(["Content-Type: text/html\nContent-Type: text/plain\nContent-ID: <1>\nContent-ID: <2>\nContent-Disposition: inline\n"
                   "Content-Disposition: attachment; filename=b\nContent-Disposition: x; y=z\nContent-Transfer-Encoding: 8bit;\n"
                   "Content-Transfer-Encoding: base64\nContent-Language: a\nContent-Language: b\n\nx"])
        ),
        "no_mime_version": wire("From: a@x.fr\nSubject: s\nContent-Transfer-Encoding: base64\nContent-ID: <x>\n\nYQ==\n"),
        "no_mime_version_but_type": wire("From: a@x.fr\nSubject: s\nContent-Type: text/html\nContent-ID: <x>\n\n<p>\n"),
        "mime_version_only": wire("From: a@x.fr\nMime-Version: 1.0\nContent-Transfer-Encoding: base64\n\nYQ==\n"),
        "eight_bit_part_headers": message(mixed(["Content-Type: text/plain; name=été\nContent-Description: l’été\n\nété\n"])),
        "quoted_printable": message("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n=C3=A9t=C3=A9 =\nfin\n"),
        "fields_folded_mime": message(mixed([
            "Content-Type\t:\n\ttext/plain;\n\tcharset=\"utf-8\";\n\tname=\"un\n deux\"\nContent-Disposition:\n inline\n ;\n filename=a\n"
            "Content-ID:\n <fold@x>\nContent-Description: un\n  deux\n\ttrois \n\nx",
        ])),
    }  # fmt: skip


def structure_messages() -> dict[str, bytes]:
    return _nested() | _boundaries() | _contents()
