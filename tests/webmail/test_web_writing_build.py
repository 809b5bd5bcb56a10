"""Whatever is typed, the message is one message: no line of a value becomes a header, and it reads back."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import dossier
from gateway.message import Indexer, MessageIndex
from webmail.writing.building import (
    SUBJECT,
    File,
    Writing,
    answering,
    cleaned,
    draft_bytes,
    flowed,
    is_address,
    letter_bytes,
    new_token,
    private_of,
    quoted,
    thread_of,
    token_of,
    unflowed,
)
from webmail.writing.receipts import receipt_bytes

AUTHOR = "269067505600182@patient.mssante.test"
TO = "camille.exemple@hopital-exemple.mssante.test"
FIELDS = {"from", "to", "subject", "date", "message-id", "mime-version"} | {
    "content-type",
    "content-transfer-encoding",
}


def made(writing: Writing, name: str = "Alice DUPONT", to: str = "Dr Exemple", original: str = "") -> bytes:
    return letter_bytes(
        writing,
        author=AUTHOR,
        author_name=name,
        names={TO: to},
        hostname="mss.test",
        at=1_790_000_000_000,
        original=original,
    )


def read(raw: bytes) -> EmailMessage:
    return cast(EmailMessage, message_from_bytes(raw, policy=policy.default))


def index_of(raw: bytes) -> MessageIndex:
    indexer = Indexer()
    indexer.feed(raw)
    return indexer.close()


nasty = st.one_of(
    st.text(max_size=120),
    st.sampled_from(
        [
            "a\r\nBcc: x@y.example",
            "\u202eexe.fdp",
            "=?utf-8?q?=0D=0ABcc:_x?=",
            "😀" * 40,
            "a" * 300,
            '"\\',
            "é " * 90,
        ]
    ),
)


@settings(deadline=None)
@given(nasty, nasty, nasty)
@example("a\r\nBcc: x@y.example", "b\nBcc: z@y.example", "c\rBcc: z@y.example")
@example("=?utf-8?q?=0D=0ABcc:_x@y.example?=", "=?utf-8?b?DQpCY2M6IHg=?=", "x")
def test_no_value_brings_a_field_of_its_own(subject: str, name: str, to: str) -> None:
    raw = made(Writing(token=new_token(), to=[TO], subject=subject, text="Bonjour"), name, to)
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    back = read(raw)
    assert {one.lower() for one in back.keys()} == FIELDS  # noqa: SIM118  # fields repeat
    assert back["Bcc"] is None
    facts = index_of(raw).facts
    assert facts.headers_bad == []
    assert [one.address for one in facts.from_] == [AUTHOR]
    assert [one.address for one in facts.to] == [TO]


@settings(deadline=None)
@given(st.text(max_size=SUBJECT))
@example("Résultats   du 12 mars : tout va bien 😀 et encore quelques mots pour que la ligne soit pliée ici")
def test_a_subject_reads_back(subject: str) -> None:
    wanted = dossier.clean(subject, SUBJECT)
    if "=?" in wanted:
        wanted = wanted.replace("=?", "= ?")  # what looks like an encoded word would be read as one
    facts = index_of(made(Writing(token=new_token(), to=[TO], subject=subject))).facts
    assert facts.subject.split() == wanted.split()


@settings(deadline=None)
@given(st.text(max_size=2_000))
@example("> cité\nFrom moi\n  retrait\n-- \nsignature\n" + "mot " * 100)
@example("x" * 2_000)
@example(" " * 200)
def test_a_text_reads_back(text: str) -> None:
    raw = made(Writing(token=new_token(), to=[TO], subject="s", text=text))
    back = unflowed(read(raw).get_content())
    assert back.split() == cleaned(text).split()
    assert (
        len(back.rstrip("\n").split("\n")) == len(cleaned(text).rstrip("\n ").split("\n")) or not text.strip()
    )


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r"), max_size=500))
def test_flowed_lines_are_short_where_blanks_allow_and_join_again(text: str) -> None:
    for line in flowed(text).split("\n"):
        assert len(line) <= 80 or " " not in line.strip()[1:72]
    assert unflowed(flowed(text)).split() == text.split()


def test_the_same_letter_is_the_same_octets() -> None:
    writing = Writing(
        token=new_token(), to=[TO], subject="s", text="t", files=[File("a.pdf", "application/pdf", b"%PDF-")]
    )
    assert made(writing) == made(writing)
    again = Writing(token=new_token(), to=[TO], subject="s", text="t", files=writing.files)
    assert made(again) != made(writing)


@settings(deadline=None)
@given(st.text(max_size=60), st.binary(max_size=300))
@example("=?utf-8?q?=0D=0ABcc:_x?=.pdf", b"")
def test_a_file_reads_back(name: str, content: bytes) -> None:
    shown = (dossier.clean_filename(name) or "fichier").replace("=?", "= ?")
    writing = Writing(
        token=new_token(), to=[TO], subject="s", text="t", files=[File(shown, "application/pdf", content)]
    )
    (part,) = read(made(writing)).iter_attachments()
    assert part.get_content() == content
    assert index_of(made(writing)).root.children[1].filename == shown


@settings(deadline=None)
@given(nasty, nasty, nasty)
@example("=?utf-8?q?=0D=0ABcc:_x?=", "=?utf-8?q?=0D=0ABcc:_x?=", "<=?utf-8?q?=0D=0ABcc:_x?=>")
def test_a_receipt_takes_nothing_over_from_a_stranger(subject: str, name: str, original: str) -> None:
    raw = receipt_bytes(
        reader=AUTHOR,
        name=name,
        to=TO,
        subject=subject,
        original=original,
        hostname="h.test",
        ident="1",
        at=0,
    )
    back = read(raw)
    assert back["Bcc"] is None
    assert index_of(raw).facts.auto == "mdn"
    assert [one.media for one in index_of(raw).root.children] == [
        "text/plain",
        "message/disposition-notification",
    ]


def test_a_draft_keeps_what_is_ours() -> None:
    writing = Writing(token=new_token(), to=[TO], subject="s", text="t", original=77, quote=True)
    raw = draft_bytes(writing, author=AUTHOR, author_name="A", hostname="h.test", at=0)
    assert private_of(read(raw)["X-Passerelle-Brouillon"]) == (77, True)
    assert token_of(read(raw)["Message-ID"]) == writing.token


@pytest.mark.parametrize("value", ["", "x", "-1 quote", "9" * 30, "²"])
def test_what_a_stranger_wrote_there_says_nothing(value: str) -> None:
    assert private_of(value)[0] == 0


def test_answers_and_threads() -> None:
    assert answering("Re: RE : Ré: Bilan") == "Re: Bilan"
    assert answering("") == "Re:"
    assert answering("Retour") == "Re: Retour"
    assert thread_of("<c@x>", ["<a@x>", "<b@x>"]) == ("<c@x>", ["<a@x>", "<b@x>", "<c@x>"])
    assert thread_of("<c@x>", [], "<b@x>")[1] == ["<b@x>", "<c@x>"]
    assert thread_of("<c@x>\r\nBcc: x", ["<a@x>"]) == ("", [])
    assert thread_of("", []) == ("", [])
    evil = "<=?utf-8?q?=0D=0ABcc:_x@y.example?=>"  # a stranger's Message-ID
    assert thread_of(evil, []) == ("", [])
    assert thread_of("<c@x>", [evil, "<a@x>"]) == ("<c@x>", ["<a@x>", "<c@x>"])
    drafted = Writing(token=new_token(), to=[TO], in_reply_to=evil, references=[evil, "<a@x>"])
    assert read(made(drafted))["References"] == "<a@x>"
    assert read(made(drafted))["In-Reply-To"] is None
    long = [f"<{number}@x>" for number in range(500)]
    assert len(thread_of("<z@x>", long)[1]) == 20
    assert quoted("a\n> b", "X a écrit :") == "X a écrit :\n> a\n>> b"


@settings(deadline=None)
@given(st.text(max_size=80))
@example("a b@x.test")
@example("@")
@example("a@")
@example('"a b"@x.test')
def test_addresses_are_asked_without_a_fall(text: str) -> None:
    if is_address(text):
        assert index_of(made(Writing(token=new_token(), to=[text], subject="s"))).facts.to
