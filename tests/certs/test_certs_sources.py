"""Lists and responders together: who is believed, who is asked, and when."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from asn1crypto import x509
from certs_fixtures import NOW, demanding
from revocation_support import AUTHORITY, DAY, HOLDER, HOUR, Party, World

from certs import CertVerdict, TrustStore
from certs.status import Status


class Book:
    """A responder that answers from a book: what it says of each serial, and only when it is asked."""

    def __init__(self, **answers: Status | str) -> None:
        self.answers = {int(serial[1:]): answer for serial, answer in answers.items()}
        self.held: dict[int, Status] = {}
        self.asked: list[int] = []
        self.offered: list[bytes] = []
        self.at_once = self.most = 0

    def known(self, certificate: x509.Certificate, issuer: x509.Certificate, at: int) -> Status | None:
        status = self.held.get(certificate.serial_number)
        return status if status is not None and at <= status.valid_until else None

    async def ask(self, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        self.asked.append(certificate.serial_number)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        answer = self.answers.get(certificate.serial_number, "no responder is named")
        if isinstance(answer, str):
            return answer
        self.held[certificate.serial_number] = answer
        return ""

    def offer(self, response: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> str:
        self.offered.append(response)
        if response != b"good":
            return "wrong key"
        self.held[certificate.serial_number] = _said("good")
        return ""


def _said(state: str, *, begin: int = NOW, end: int = NOW + HOUR, reason: str = "keyCompromise") -> Status:
    at = NOW - HOUR if state == "revoked" else 0
    return Status(
        state=state,  # type: ignore[arg-type]  # the parameters of the tests are such states
        this_update=begin,
        valid_until=end,
        revoked_at=at,
        reason=reason,
        responder="Book",
    )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _store(world: World, book: Book, *, prefer: str = "crl") -> TrustStore:
    settings = demanding(revocation={"prefer": prefer})
    return TrustStore.load(world.trust, settings=settings, responders=book, clock=lambda: NOW)


async def _judge(
    world: World, answer: Status | str | None, *, lists: bytes | None, prefer: str = "crl"
) -> tuple[CertVerdict, Book, Party]:
    holder = world.holder()
    if lists is not None:
        world.lists(a=lists)
    book = Book(**({} if answer is None else {f"s{holder.serial}": answer}))
    return await _store(world, book, prefer=prefer).check([holder.der], "client"), book, holder


async def test_a_good_list_needs_no_responder(world: World) -> None:
    verdict, book, _ = await _judge(world, _said("revoked"), lists=world.ca.crl())
    assert verdict.ok
    assert book.asked == []


@pytest.mark.parametrize(
    ("answer", "rule", "words"),
    [
        (_said("good"), "", ""),
        (_said("revoked"), "sender.revoked", "(keyCompromise)"),
        (_said("unknown"), "sender.revocation_unknown", "the responder Book does not know it"),
        ("it answered too late", "sender.revocation_unknown", "it answered too late"),
        (None, "sender.revocation_unknown", "no responder is named"),
    ],
    ids=["good", "revoked", "unknown", "late", "nobody to ask"],
)
async def test_asked_when_the_lists_cannot_tell(
    world: World, answer: Status | str | None, rule: str, words: str
) -> None:
    late = world.ca.crl(begin=NOW - 3 * DAY, end=NOW - HOUR)
    verdict, book, holder = await _judge(world, answer, lists=late)
    assert verdict.rule == rule
    assert words in verdict.reason
    assert book.asked == [holder.serial]
    if not rule:
        assert verdict.valid_until == NOW + HOUR
        assert any("says the responder Book" in check.detail for check in verdict.checks)


async def test_the_answer_is_kept_in_the_verdict(world: World) -> None:
    holder = world.holder()
    book = Book(**{f"s{holder.serial}": _said("good")})
    store = _store(world, book)
    first = await store.check([holder.der], "client")
    assert await store.check([holder.der], "client") is first
    assert book.asked == [holder.serial]
    assert store.check_sync([holder.der], "client") is first


async def test_sync_checks_ask_nobody(world: World) -> None:
    holder = world.holder()
    book = Book(**{f"s{holder.serial}": _said("good")})
    store = _store(world, book)
    assert store.check_sync([holder.der], "client").rule == "sender.revocation_unknown"
    assert (await store.check([holder.der], "client", at=NOW - HOUR)).rule == "sender.revocation_unknown"
    assert book.asked == []


async def test_every_certificate_that_needs_it_is_asked_about(world: World) -> None:
    """No list at all: the holder and two authorities, all at once."""
    below = Party("Below", world.ca, *AUTHORITY)
    holder = Party("Holder", below, *HOLDER)
    world.put("intermediates", "below", below.der)
    for path in (world.trust / "crls").iterdir():
        path.unlink()
    parties = [holder, below, world.ca]
    book = Book(**{f"s{party.serial}": _said("good") for party in parties})
    verdict = await _store(world, book).check([holder.der], "client")
    assert verdict.ok
    assert sorted(book.asked) == sorted(party.serial for party in parties)
    assert book.most == 3


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        (_said("revoked"), "sender.revoked"),
        (_said("revoked", begin=NOW - 2 * HOUR), "sender.revoked"),  # an older answer: revoked is for good
        (_said("revoked", reason="certificateHold"), "sender.revoked"),
        (_said("revoked", begin=NOW - 2 * HOUR, reason="certificateHold"), ""),  # lifted since
        (_said("good"), ""),
    ],
    ids=["revoked", "revoked before the list", "held", "held before the list", "good"],
)
async def test_a_known_revocation_wins_over_a_good_list(world: World, told: Status, rule: str) -> None:
    holder = world.holder()
    world.lists(a=world.ca.crl())  # an hour old
    book = Book()
    book.held[holder.serial] = told
    assert (await _store(world, book).check([holder.der], "client")).rule == rule


@pytest.mark.parametrize(
    ("answer", "rule"),
    [(_said("good"), ""), (_said("revoked"), "sender.revoked"), ("unreachable", "")],
    ids=["good", "revoked", "unreachable: the list tells"],
)
async def test_responders_first(world: World, answer: Status | str, rule: str) -> None:
    verdict, book, holder = await _judge(world, answer, lists=world.ca.crl(), prefer="ocsp")
    assert verdict.rule == rule
    assert holder.serial in book.asked
    assert world.ca.serial in book.asked
    if not rule:
        assert verdict.valid_until <= NOW + HOUR  # asked again before long


async def test_a_list_that_revokes_is_enough(world: World) -> None:
    holder = world.holder()
    world.lists(a=world.ca.crl((holder.serial, "superseded")))
    book = Book(**{f"s{holder.serial}": _said("good")})
    store = _store(world, book, prefer="ocsp")
    assert (await store.check([holder.der], "client")).rule == "sender.revoked"
    assert holder.serial not in book.asked


@pytest.mark.parametrize(
    ("stapled", "rule", "words", "asked"),
    [(b"good", "", "", 0), (b"other", "sender.revocation_unknown", "", 1)],
)
async def test_stapled(world: World, stapled: bytes, rule: str, words: str, asked: int) -> None:
    holder = world.holder()
    book = Book()
    store = _store(world, book)
    verdict = await store.check([holder.der], "client", stapled=stapled)
    assert verdict.rule == rule
    assert book.offered == [stapled]
    assert len(book.asked) == asked


async def test_a_staple_helps_where_the_verdict_known_was_a_refusal(world: World) -> None:
    holder = world.holder()
    store = _store(world, Book())
    assert not (await store.check([holder.der], "client")).ok
    assert (await store.check([holder.der], "client", stapled=b"good")).ok
    assert (await store.check([holder.der], "client")).ok
