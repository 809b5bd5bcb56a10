"""The signed list: what is believed is what was signed, by whom it must be."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

import annuaire
from annuaire import WhitelistEntry, WhitelistError
from annuaire.whitelist_xml import parse_document, read_entries
from store import Store
from tests.annuaire.annuaire_support import Signer, make_signer

SAMPLE = Path(__file__).resolve().parents[3] / "shared" / "data" / "mssante" / "whitelist_sample.xml"
AT = 1_740_757_327_000
DN_A = "CN=mss.a.fr,OU=1750099999,O=GIP A,ST=Paris (75),C=FR"
DN_B = 'CN=mss.b.fr,OU=1330781295,O="C.H. DE  B",L=Gironde (33),C=FR'
ENTRIES = [
    WhitelistEntry("hopital.mssante.fr", DN_A, "Domaine de l'hôpital", AT, "01, r@a.fr", "02, s@a.fr"),
    WhitelistEntry("hopital.mssante.fr", DN_B, "Domaine", AT),
    WhitelistEntry("UC-CMP.mssante.fr", DN_A, "Domaine", AT),
]
CN, OU = "alb.exemple.fr", "399999999900011"


@dataclass
class Verdict:
    ok: bool
    reason: str = ""


def accept(seen: list[list[bytes]] | None = None) -> Callable[[list[bytes]], Awaitable[Verdict]]:
    async def check(chain: list[bytes]) -> Verdict:
        if seen is not None:
            seen.append(chain)
        return Verdict(ok=True)

    return check


def signed(signer: Signer, at: int = AT, entries: list[WhitelistEntry] | None = None) -> bytes:
    return annuaire.sign_whitelist(ENTRIES if entries is None else entries, signer.key, signer.cert, at)


async def load(
    store: Store, path: Path, data: bytes, *, cn: str = CN, ou: str = OU, accept_older: bool = False
) -> annuaire.WhitelistReport:
    path.write_bytes(data)  # noqa: ASYNC240  # a test may wait
    return await annuaire.import_whitelist(
        store, path, accept(), signer_cn=cn, signer_ou=ou, accept_older=accept_older
    )


def rule_of(data: bytes) -> str:
    with pytest.raises(WhitelistError) as caught:
        annuaire.read_signed_list(data)
    return caught.value.rule


# -- reading and using ---------------------------------------------------------------------------


async def test_import_and_look_up(store: Store, signer: Signer, tmp_path: Path) -> None:
    report = await load(store, tmp_path / "w.xml", signed(signer))
    assert (report.entries, report.added, report.gone, report.generated_at) == (3, 3, 0, AT)
    allows = lambda domain, dn: store.read(annuaire.whitelist_allows, domain, dn)  # noqa: E731  # short
    assert allows("hopital.mssante.fr", DN_A)
    assert allows("HOPITAL.mssante.fr.", DN_A)
    assert allows("hopital.mssante.fr", "CN=mss.b.fr,OU=1330781295,O=C.H. DE  B,ST=Gironde (33),C=FR")
    assert allows("uc-cmp.mssante.fr", DN_A)
    assert not allows("uc-cmp.mssante.fr", DN_B)
    assert not allows("hopital.mssante.fr", "")
    assert not allows("autre.mssante.fr", DN_A)
    assert store.read(annuaire.domain_listed, "UC-CMP.mssante.fr")
    assert not store.read(annuaire.domain_listed, "mssante.fr")
    assert store.read(annuaire.whitelist_domains, DN_A) == ["hopital.mssante.fr", "uc-cmp.mssante.fr"]
    assert store.read(annuaire.whitelist_domains, "") == []
    entries = store.read(annuaire.whitelist_entries, "hopital.mssante.fr")
    assert [entry.dn for entry in entries] == [DN_A, DN_B]
    assert [entry.support for entry in entries] == ["", ""]  # contacts are personal data: not kept
    assert store.read(annuaire.whitelist_age, AT + 5_000) == 5_000


async def test_versions_follow_each_other(store: Store, signer: Signer, tmp_path: Path) -> None:
    assert store.read(annuaire.whitelist_status) is None
    assert store.read(annuaire.whitelist_age, AT) is None
    await load(store, tmp_path / "w.xml", signed(signer))
    report = await load(store, tmp_path / "w.xml", signed(signer, AT + 1000, ENTRIES[:1]))
    assert (report.entries, report.added, report.gone) == (1, 0, 2)
    assert not store.read(annuaire.domain_listed, "uc-cmp.mssante.fr")
    status = store.read(annuaire.whitelist_status)
    assert status is not None
    assert (status.version, status.generated_at, status.entries) == (report.version, AT + 1000, 1)
    kept = store.read(lambda conn: conn.exec_driver_sql("SELECT count(*) FROM whitelist_version").scalar())
    assert kept == 2


async def test_an_older_list_is_a_replay(store: Store, signer: Signer, tmp_path: Path) -> None:
    await load(store, tmp_path / "w.xml", signed(signer, AT + 1000, ENTRIES[:1]))
    with pytest.raises(WhitelistError) as caught:
        await load(store, tmp_path / "w.xml", signed(signer))
    assert caught.value.rule == "whitelist.older"
    assert not store.read(annuaire.domain_listed, "uc-cmp.mssante.fr")
    assert (await load(store, tmp_path / "w.xml", signed(signer), accept_older=True)).entries == 3


async def test_an_interrupted_import_leaves_the_old_list(
    store: Store, signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await load(store, tmp_path / "w.xml", signed(signer))
    many = [WhitelistEntry(f"d{number}.mssante.fr", DN_B) for number in range(4_100)]
    write, count = Store.write, 0

    def stop(self: Store, operation: object, **kwargs: object) -> object:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return write(self, operation, **kwargs)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(Store, "write", stop)
    listed = annuaire.read_signed_list(signed(signer, AT + 1, many))
    with pytest.raises(KeyboardInterrupt):
        annuaire.install(store, listed)
    monkeypatch.undo()
    assert store.read(annuaire.whitelist_allows, "hopital.mssante.fr", DN_A)
    assert not store.read(annuaire.domain_listed, "d0.mssante.fr")


# -- the signer ----------------------------------------------------------------------------------


async def test_the_signer_is_judged(store: Store, signer: Signer, stranger: Signer, tmp_path: Path) -> None:
    path = tmp_path / "w.xml"
    for data, cn, ou in (
        (signed(stranger), CN, OU),  # same CN, other OU
        (signed(signer), "other", OU),
        (signed(signer), CN, ""),
    ):
        with pytest.raises(WhitelistError) as caught:
            await load(store, path, data, cn=cn, ou=ou)
        assert caught.value.rule == "whitelist.signer"

    async def revoked(chain: list[bytes]) -> Verdict:
        assert chain == [signer.der]
        return Verdict(ok=False, reason="revoked")

    path.write_bytes(signed(signer))
    with pytest.raises(WhitelistError, match="revoked"):
        await annuaire.import_whitelist(store, path, revoked, signer_cn=CN, signer_ou=OU)
    with pytest.raises(WhitelistError) as caught:
        await annuaire.import_whitelist(store, tmp_path / "no", accept(), signer_cn=CN, signer_ou=OU)
    assert caught.value.rule == "whitelist.file"
    assert store.read(annuaire.whitelist_status) is None


async def test_the_chain_reaches_the_judge(
    store: Store, signer: Signer, stranger: Signer, tmp_path: Path
) -> None:
    seen: list[list[bytes]] = []
    data = annuaire.sign_whitelist(ENTRIES, signer.key, [signer.cert, stranger.cert], AT)
    (tmp_path / "w.xml").write_bytes(data)
    await annuaire.import_whitelist(store, tmp_path / "w.xml", accept(seen), signer_cn=CN, signer_ou=OU)
    assert seen == [[signer.der, stranger.der]]


def test_an_expired_signer() -> None:
    assert rule_of(signed(make_signer(CN, OU, days=(-30, -1)))) == "whitelist.certificate"


# -- the signature -------------------------------------------------------------------------------


def test_the_real_form(signer: Signer) -> None:
    data = signed(signer)
    root = parse_document(data)
    assert [etree.QName(child).localname for child in root] == [
        "DateDeGeneration",
        "ListeDomaines",
        "Signature",
    ]
    assert [etree.QName(child).localname for child in root[1][0]] == [
        "Nom", "Description", "DNCertificatOperateur", "ResponsableContact", "SupportContact", "DateMAJ",
    ]  # fmt: skip
    assert data.startswith(b'<?xml version="1.0" encoding="UTF-8"?><ListeBlancheMSSante xmlns=')
    # Base64 in lines that end in CR LF, written &#13; as the published file does, verifies too.
    wrap = lambda match: (  # noqa: E731  # used once
        match[1] + re.sub(rb"(.{76})", rb"\1&#13;\n", match[2].replace(b"\n", b"")) + match[3]
    )
    for name in (b"SignatureValue", b"X509Certificate"):
        data = re.sub(rb"(<%s>)(.*?)(</%s>)" % (name, name), wrap, data, flags=re.DOTALL)
    assert data.count(b"&#13;") > 10
    assert len(annuaire.read_signed_list(data).entries) == 3


def test_one_byte_changed(signer: Signer) -> None:
    data = signed(signer)
    for old, new in (
        (b"hopital.mssante.fr", b"hapital.mssante.fr"),
        (b"O=GIP A", b"O=GIP B"),
        (b"2025-02-28", b"2025-02-27"),
        (b"        <Domaine>", b"       <Domaine>"),
    ):
        assert old in data
        assert rule_of(data.replace(old, new, 1)) == "whitelist.signature"
    value = re.search(rb"<SignatureValue>(.)", data)
    assert value is not None
    other = b"A" if value[1] != b"A" else b"B"
    assert rule_of(data.replace(value[0], value[0][:-1] + other, 1)) == "whitelist.signature"


def test_every_changed_byte_is_refused_or_harmless(signer: Signer) -> None:
    data = signed(signer)
    entries = annuaire.read_signed_list(data).entries
    refused = 0
    for place in range(60, len(data), 97):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        try:
            # A bit of the certificate beside its key goes through here: check_signer refuses it.
            assert annuaire.read_signed_list(changed).entries == entries
        except WhitelistError:
            refused += 1
    assert refused > 25


def _signature(data: bytes) -> bytes:
    found = re.search(rb"<Signature .*</Signature>", data, re.DOTALL)
    assert found is not None
    return found[0]


EVIL = (
    b"<Domaine><Nom>evil.fr</Nom><Description/><DNCertificatOperateur>CN=evil,C=FR</DNCertificatOperateur>"
    b"<ResponsableContact/><SupportContact/><DateMAJ>2025-01-01T00:00:00Z</DateMAJ></Domaine>"
)


def test_forged_signatures(signer: Signer, stranger: Signer) -> None:
    data = signed(signer)
    sign = _signature(data)
    no_sign = data.replace(sign, b"")
    other = _signature(signed(stranger))
    key = base64.b64encode(stranger.der)
    forged = {
        "unsigned": no_sign,
        "twice": data.replace(sign, sign + sign),
        "a stranger's beside it": data.replace(sign, other + sign),
        "not last": data.replace(b"<ListeDomaines>", sign + b"<ListeDomaines>", 1).replace(
            sign + b"</ListeBlancheMSSante>", b"</ListeBlancheMSSante>"
        ),
        "nested": no_sign.replace(b"</Domaine>", sign + b"</Domaine>", 1),
        "after it": data.replace(sign, sign + b"<ListeDomaines>" + EVIL + b"</ListeDomaines>"),
        "another certificate": re.sub(
            rb"(<X509Certificate>).*(</X509Certificate>)", rb"\g<1>" + key + rb"\2", data, flags=re.DOTALL
        ),
        "URI": data.replace(b'URI=""', b'URI="#x"'),
        "no URI": data.replace(b' URI=""', b""),
        "xpath": data.replace(b"</Transforms>", b'<Transform Algorithm="x"/></Transforms>'),
        "one transform": re.sub(rb'<Transform Algorithm="[^"]*exc-c14n#"/>', b"", data),
        "hmac": data.replace(b"xmldsig-more#rsa-sha256", b"xmldsig-more#hmac-sha256"),
        "sha1": data.replace(b"xmldsig-more#rsa-sha256", b"xmldsig#rsa-sha1"),
        "no key": re.sub(rb"<KeyInfo>.*</KeyInfo>", b"", data, flags=re.DOTALL),
        "no certificate": re.sub(rb"<X509Certificate>.*</X509Certificate>", b"", data, flags=re.DOTALL),
        "junk certificate": re.sub(
            rb"(<X509Certificate>).*(</X509Certificate>)", rb"\1AAAA\2", data, flags=re.DOTALL
        ),
        "no base64": re.sub(
            rb"(<SignatureValue>).*(</SignatureValue>)", b"\\g<1>\xc3\xa9\\g<2>", data, flags=re.DOTALL
        ),
    }  # fmt: skip
    for name, document in forged.items():
        assert document != data, name
        assert rule_of(document) in ("whitelist.signature", "whitelist.certificate"), name


def test_signature_wrapping(signer: Signer) -> None:
    """The genuine document moved inside a forged one, the signature left valid for the inner one."""
    data = signed(signer)
    sign = _signature(data)
    inner = data.replace(b'<?xml version="1.0" encoding="UTF-8"?>', b"")
    genuine = inner.replace(sign, b"")
    head = (
        b'<ListeBlancheMSSante xmlns="https://listeblanche.mssante.fr/schema">'
        b"<DateDeGeneration>2030-01-01T00:00:00Z</DateDeGeneration><ListeDomaines>"
    )
    tail = b"</ListeDomaines>%s</ListeBlancheMSSante>"
    for extra in (
        inner,
        sign.replace(b"</Signature>", b"<Object>" + genuine + b"</Object></Signature>"),
        genuine + sign,
        sign.replace(b'URI=""', b'URI="#real"').replace(
            b"</Signature>", b"<Object Id='real'>" + genuine + b"</Object></Signature>"
        ),
    ):
        document = head + EVIL + tail % extra
        assert etree.fromstring(document) is not None
        assert rule_of(document) == "whitelist.signature"


def test_a_comment_cannot_cut_a_name(signer: Signer) -> None:
    """Exclusive C14N leaves comments out, so one may be added: the name must still be read whole."""
    data = signed(signer).replace(b"<Nom>hopital.mssante.fr", b"<Nom>hopital<!-- x -->.mssante.fr")
    assert b"<!-- x -->" in data
    assert [entry.domain for entry in annuaire.read_signed_list(data).entries] == [
        "hopital.mssante.fr", "hopital.mssante.fr", "uc-cmp.mssante.fr",
    ]  # fmt: skip


def test_a_signed_list_made_another_way_is_refused(signer: Signer) -> None:
    root = parse_document(signed(signer))
    root.remove(root[-1])
    other = XMLSigner(c14n_algorithm=CanonicalizationMethod.CANONICAL_XML_1_0)
    document = etree.tostring(other.sign(root, key=signer.key, cert=[signer.cert]))
    assert rule_of(document) == "whitelist.signature"


# -- the document --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prolog",
    [
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;">]>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        b"<!DOCTYPE x>",
    ],
)
def test_no_dtd_no_entities(signer: Signer, prolog: bytes) -> None:
    data = signed(signer)
    for document in (
        data.replace(b"?><Liste", b"?>" + prolog + b"<Liste", 1),
        data.replace(b"?><Liste", b"?>" + prolog + b"<Liste", 1).replace(b"Domaine de", b"&e;", 1),
        data.decode().replace('encoding="UTF-8"?>', 'encoding="UTF-16"?>' + prolog.decode()).encode("utf-16"),
    ):
        assert rule_of(document) == "whitelist.xml"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"<a/>",
        b"<ListeBlancheMSSante/>",
        b"\xff\xfe\x00",
        b"<a>" * 5_000,
        b'<ListeBlancheMSSante xmlns="https://listeblanche.mssante.fr/schema">',
    ],
)
def test_no_list_at_all(data: bytes) -> None:
    assert rule_of(data) == "whitelist.xml"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<Nom>hopital.mssante.fr</Nom>", b""),
        (b"<Nom>hopital.mssante.fr</Nom>", b"<Nom>hopital.mssante.fr</Nom><Nom>evil.fr</Nom>"),
        (b"<Nom>hopital.mssante.fr</Nom>", b"<Nom>not a domain</Nom>"),
        (b"<Nom>hopital.mssante.fr</Nom>", b"<Nom>hopital<b/>.mssante.fr</Nom>"),
        (b"2025-02-28T15:42:07Z", b"yesterday"),
        (DN_A.encode(), b" "),
    ],
)
def test_a_malformed_list_that_is_well_signed(signer: Signer, old: bytes, new: bytes) -> None:
    root = parse_document(signed(signer).replace(old, new, 1))
    root.remove(root[-1])
    with pytest.raises(WhitelistError) as caught:
        read_entries(root)
    assert caught.value.rule == "whitelist.xml"


def test_the_published_sample() -> None:
    if not SAMPLE.exists():
        pytest.skip("the shared reference data is not on this machine")
    data = SAMPLE.read_bytes()
    generated_at, entries = read_entries(parse_document(data))
    assert generated_at == AT
    assert len(entries) == 7
    assert len({(entry.domain, annuaire.fold_dn(entry.dn)) for entry in entries}) == 7
    # Its contacts were replaced: the signature is of the published shape and must not verify.
    assert rule_of(data) in ("whitelist.signature", "whitelist.certificate")
    with pytest.raises(WhitelistError, match="signature does not hold"):
        annuaire.read_signed_list(data, at=datetime(2025, 3, 1, tzinfo=UTC))
