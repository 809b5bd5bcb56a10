"""Every fault of a responder that we know of: the clause it is given, and nothing wrong believed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from certs_ocsp import (
    DAY,
    HOUR,
    NOW,
    Handler,
    answer,
    basic_of,
    changed,
    delegate,
    http,
    issue,
    loaded,
    moment,
    packed,
    refusal,
    responder,
    responders,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from certs import DemoPki, Issued
from certs.ocsp import OcspResponders
from certs.status import Status

Make = Callable[["World"], bytes]


class World(msgspec.Struct, frozen=True):
    """A PKI with what the cases need."""

    pki: DemoPki
    leaf: Issued
    other: Issued
    delegates: dict[str, Issued]

    @property
    def issuer(self) -> bytes:
        return self.leaf.chain[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    pki = DemoPki.create(tmp_path_factory.mktemp("ocsp") / "pki", now=NOW)
    delegates = {
        "good": delegate(pki, "good"),
        "unmarked": delegate(pki, "unmarked", nocheck=False),
        "client": delegate(pki, "client", signing=False),
        "expired": delegate(pki, "expired", begin=NOW - 9 * DAY, end=NOW - DAY),
        "future": delegate(pki, "future", begin=NOW + DAY),
        "revoked": delegate(pki, "revoked"),
    }
    pki.revoke(delegates["revoked"])
    stranger = pki.stranger()
    delegates["stranger"] = delegate(stranger, "stranger")
    return World(pki, issue(pki, "leaf"), issue(pki, "other"), delegates)


def lists(revoked: Issued | None = None, covered: bool = True) -> Any:
    """What the revocation lists would say."""

    def say(certificate: Any, issuer: Any, at: int) -> str:
        if revoked is not None and certificate.serial_number == revoked.serial:
            return "revoked"
        return "good" if covered else "unknown"

    return say


def _altered(world: World) -> bytes:
    der = answer(world.pki, world.leaf.der)
    signature = basic_of(der)["signature"].native
    assert der.count(signature) == 1
    return der.replace(signature, signature[:-1] + bytes([signature[-1] ^ 1]))


def _changed_after_signing(world: World) -> bytes:
    """Revoked turned into good by somebody on the way."""
    basic = basic_of(answer(world.pki, world.leaf.der, status=ocsp.OCSPCertStatus.REVOKED))
    basic["tbs_response_data"] = basic_of(answer(world.pki, world.leaf.der))["tbs_response_data"]
    return packed(basic)


def _unsigned(world: World) -> bytes:
    basic = basic_of(answer(world.pki, world.leaf.der))
    basic["signature"] = b""
    return packed(basic)


def _with_algorithm(name: str) -> Make:
    def make(world: World) -> bytes:
        basic = basic_of(answer(world.pki, world.leaf.der))
        basic["signature_algorithm"] = {"algorithm": name}
        return packed(basic)

    return make


def _resigned(change: Callable[[Any], None]) -> Make:
    """Changed, and signed again by the authority itself."""

    def make(world: World) -> bytes:
        _, key = world.pki.authority("organisations")
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return changed(answer(world.pki, world.leaf.der), change, key=key)

    return make


def _twice(data: Any) -> None:
    data["responses"] = [data["responses"][0], data["responses"][0].copy()]


def _none(data: Any) -> None:
    data["responses"] = []


def _critical(data: Any) -> None:
    data["response_extensions"] = [{"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"}]


def _critical_inside(data: Any) -> None:
    extension = {"extn_id": "1.2.3.4", "critical": True, "extn_value": b"\x05\x00"}
    data["responses"][0]["single_extensions"] = [extension]


def _from_the_future(data: Any) -> None:
    data["produced_at"] = moment(NOW + DAY)


def _end_before_begin(data: Any) -> None:
    data["responses"][0]["next_update"] = moment(NOW - 2 * DAY)


_KEY = ec.generate_private_key(ec.SECP256R1())


def _by(name: str, **options: Any) -> Make:
    return lambda w: answer(w.pki, w.leaf.der, signer=w.delegates[name], **options)


# What the responder sends -> the clause that says why it is not believed.
WRONG: dict[str, tuple[Make, str]] = {
    "late": (
        lambda w: answer(w.pki, w.leaf.der, begin=NOW - 3 * DAY, end=NOW - DAY),
        r"it ended on \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
    ),
    "early": (
        lambda w: answer(w.pki, w.leaf.der, begin=NOW + HOUR, end=NOW + DAY),
        "it holds only from \\d{4}-",
    ),
    "no nextUpdate, old": (
        lambda w: answer(w.pki, w.leaf.der, begin=NOW - HOUR, end=None),
        "it dates from .* and has no nextUpdate",
    ),
    "produced in the future": (
        _resigned(_from_the_future),
        "it was produced on .*, in the future",
    ),
    "ends before it begins": (
        _resigned(_end_before_begin),
        "its nextUpdate is before its thisUpdate",
    ),
    "wrong key": (
        lambda w: answer(w.pki, w.leaf.der, key=_KEY),
        "its signature is not TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS's",
    ),
    "signed by the root": (
        lambda w: answer(w.pki, w.leaf.der, signer="racine"),
        "its signer is neither TEST AC .* nor a delegate it shows",
    ),
    "signed by a sister authority": (
        lambda w: answer(w.pki, w.leaf.der, signer="personnes", shown=[der_of(w.pki, "personnes")]),
        "its signer TEST AC IGC-SANTE ELEMENTAIRE PERSONNES may not sign answers",
    ),
    "altered signature": (_altered, "its signature is not TEST AC"),
    "changed after signing": (_changed_after_signing, "its signature is not TEST AC"),
    "unsigned": (_unsigned, "its signature is not TEST AC"),
    "sha-1 signature": (
        _with_algorithm("sha1_ecdsa"),
        "it is signed with sha1",
    ),
    "dsa signature": (_with_algorithm("sha256_dsa"), "it is signed with sha256"),
    "delegate that is not shown": (_by("good", shown=[]), "nor a delegate it shows"),
    "delegate without OCSPSigning": (
        _by("client"),
        r"its signer Repondeur client may not sign answers \(no OCSPSigning\)",
    ),
    "delegate expired": (_by("expired"), "its signer Repondeur expired expired on \\d{4}-"),
    "delegate not yet valid": (_by("future"), "its signer Repondeur future is not valid before \\d{4}-"),
    "delegate revoked": (_by("revoked"), "its signer Repondeur revoked is revoked"),
    "delegate of a stranger with our names": (
        _by("stranger"),
        "its signer Repondeur stranger was not issued by TEST AC",
    ),
    "delegate's name, another key": (
        _by("good", key=_KEY),
        "its signature is not Repondeur good's",
    ),
    "another serial": (lambda w: answer(w.pki, w.other.der), "it is about another certificate"),
    "another issuer": (
        lambda w: answer(w.pki, w.leaf.der, issuer="personnes", signer="personnes"),
        "it is about a certificate of another authority",
    ),
    "the same certificate twice": (
        _resigned(_twice),
        "it speaks of the certificate more than once",
    ),
    "no certificate at all": (_resigned(_none), "it says nothing of any certificate"),
    "a critical extension": (_resigned(_critical), r"critical extension 1\.2\.3\.4"),
    "a critical extension of the status": (
        _resigned(_critical_inside),
        r"critical extension 1\.2\.3\.4",
    ),
    "tryLater": (lambda _: refusal(ocsp.OCSPResponseStatus.TRY_LATER), "it says tryLater"),
    "malformedRequest": (
        lambda _: refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST),
        "it says malformedRequest",
    ),
    "internalError": (lambda _: refusal(ocsp.OCSPResponseStatus.INTERNAL_ERROR), "it says internalError"),
    "sigRequired": (lambda _: refusal(ocsp.OCSPResponseStatus.SIG_REQUIRED), "it says sigRequired"),
    "unauthorized": (lambda _: refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED), "it says unauthorized"),
    "truncated": (lambda w: answer(w.pki, w.leaf.der)[:-9], "it is not an OCSP response"),
    "something after the end": (
        lambda w: answer(w.pki, w.leaf.der) + b"\0",
        "it is not an OCSP response",
    ),
    "empty": (lambda _: b"", "it is not an OCSP response"),
    "a page": (lambda _: b"<html>sign in</html>", "it is not an OCSP response"),
    "the certificate itself": (lambda w: w.leaf.der, "it is not an OCSP response|it says|basic type"),
}


def der_of(pki: DemoPki, authority: str) -> bytes:
    return pki.authority(authority)[0].public_bytes(Encoding.DER)


async def _asked(world: World, ours: OcspResponders) -> tuple[str, Status | None]:
    leaf, issuer = loaded(world.leaf.der), loaded(world.issuer)
    said = await ours.ask(leaf, issuer)
    return said, ours.known(leaf, issuer, NOW)


@pytest.mark.parametrize("case", WRONG)
async def test_wrong_answers(world: World, case: str) -> None:
    make, clause = WRONG[case]
    async with responder(make(world)) as (url, questions):
        ours = responders(url)
        ours.consult(lists(world.delegates["revoked"]))
        said, known = await _asked(world, ours)
        assert re.search(clause, said), said
        assert said.startswith("the answer of the responder 127.0.0.1:"), said
        assert said.isascii()
        assert known is None
        assert await ours.ask(loaded(world.leaf.der), loaded(world.issuer)) == said
        assert len(questions) == 1, "a question that failed is not put again at once"
    stapled = OcspResponders.offer(ours, make(world), loaded(world.leaf.der), loaded(world.issuer))
    assert re.search(clause, stapled), stapled
    assert not stapled.startswith("the ")


RIGHT: dict[str, tuple[Make, Status]] = {
    "by the authority": (
        lambda w: answer(w.pki, w.leaf.der),
        Status(state="good", this_update=NOW - HOUR, valid_until=NOW + DAY),
    ),
    "by its key's digest": (
        lambda w: answer(w.pki, w.leaf.der, by=ocsp.OCSPResponderEncoding.HASH),
        Status(state="good", this_update=NOW - HOUR, valid_until=NOW + DAY),
    ),
    "named by SHA-256": (
        lambda w: answer(w.pki, w.leaf.der, identifier=hashes.SHA256()),
        Status(state="good", this_update=NOW - HOUR, valid_until=NOW + DAY),
    ),
    "by a delegate": (
        _by("good"),
        Status(state="good", this_update=NOW - HOUR, valid_until=NOW + DAY, responder="Repondeur good"),
    ),
    "by a delegate whom the lists know": (
        _by("unmarked"),
        Status(state="good", this_update=NOW - HOUR, valid_until=NOW + DAY, responder="Repondeur unmarked"),
    ),
    "by a delegate among other certificates": (
        lambda w: answer(
            w.pki,
            w.leaf.der,
            signer=w.delegates["good"],
            shown=[w.delegates["client"].der, w.delegates["good"].der, w.issuer],
        ),
        Status(state="good", this_update=NOW - HOUR, valid_until=NOW + DAY, responder="Repondeur good"),
    ),
    "no nextUpdate, new": (
        lambda w: answer(w.pki, w.leaf.der, begin=NOW - 1000, end=None),
        Status(state="good", this_update=NOW - 1000, valid_until=NOW - 1000 + 600_000),
    ),
    "a clock four minutes ahead": (
        lambda w: answer(w.pki, w.leaf.der, begin=NOW + 240_000),
        Status(state="good", this_update=NOW + 240_000, valid_until=NOW + DAY),
    ),
    "revoked": (
        lambda w: answer(
            w.pki,
            w.leaf.der,
            status=ocsp.OCSPCertStatus.REVOKED,
            revoked_at=NOW - 3 * DAY,
            reason=x509.ReasonFlags.ca_compromise,
        ),
        Status(
            state="revoked",
            this_update=NOW - HOUR,
            valid_until=NOW + DAY,
            revoked_at=NOW - 3 * DAY,
            reason="cACompromise",
        ),
    ),
    "revoked for no said reason": (
        lambda w: answer(w.pki, w.leaf.der, status=ocsp.OCSPCertStatus.REVOKED, revoked_at=NOW - DAY),
        Status(state="revoked", this_update=NOW - HOUR, valid_until=NOW + DAY, revoked_at=NOW - DAY),
    ),
    "unknown, held for a minute": (
        lambda w: answer(w.pki, w.leaf.der, status=ocsp.OCSPCertStatus.UNKNOWN),
        Status(state="unknown", this_update=NOW - HOUR, valid_until=NOW + 60_000),
    ),
}


@pytest.mark.parametrize("case", RIGHT)
async def test_right_answers(world: World, case: str) -> None:
    make, wanted = RIGHT[case]
    async with responder(make(world)) as (url, questions):
        ours = responders(url)
        ours.consult(lists())
        said, known = await _asked(world, ours)
    assert said == ""
    assert known is not None
    authority = "TEST AC IGC-SANTE ELEMENTAIRE ORGANISATIONS"
    # Of a delegate the certificate is held too, to look for on later lists.
    assert bool(known.delegate) is bool(wanted.responder)
    wanted = msgspec.structs.replace(wanted, responder=wanted.responder or authority, delegate=known.delegate)
    assert known == wanted
    assert len(questions) == 1
    assert ours.counts()["answered"] == 1


async def test_a_delegate_of_unknown_status_is_not_believed(world: World) -> None:
    async with responder(_by("unmarked")(world)) as (url, _):
        ours = responders(url)
        said, known = await _asked(world, ours)  # no lists at all
        assert said.endswith("the status of its signer Repondeur unmarked is unknown")
        assert known is None


async def test_reasons_are_spelt_as_in_rfc_5280(world: World) -> None:
    for reason in x509.ReasonFlags:
        if reason is x509.ReasonFlags.unspecified:
            continue
        made = answer(world.pki, world.leaf.der, status=ocsp.OCSPCertStatus.REVOKED, reason=reason)
        ours = responders()
        leaf, issuer = loaded(world.leaf.der), loaded(world.issuer)
        assert ours.offer(made, leaf, issuer) == ""
        known = ours.known(leaf, issuer, NOW)
        assert known is not None
        assert known.reason == reason.value


# -- what happens on the way -------------------------------------------------------------------


def _always(whole: bytes) -> Handler:
    async def handler(_head: bytes, _body: bytes) -> bytes:
        await asyncio.sleep(0)
        return whole

    return handler


TRANSPORT: dict[str, tuple[bytes, float, str]] = {
    "HTTP 500": (http(b"", "500 Internal Server Error"), 0, "answers with HTTP status 500"),
    "HTTP 404": (http(b"", "404 Not Found"), 0, "answers with HTTP status 404"),
    "redirect": (
        http(b"", "302 Found", "Location: http://127.0.0.1:9/\r\n"),
        0,
        "answers with HTTP status 302",
    ),
    "huge body": (http(bytes(200_000)), 0, "sends more than 65536 octets"),
    "endless body": (
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(4_000_000),
        0,
        "sends more than 65536 octets",
    ),
    "slow body": (http(bytes(2000)), 0.2, "does not answer within 1 s"),
    "no HTTP": (b"220 smtp.test ESMTP\r\n", 0, "gives no answer"),
    "connection closed": (b"", 0, "gives no answer"),
    "body cut short": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n0",
        0,
        "gives no answer",
    ),
}


@pytest.mark.parametrize("case", TRANSPORT)
async def test_transport(world: World, case: str) -> None:
    whole, slow, clause = TRANSPORT[case]
    async with responder(_always(whole), slow=slow) as (url, _):
        said, known = await _asked(world, responders(url, wait_s=1))
    assert clause in said
    assert known is None


async def test_unreachable(world: World) -> None:
    async with responder(b"") as (url, _):
        pass
    said, known = await _asked(world, responders(url))
    assert said == f"the responder {url.removeprefix('http://')} cannot be reached"
    assert known is None


@pytest.mark.parametrize("url", ["ldap://x/", "http://[::1", "http://127.0.0.1:99999/", "http://"])
async def test_odd_urls(world: World, url: str) -> None:
    said, known = await _asked(world, responders(url, wait_s=1))
    assert said.startswith("the responder ")
    assert known is None


async def test_without_a_responder(world: World) -> None:
    assert await _asked(world, responders()) == ("the certificate names no responder", None)
    assert (await _asked(world, responders("http://127.0.0.1:9/", ask=False)))[0] == (
        "responders are not asked here (ocsp.ask)"
    )
