# ruff: noqa: E501  (tables of wire text read better unbroken)
"""Messages whose headers are hard: addresses, folding, encodings, what is missing or twice."""

from __future__ import annotations

TOP = "From: =?utf-8?q?Dr_L=C3=A9a?= Exemple <lea.exemple@medecin.exemple.mssante.fr>\nDate: Fri, 20 Nov 2026 09:15:00 +0100\n"
TO = "To: 185017512345612@patient.mssante.fr\n"
END = "Message-ID: <{name}@exemple.mssante.fr>\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n"
BODY = "\nBonjour,\nvoici le compte rendu.\n"


def wire(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return data.replace(b"\n", b"\r\n")


def plain(name: str, fields: str, body: str = BODY) -> bytes:
    return wire(TOP + TO + fields + END.format(name=name) + body)


def addressed(name: str, *fields: str) -> bytes:
    """A message whose address fields are exactly `fields`."""
    shown = "".join(field + "\n" for field in fields)
    return wire(
        shown + "Date: Fri, 20 Nov 2026 09:15:00 +0100\nSubject: adresses\n" + END.format(name=name) + BODY
    )


def _address_messages() -> dict[str, bytes]:
    from_ = "From: a@exemple.mssante.fr"
    many = ",\n ".join(f'"Patient {n:04}" <{n:013}97@patient.mssante.fr>' for n in range(1500))
    return {
        "group_addresses": addressed(
            "group",
            from_,
            'To: Soignants: "A, B" <ab@x.fr>, c@y.fr;, seul@z.fr',
            "Cc: undisclosed-recipients:;",
        ),
        "group_empty_name_and_open": addressed("group2", from_, "To: :a@x.fr;", "Cc: ouvert: a@x.fr, b@y.fr"),
        "group_folded_nested_garbage": addressed(
            "group3", from_, "To: G:\n a@x.fr,\n\t<b@y.fr>;\n , H: c@z.fr; d@w.fr"
        ),
        "quoted_local_parts": addressed(
            "quoted",
            'From: "a b"@x.fr',
            'To: "q\\"u\\\\o"@x.fr, <"sp ace"@y.fr>, "Nom \\"cit\\u00e9\\"" <n@z.fr>',
        ),
        "comments_in_addresses": addressed(
            "comments",
            "From: a@x.fr (Dr A (urgences))",
            "To: (avant) b@y.fr (apres), c(un)@(deux)z.fr(trois), D (d) <d@w.fr> (fin)",
        ),
        "comment_escapes": addressed(
            "comments2", "From: a@x.fr (un\\) deux \\\\ trois)", "To: b@y.fr (pas fini"
        ),
        "obsolete_routes": addressed(
            "route", "From: <@un.fr,@deux.fr:a@x.fr>", "To: R <@un.fr:b@y.fr>, <@:c@z.fr>, <@un.fr d@w.fr>"
        ),
        "obsolete_dots_and_blanks": addressed(
            "dots", "From: a . b @ x . fr", "To: Dr. J. Q. Public <j..q.@x.fr>, .tot@y.fr"
        ),
        "domain_literals": addressed(
            "literal", "From: a@[192.0.2.1]", "To: b@[IPv6:2001:db8::1], c@[non\\]fini], d@[x[y]"
        ),
        "broken_addresses": addressed(
            "broken",
            "From: pas d'adresse",
            "To: seul, <vide@>, @domaine.fr, <>, a@b@c.fr, <a@b.fr",
            "Cc: ,,a@x.fr,,b@y.fr,",
        ),
        "broken_quotes": addressed(
            "broken2", 'From: "jamais fini <a@x.fr>', "To: a@x.fr; b@y.fr", "Cc: mot deux@x.fr trois"
        ),
        "unfinished_angle": addressed(
            "broken3", "From: Nom <a@x.fr", "To: Nom <a x@y.fr>, b@z.fr", "Reply-To: Nom <>"
        ),
        "no_from": addressed("nofrom", "To: a@x.fr", "Sender: s@y.fr"),
        "sender_and_reply_to": addressed(
            "sender", from_, "Sender: secretariat@x.fr", "Reply-To: R1 <r1@x.fr>, r2@x.fr", TO[:-1]
        ),
        "empty_address_fields": addressed("empty", from_, "Sender:", "Reply-To: ", "To:", "Cc: \t", "Bcc: ,"),
        "two_from_and_to": addressed(
            "two", from_, "From: faux@y.fr", "To: a@x.fr", "To: b@x.fr", "Subject: premier"
        ),
        "very_many_recipients": addressed("many", from_, "To: " + many),
        "bcc_kept": addressed("bcc", from_, "Bcc: cache@x.fr, C <c@y.fr>"),
        "utf8_addresses": addressed(
            "utf8", "From: Léa Müller <léa@médecin.exemple>", 'To: "Zoë, l’une" <zoë@x.fr>, 用户@例子.中国'
        ),
        "encoded_names": addressed(
            "encoded",
            "From: =?iso-8859-1?q?Andr=E9?= =?iso-8859-1?q?_Dupont?= <a@x.fr>",
            'To: =?UTF-8?B?Wm/DqQ==?=\n =?UTF-8?B?IERlc3M=?= <z@y.fr>, "=?utf-8?q?cit=C3=A9?=" <c@z.fr>',
        ),
        "quotes_many": addressed(
            "quotes", 'From: "a\\"b\\"c\\"d\\"e\\"f" <a@x.fr>', 'To: "un\\\\deux" <b@y.fr>'
        ),
        "name_blanks": addressed(
            "blanks", 'From: "  deux   blancs  " <a@x.fr>', 'To: A \t B   C <b@y.fr>, "" <c@z.fr>'
        ),
    }


def _field_messages() -> dict[str, bytes]:
    folded = (
        "From:\n Dr Folded\n <f@x.fr>\nTo:\n a@x.fr\n ,\n\tb@y.fr\nSubject:\n un sujet\n\tsur trois\n  lignes\n"
        "Date:\n Fri, 20 Nov\n 2026 09:15:00\n +0100\nMessage-ID:\n <folded@x.fr>\nIn-Reply-To:\n <avant@x.fr>\n"
        "MIME-Version:\n 1.0\nContent-Type:\n text/plain\n ;\n charset\n =\n utf-8\nContent-Transfer-Encoding:\n 8bit\n"
    )
    return {
        "folded_everything": wire(folded + BODY),
        "duplicate_headers": plain(
            "dup", "Subject: un\nSubject: deux\nDate: Sat, 21 Nov 2026 10:00:00 +0100\nMessage-ID: <x@y>\n"
        ),
        "tabs": wire(
            "From:\ta@x.fr\nTo:\t\tb@y.fr\t\nSubject:\tun\tdeux\t\nDate: \tFri, 20 Nov 2026 09:15:00 +0100\t\n"
            + BODY
        ),
        "empty_subject": plain("nosubject", "Subject:\n"),
        "blank_subject": plain("blanksubject", "Subject:   \n"),
        "blank_then_folded_subject": plain("blankfold", "Subject:  \n  suite\n"),
        "no_subject": plain("subjectless", ""),
        "fin_subject": plain("fin", "Subject: [FIN]\n"),
        "fin_header": plain(
            "fin2", "Subject: pas de suite\nX-MSS-MES: FIN\nX-MSS-INS: O\nX-MSS-NIL: DEV935997\n"
        ),
        "subject_quotes": plain("sq", 'Subject: a "b" \\c\\ "d"\n'),
        "subject_encoded": plain(
            "se", "Subject: =?utf-8?q?R=C3=A9sultat?=\n =?utf-8?b?cyBkdSAyMCBub3ZlbWJyZQ==?= fin\n"
        ),
        "subject_utf8": plain("su", "Subject: Résultats d’analyse – été\n"),
        "subject_latin1": wire(TOP + TO).replace(b"Dr", b"Dr")
        + b"Subject: R\xe9sultats d'\xe9t\xe9\r\n\r\ncorps \xe9\r\n",
        "subject_long": plain("sl", "Subject: " + "mot " * 400 + "\n"),
        "header_only": wire(TOP + TO + "Subject: rien\n\n"),
        "header_without_blank_line": wire(TOP + TO + "Subject: rien\n"),
        "header_without_line_end": wire(TOP + TO + "Subject: rien"),
        "no_header": wire("\nseulement un corps\n"),
        "no_body": wire(TOP + TO + "Subject: sans corps\n" + END.format(name="nobody") + "\n"),
        "not_a_header": wire(
            "ceci n'est pas un champ\n suite: non\n" + TOP + TO + "sans deux points\nSubject: oui\n" + BODY
        ),
        "name_with_blank": wire("From : a@x.fr\nSubject \t: b\nTo: c@y.fr\n : vide\n" + BODY),
        "first_line_blank_folded": wire(" debut: plie\nFrom: a@x.fr\nSubject: s\n" + BODY),
        "case_of_names": wire("FROM: a@x.fr\nto: b@y.fr\nSuBjEcT: c\nDATE: d\nmessage-id: <e@f>\n" + BODY),
        "date_and_ids_odd": wire(
            'From: a@x.fr\nDate: hier "midi"\nMessage-ID:  <sans fin \n\t suite>  \nIn-Reply-To: <a@b> <c@d>\n'
            + BODY
        ),
        "eight_bit_ids": wire("From: a@x.fr\nDate: été\nMessage-ID: <é@x>\nIn-Reply-To: <à@x>\n" + BODY),
        "long_header_998": plain("l998", "X-Long: " + "x" * 990 + "\nSubject: apres\n"),
        "long_header_2000": plain("l2000", "X-Long: " + "y" * 1992 + "\nSubject: apres\n"),
        "long_lines": plain("ll", "Subject: lignes\n", "\n" + "a" * 998 + "\n" + "b" * 2000 + "\nfin\n"),
        "eight_bit_body": plain(
            "8b", "Subject: corps\nContent-Transfer-Encoding: 8bit\n", "\nété à Noël, œuvre\n"
        ),
        "no_final_line_end": plain("nofinal", "Subject: fin\n", "\nune ligne\nsans fin"),
        "dots": plain("dots", "Subject: points\n", "\n.\n..\n...\n.debut\nfin.\n.\n"),
        "only_line_ends": plain("nl", "Subject: vides\n", "\n\n\n\n\n"),
        "notification_request": plain(
            "mdnreq", "Subject: accuse\nDisposition-Notification-To: Dr A <a@x.fr>, b@y.fr\n"
        ),
        "auto_replied": plain("auto", "Subject: absence\nAuto-Submitted: auto-replied (vacation); owner=x\n"),
        "references": plain(
            "refs", "References: <a@x> <b@y>\n\t<c@z>\nIn-Reply-To: <c@z>\nSubject: Re: suite\n"
        ),
    }


def header_messages() -> dict[str, bytes]:
    return _address_messages() | _field_messages()
