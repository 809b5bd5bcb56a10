"""What an adversary tries beside the pages: numbers and charsets that are none, side ways to hidden mail."""

from __future__ import annotations

import re
import threading

import pytest
from markupsafe import Markup

from store import mail
from store.mail import SEEN
from tests.webmail.web_kit import ALICE, COLLEAGUE, DOCTOR, NOE, Browser, Site, form_key, hide, letter
from tests.webmail.writing_kit import arrived, entries, outgoing, submit, typed
from webmail.mail import preview
from webmail.mail.letter import as_page
from webmail.turn import Turn


@pytest.mark.parametrize("length", [19, 20, 4300, 4301, 6000])
async def test_a_number_of_any_length_leads_nowhere(alice: Browser, length: int) -> None:
    number = "9" * length
    for path in (f"/documents/{number}", f"/messages/{number}.eml", f"/messages/{number}/piece/1"):
        await alice.get(path, 404)


@pytest.mark.parametrize("charset", ["undefined", "idna", "zlib", "utf-16", "utf-7", "none-such"])
async def test_a_form_in_no_charset_is_refused_and_breaks_nothing(alice: Browser, charset: str) -> None:
    part = b'--a\r\nContent-Disposition: form-data; name="_cle"\r\n\r\n\xff\r\n--a--\r\n'
    kind = {"Content-Type": f"multipart/form-data; boundary=a; charset={charset}"}
    answer = await alice.client.post("/affichage", content=part, headers=kind)
    assert answer.status_code in (400, 403)


@pytest.mark.parametrize("day", ["0001-01-01", "1850-06-01", "9999-12-31"])
async def test_a_moment_before_all_calendars_is_a_fault(alice: Browser, day: str) -> None:
    page = await alice.get(f"/droits/professionnel?id={DOCTOR.id_nat}&le={day}&a=00:00", 422)
    assert "EXEMPLE" in page


async def test_whom_only_hidden_letters_name_is_not_offered_to_write_to(site: Site) -> None:
    await arrived(site, to=NOE)
    secret = await arrived(site, letter("Entre nous", to=NOE, sender=COLLEAGUE), to=NOE, sender=COLLEAGUE)
    parent = await site.signed_in(ALICE, space=NOE)
    page = await parent.get("/ecrire")
    assert "COLLEGUE" in page and "EXEMPLE" in page
    hide(site, secret)
    page = await parent.get("/ecrire")
    assert "COLLEGUE" not in page
    assert "Camille EXEMPLE" in page


async def test_a_form_names_nobody_whose_letters_are_hidden(site: Site) -> None:
    """The rules' answer about an address that is typed in would tell whether he wrote."""
    number = await arrived(site, to=NOE)
    secret = await arrived(site, letter("Entre nous", to=NOE, sender=COLLEAGUE), to=NOE, sender=COLLEAGUE)
    hide(site, secret)
    parent = await site.signed_in(ALICE, space=NOE)
    path = f"/messages/{number}/repondre"
    page = await parent.get(path)
    told = await submit(parent, path, page, a=COLLEAGUE.address, texte="Est-ce vous ?", status=422)
    assert "COLLEGUE" not in told.text
    assert "pas de destinataire" in told.text
    assert outgoing(site, NOE) == []
    await submit(parent, path, page, texte="Merci docteur.")
    (sent,) = outgoing(site, NOE)
    assert sent["To"].addresses[0].addr_spec == DOCTOR.address


async def test_a_long_attached_letter_is_set_beside_the_event_loop(
    site: Site, alice: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def seen(turn: Turn, text: str) -> tuple[Markup, bool]:
        threads.append(threading.get_ident())
        return as_page(turn, text)

    monkeypatch.setattr(preview, "as_page", seen)
    within = letter("Dedans", "Texte joint")
    raw = letter(attachments=(("lettre.eml", "application/octet-stream", within),))
    number = await arrived(site, raw.replace(b"application/octet-stream", b"message/rfc822"))
    await alice.client.get(f"/messages/{number}/piece/2/apercu")
    assert threads
    assert threading.get_ident() not in threads


async def test_undoing_touches_nothing_that_is_hidden_and_tells_nothing_of_it(site: Site) -> None:
    """What undoes a change names numbers that anybody can count up."""
    secret = await arrived(site, letter("Entre nous", to=NOE, sender=COLLEAGUE), to=NOE, sender=COLLEAGUE)
    site.store.write(mail.mark_messages, box_id=site.box(NOE), message_ids=[secret], mode="add", flags=SEEN)
    hide(site, secret)
    (before,) = entries(site, who=NOE)
    parent = await site.signed_in(ALICE, space=NOE)
    bin_ = site.store.read(mail.special_folder, site.box(NOE), "\\Trash")
    assert bin_ is not None
    for what, origin in (("lu", 0), ("place", bin_.folder_id)):
        where = f"/messages/annuler?quoi={what}&ou={mail.INBOX_ID}-{before.modseq}-{origin}"
        answer = await parent.post(where, page="/messages")
        assert "plus rien à annuler" in await parent.after(answer)
        assert entries(site, who=NOE) == [before]


async def test_a_quotation_says_what_the_letter_says_and_takes_no_time(site: Site, alice: Browser) -> None:
    """Tags that never end kept a regular expression busy for half a minute, and everybody waiting."""
    html = "<head><title>Titre</title></head><p>Bonjour Alice</p>" + "<br " * 60_000
    raw = letter("Long").replace(b"text/plain", b"text/html").partition(b"\r\n\r\n")[0]
    number = await arrived(site, raw + b"\r\n\r\n" + re.sub("(.{70})", "\\1\r\n", html).encode() + b"\r\n")
    page = await alice.get(f"/messages/{number}/repondre")
    assert typed(page) == ""
    assert "Bonjour Alice" in page
    assert "Titre" not in page
    assert form_key(page)
