"""One letter: opened, read in every shape, its files given and saved, what is kept from whom."""

from __future__ import annotations

import base64
import email
import hashlib
import re

import pytest

from gateway.demo import letters as demo
from gateway.message import Indexer
from gateway.message import Signature as Signed
from store import mail
from tests.webmail import hostile_mail as hostile
from tests.webmail.letter_kit import ids, newest
from tests.webmail.web_kit import ALICE, CLEMENCE, DOCTOR, NOE, Browser, Site, hide, letter
from webmail.mail import plain
from webmail.mail.octets import decoded
from webmail.mail.origins import seal_of
from webmail.mail.parts import chosen

_TEXT = "Bonjour,\n\nTout va bien.\n\n> Votre question\n> d'hier\n\nÀ bientôt"


def _seen(site: Site, number: int) -> bool:
    entries = site.store.read(mail.entries, site.box(), mail.INBOX_ID)
    return any(one.message_id == number and one.flags & mail.SEEN for one in entries)


async def test_opening_a_letter_marks_it_as_read_looking_ahead_does_not(site: Site, alice: Browser) -> None:
    await site.deliver(letter("Vos résultats", _TEXT))
    number = newest(site)
    path = f"/messages/{number}"
    assert (await alice.client.head(path)).status_code == 200
    await alice.get(path, 200, **{"Sec-Purpose": "prefetch"})
    assert not _seen(site, number)
    page = await alice.get(path)
    assert _seen(site, number)
    assert "Tout va bien." in page and "<summary>Message précédent (texte cité)</summary>" in page
    assert DOCTOR.address not in re.sub(r'href="[^"]*"', "", page)
    assert "opérateur autorisé" in page


async def test_letters_of_others_are_not_there(site: Site, alice: Browser) -> None:
    await site.deliver(
        letter(to=CLEMENCE, attachments=(("a.pdf", "application/pdf", demo.pdf("a")),)), to=CLEMENCE
    )
    number = newest(site, CLEMENCE)
    for end in ("", ".eml", "/contenu", "/imprimer", "/piece/2", "/piece/2/apercu", "/piece/2/contenu"):
        await alice.get(f"/messages/{number}{end}", 404)
    await alice.post(f"/messages/{number}/deposer", {"piece": "1"}, status=404)
    for wrong in ("0", "9" * 18, "9" * 40):
        await alice.get(f"/messages/{wrong}", 404)


async def test_what_is_hidden_is_not_there_for_a_representative(site: Site) -> None:
    await site.deliver(letter(to=NOE, attachments=(("a.pdf", "application/pdf", demo.pdf("a")),)), to=NOE)
    number = newest(site, NOE)
    mother = await site.signed_in(ALICE, space=NOE)
    assert "Votre compte rendu" in await mother.get(f"/messages/{number}")
    hide(site, number, "test")
    for end in ("", ".eml", "/contenu", "/imprimer", "/piece/2", "/piece/2/apercu"):
        await mother.get(f"/messages/{number}{end}", 404)


async def test_the_eml_is_what_imap_gives(site: Site, alice: Browser) -> None:
    raw = letter("Été « à Paris »", attachments=(("a.pdf", "application/pdf", demo.pdf("a")),))
    await site.deliver(raw)
    number = newest(site)
    answer = await alice.client.get(f"/messages/{number}.eml")
    assert answer.content.endswith(raw) and answer.content.startswith(b"Return-Path: <")
    assert answer.headers["content-type"] == "message/rfc822"
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert email.message_from_bytes(answer.content)["Subject"]


async def test_files_are_given_as_they_came(site: Site, alice: Browser) -> None:
    pdf, large = demo.pdf("Compte rendu"), bytes(range(256)) * 4096
    await site.deliver(
        letter(
            attachments=(("Compte rendu é.pdf", "application/pdf", pdf), ("x.bin", "application/x", large))
        )
    )
    number = newest(site)
    one = await alice.client.get(f"/messages/{number}/piece/2")
    assert (
        one.content == pdf
        and "filename*=UTF-8''Compte%20rendu%20%C3%A9.pdf" in one.headers["content-disposition"]
    )
    seen = await alice.client.get(f"/messages/{number}/piece/2?voir")
    assert (
        seen.headers["content-disposition"].startswith("inline")
        and "default-src 'none'" in seen.headers["content-security-policy"]
    )
    other = await alice.client.get(f"/messages/{number}/piece/3?voir")
    assert hashlib.sha256(other.content).digest() == hashlib.sha256(large).digest()
    assert other.headers["content-disposition"].startswith("attachment")
    for wrong in ("9", "0", "2.2", "x", "1" * 40, "1.", ".1"):
        await alice.get(f"/messages/{number}/piece/{wrong}", 404)


async def test_files_are_looked_at(site: Site, alice: Browser) -> None:
    files = (
        ("photo.png", "image/png", demo.photograph()),
        ("notes.txt", "text/plain", "Prise à jeun\n".encode()),
        ("IHE_XDM.ZIP", "application/zip", demo.archive(ALICE, "Compte rendu d'imagerie")),
        ("a.bin", "application/octet-stream", b"\0\1\2"),
    )
    await site.deliver(letter(attachments=files))
    path = f"/messages/{newest(site)}/piece"
    assert '<img class="page" src="data:image/' in await alice.get(f"{path}/2/contenu")
    assert "Prise à jeun" in await alice.get(f"{path}/3/contenu")
    assert "Compte rendu d" in await alice.get(f"{path}/4/apercu")
    inside = await alice.client.get(f"{path}/4/contenu?document=1")
    assert inside.headers["content-type"] == "application/pdf" and inside.content.startswith(b"%PDF-")
    assert (await alice.client.get(f"{path}/4/document/1")).headers[
        "content-type"
    ] == "application/octet-stream"
    for wrong in ("4/contenu?document=2", "4/document/0", "5/apercu"):
        await alice.get(f"{path}/{wrong}", 404)


async def test_what_is_filed_is_told(site: Site, alice: Browser) -> None:
    files = (
        ("compte-rendu.pdf", "application/pdf", demo.pdf("a")),
        ("photo.png", "image/png", demo.photograph()),
        ("faux.pdf", "application/pdf", b"no pdf"),
    )
    await site.deliver(letter(attachments=files))
    path = f"/messages/{newest(site)}"
    assert "Dépôt dans votre dossier en cours" in await alice.get(path)
    await site.file_all()
    page = await alice.get(path)
    assert page.count("Déposé dans votre dossier") == 1 and "(code 906)" in page
    document = re.search(r'href="(/documents/[0-9]+)"', page)
    assert document and "compte" in (await alice.get(document[1])).lower()
    answer = await alice.post(f"{path}/deposer", {"piece": "2", "rubrique": "Autres"}, page=path)
    page = await alice.after(answer)
    assert "1 document déposé dans votre dossier." in page and page.count("Voir le document") == 2
    again = await alice.post(f"{path}/deposer", {"piece": "2"}, page=path)
    assert "Tout était déjà dans votre dossier." in await alice.after(again)
    refused = await alice.post(f"{path}/deposer", {"piece": "3"}, page=path, status=422)
    assert "Ce fichier n'a pas pu être déposé." in refused.text
    await alice.post(f"{path}/deposer", {"piece": "9"}, page=path, status=404)


async def test_an_archive_is_saved_and_told(site: Site, alice: Browser) -> None:
    await site.deliver(
        letter(attachments=(("IHE_XDM.ZIP", "application/zip", demo.archive(ALICE, "Bilan")),))
    )
    path = f"/messages/{newest(site)}"
    await site.file_all()
    assert "Déposé dans votre dossier" in await alice.get(path)


async def test_html_comes_in_a_frame_and_as_text(site: Site, alice: Browser) -> None:
    page = "<p>Bonjour <b>Alice</b></p><img src='cid:a@b'><img src='https://evil.example/t.gif'>"
    await site.deliver(letter(text="Bonjour en texte", html=page))
    path = f"/messages/{newest(site)}"
    shown = await alice.get(path)
    assert f'src="{path}/contenu"' in shown and "allow-scripts" not in shown
    framed = await alice.client.get(f"{path}/contenu")
    policy = framed.headers["content-security-policy"]
    assert (
        "default-src 'none'" in policy
        and "sandbox allow-same-origin" in policy
        and "allow-scripts" not in policy
    )
    assert framed.headers["x-frame-options"] == "SAMEORIGIN"
    assert "<b>Alice</b>" in framed.text and "evil.example" not in framed.text
    assert "1 élément venant d'internet" in framed.text and "1 image du message" in framed.text
    assert "Bonjour en texte" in await alice.get(f"{path}?texte")
    assert "Bonjour en texte" in await alice.get(f"{path}/imprimer")


async def test_the_word_for_software_in_a_subject_is_not_shown(site: Site, alice: Browser) -> None:
    await site.deliver(letter("XDM/1.0/DDM+CR de consultation DUPONT ALICE 12/03/1988"))
    path = f"/messages/{newest(site)}"
    pages = ("/", "/messages", "/messages?dossier=reception", path, f"{path}/imprimer", f"{path}/repondre")
    for page in (*pages, "/messages/recherche?q=consultation"):
        told = await alice.get(page)
        assert "CR de consultation DUPONT ALICE 12/03/1988" in told, page
        assert "XDM/1.0" not in told, page
    whole = await alice.client.get(f"{path}.eml")
    assert "XDM" not in whole.headers["content-disposition"]
    assert b"Subject: XDM/1.0/DDM+CR" in whole.content, "the letter itself is as it came"


async def test_pictures_of_the_letter_are_shown(site: Site, alice: Browser) -> None:
    raw = hostile.html_letter("<p>Voyez</p>").decode()
    top = raw.partition("\r\nContent-Type")[0]
    picture = base64.encodebytes(demo.photograph()).decode().replace("\n", "\r\n")
    body = (
        f'{top}\r\nContent-Type: multipart/related; boundary="r"\r\n\r\n'
        "--r\r\nContent-Type: text/html\r\n\r\n"
        '<img src="cid:a%40b" alt="Logo"><img src="cid:none">\r\n--r\r\nContent-Type: image/png\r\n'
        f"Content-ID: <a@b>\r\nContent-Transfer-Encoding: base64\r\n\r\n{picture}\r\n--r--\r\n"
    )
    await site.deliver(body.encode())
    framed = await alice.get(f"/messages/{newest(site)}/contenu")
    assert '<img src="data:image/png;base64,' in framed and "1 image du message" in framed


async def test_a_report_speaks(site: Site, alice: Browser) -> None:
    lines = [
        *hostile.head(
            "Undelivered", Content_Type='multipart/report; report-type=delivery-status; boundary="b"'
        ),
        *("", "--b", "Content-Type: text/plain", "", "technical words", "--b"),
        *("Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example", ""),
        *(f"Final-Recipient: rfc822; {DOCTOR.address}", "Action: failed", "Status: 5.7.1"),
        *("Diagnostic-Code: smtp; 550 5.7.1 ended [reply.ended]", "--b--", ""),
    ]
    await site.deliver("\r\n".join(lines).encode())
    page = await alice.get(f"/messages/{newest(site)}")
    assert "n'a pas pu être remis" in page and "a mis fin à l&#39;échange" in page
    assert "<summary>Détails techniques</summary>" in page
    english = await alice.get(f"/messages/{newest(site)}", 200, **{"Accept-Language": "en"})
    assert "could not be delivered" in english and "ended the exchange" in english


async def test_an_attached_letter_is_read(site: Site, alice: Browser) -> None:
    await site.deliver(hostile.nested_messages(1))
    page = await alice.get(f"/messages/{ids(site)[0]}")
    assert "Message joint" in page
    path = re.search(r'href="(/messages/[0-9]+/piece/[0-9.]+/apercu)"', page)
    assert path and "niveau 0" in await alice.get(path[1])


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        (Signed("good", by="sender", name="Martin", given="Léa"), "ok", "Signé par"),
        (Signed("broken"), "warn", "modifié"),
        (Signed("untrusted", name="X"), "warn", "reconnaît"),
        (Signed("not_sender", name="Y"), "warn", "n'est pas l'expéditeur"),
        (Signed("unsupported"), "info", "rien ne prouve"),
        (Signed("unsupported", kind="encrypted"), "warn", "chiffré"),
    ],
)
def test_signatures_in_words(state: Signed, kind: str, words: str) -> None:
    seal = seal_of(state)
    assert seal is not None and seal.kind == kind and words in seal.text
    assert seal_of(None) is None


def test_lines_that_were_broken_are_put_together() -> None:
    flowed = "Un texte qui \nse suit.\n\n> cité \n> encore\n>> plus \n>> loin\nfin"
    assert plain.unflowed(flowed) == "Un texte qui se suit.\n\n> cité encore\n>> plus loin\nfin"
    assert plain.unflowed("a \nb", del_space=True) == "ab"
    assert plain.unflowed("x\n-- \nSig") == "x\n-- \nSig"


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        ("é€".encode("cp1252"), "iso-8859-1", "é€"),
        ("é".encode("cp1252"), "us-ascii", "é"),
        ("é".encode(), "us-ascii", "é"),
        ("é".encode(), "x-unknown", "é"),
        (b"\xef\xbb\xbf\xc3\xa9", "iso-8859-1", "é"),
        ("é".encode("utf-16"), "", "é"),
        (b"+AOk-", "utf-7", "é"),
        (b"a\0b", "utf-8", "a\ufffdb"),
        (b"\xff\xe9", "utf-8", "\ufffd\ufffd"),
        (b"abc", "rot13", "abc"),
    ],
)
def test_charsets_as_they_come(raw: bytes, charset: str, text: str) -> None:
    assert decoded(raw, charset) == text


def test_the_right_part_is_chosen() -> None:
    lines = (
        'Content-Type: multipart/mixed; boundary="m"||--m|Content-Type: multipart/alternative; boundary="a"|'
        '|--a|Content-Type: text/plain||plain|--a|Content-Type: multipart/related; boundary="r"||--r|'
        "Content-Type: text/html||<p>rich|--r--|--a--|--m|Content-Type: text/plain|"
        "Content-Disposition: attachment; filename=a.txt||file|--m|Content-Type: text/plain||footer|--m--|"
    )
    indexer = Indexer()
    indexer.feed(lines.replace("|", "\r\n").encode())
    root = indexer.close().root
    assert [one.media for one in chosen(root, rich=True)] == ["text/html", "text/plain"]
    assert [one.media for one in chosen(root, rich=False)] == ["text/plain", "text/plain"]
