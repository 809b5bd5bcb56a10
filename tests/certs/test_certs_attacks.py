"""What an attacker, a broken site or a full disk may try: no "no" becomes a yes, and the rest goes on."""

from __future__ import annotations

import importlib
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1_x509
from certs_fixtures import NOW, demanding
from certs_ocsp import NOW as PRESENT
from certs_ocsp import answer, delegate, issue, loaded, responders
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from revocation_support import AUTHORITY, DAY, HOLDER, HOUR, Party, World, directory
from typer.testing import CliRunner

from certs import (
    CrlRefused,
    DownloadError,
    ListFetcher,
    OnlineTrust,
    TrustError,
    TrustStore,
    demo_pki,
    download,
    http_client,
)
from certs import pki_profiles as shape
from certs.crl import Crl
from certs.identity import MAX_ATTRIBUTES, MAX_OCTETS, octets
from certs.settings import FILE_NAME, load_trust_settings
from commands.certs import app


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _rule(store: TrustStore, holder: Party) -> str:
    return store.check_sync([holder.der], "client").rule


# -- files of the folder that come, go and break -------------------------------------------------


@pytest.mark.parametrize("half", [b"", b"\x30\x82", b"rubbish", b"-----BEGIN X509 CRL-----\n!"])
def test_a_delta_list_that_breaks_still_revokes(world: World, half: bytes) -> None:
    """Half a copy must not make its base list speak alone."""
    holder = world.holder()
    revoking = world.ca.crl((holder.serial, "keyCompromise"), number=2, base=1)
    world.lists(base=world.ca.crl(number=1), delta=revoking)
    store = world.store()
    assert _rule(store, holder) == "sender.revoked"
    for _ in range(2):
        world.put("crls", "delta", half)
        store.reload()
        assert _rule(store, holder) == "sender.revoked"
        assert [problem.file for problem in store.problems] == ["delta"]
    (world.trust / "crls" / "delta").unlink()  # by hand: that is meant
    store.reload()
    assert _rule(store, holder) == ""


def test_an_older_delta_list_still_counts_after_a_reload(world: World) -> None:
    holder = world.holder()
    revoking = world.ca.crl((holder.serial, "keyCompromise"), number=2, base=1)
    world.lists(base=world.ca.crl(number=1), first=revoking, second=world.ca.crl(number=4, base=3))
    store = world.store()
    for _ in range(3):
        assert (_rule(store, holder), store.problems) == ("sender.revoked", [])
        store.reload()


def test_a_delta_list_whose_base_has_not_come_does_not_replace_one_that_serves(world: World) -> None:
    holder = world.holder()
    world.lists(base=world.ca.crl(number=1))
    store = world.store()
    store.import_crl(world.ca.crl((holder.serial, "keyCompromise"), number=2, base=1))
    newer = world.ca.crl(number=4, base=3)
    with pytest.raises(CrlRefused, match="continues list number 3, which is not in use yet"):
        store.import_crl(newer)
    assert _rule(store, holder) == "sender.revoked"
    store.import_crl(world.ca.crl((holder.serial, "keyCompromise"), number=3))
    assert store.import_crl(newer).number == 4


def test_an_older_list_beside_the_newer_one_is_no_problem(world: World) -> None:
    world.lists(old=world.ca.crl(number=1), new=world.ca.crl(number=2))
    store = world.store()
    store.reload()
    assert store.problems == []
    assert {crl.number for crl in store.crls if crl.label == "Authority"} == {2}


def test_a_list_of_tomorrow_does_not_replace_that_of_today(world: World) -> None:
    holder = world.holder()
    world.lists(today=world.ca.crl(number=1))
    store = world.store()
    with pytest.raises(CrlRefused, match="begins only on"):
        store.import_crl(world.ca.crl(number=2, begin=NOW + 3 * DAY, end=NOW + 9 * DAY))
    assert _rule(store, holder) == ""
    assert store.import_crl(world.ca.crl(number=2, begin=NOW + 200_000, end=NOW + DAY)).number == 2


@pytest.mark.parametrize("reason", ["keyCompromise", "superseded", "unspecified"])
def test_only_a_hold_is_lifted_by_a_delta_list(world: World, reason: str) -> None:
    holder = world.holder()
    lifting = world.ca.crl((holder.serial, "removeFromCRL"), number=2, base=1)
    world.lists(base=world.ca.crl((holder.serial, reason), number=1), delta=lifting)
    assert _rule(world.store(), holder) == "sender.revoked"
    world.lists(base=world.ca.crl((holder.serial, "certificateHold"), number=1), delta=lifting)
    assert _rule(world.store(), holder) == ""


def test_a_folder_that_may_not_be_read_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = world.holder()
    world.lists(base=world.ca.crl(number=1))
    store = world.store()

    def denied(path: Path) -> Iterator[Path]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", denied)
    with pytest.raises(TrustError, match="roots/ cannot be read: Permission denied"):
        store.reload()
    assert _rule(store, holder) == ""


def test_settings_nested_without_end(world: World) -> None:
    (world.trust / FILE_NAME).write_text("a=" + "[" * 100_000)
    with pytest.raises(TrustError, match="is not TOML"):
        load_trust_settings(world.trust)


@contextmanager
def _full_disk(octets_left: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets_left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_list(world: World, tmp_path: Path) -> None:
    holder = world.holder()
    world.lists()
    (world.trust / FILE_NAME).write_text('mode = "demo"\n')
    store = TrustStore.load(world.trust, clock=lambda: NOW)
    store.import_crl(world.ca.crl(number=1))
    before = {path.name: path.read_bytes() for path in (world.trust / "crls").iterdir()}
    newer = world.ca.crl((holder.serial, "keyCompromise"), number=2)
    with _full_disk(100), pytest.raises(TrustError, match="crls/ cannot be written: File too large"):
        store.import_crl(newer)
    assert {path.name: path.read_bytes() for path in (world.trust / "crls").iterdir()} == before
    assert _rule(store, holder) == ""
    (tmp_path / "new.crl").write_bytes(newer)
    with _full_disk(100):
        done = CliRunner().invoke(app, ["crl", "import", str(tmp_path / "new.crl"), "--home", str(tmp_path)])
    assert done.exit_code == 1
    assert "cannot be written" in done.output
    assert isinstance(done.exception, SystemExit)


def test_the_slower_of_two_reloads_does_not_bring_the_older_folder_back(world: World) -> None:
    world.lists(base=world.ca.crl(number=1))
    reading, go_on = threading.Event(), threading.Event()

    class Slow(TrustStore):
        def _read(self, previous):  # type: ignore[no-untyped-def]  # the snapshot is the module's own
            snapshot = super()._read(previous)
            if threading.current_thread().name == "slow":
                reading.set()
                assert go_on.wait(20)
            return snapshot

    store = Slow(world.trust, settings=demanding(), clock=lambda: NOW)
    slow = threading.Thread(target=store.reload, name="slow")
    other = threading.Thread(target=store.import_crl, args=[world.ca.crl(number=2)])
    slow.start()
    assert reading.wait(20)
    other.start()
    other.join(0.3)  # as long as it likes, were it not waiting for its turn
    go_on.set()
    slow.join(20)
    other.join(20)
    assert 2 in {crl.number for crl in store.crls}


# -- what is presented ---------------------------------------------------------------------------


def test_verdicts_are_kept_without_waiting_for_a_judgement(world: World) -> None:
    """They are looked up and kept in the event loop, while threads judge others."""
    world.lists(base=world.ca.crl(number=1))
    store, holder = world.store(), world.holder()
    verdict = store.check_sync([holder.der], "client")
    snapshot = store._snapshot
    with snapshot.lock:
        loop = threading.Thread(target=snapshot.keep, args=[b"key", verdict], daemon=True)
        loop.start()
        loop.join(20)
        assert not loop.is_alive()
        assert snapshot.cached(b"key") is verdict


def _named(count: int) -> x509.Name:
    units = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, f"u{n}") for n in range(count - 1)]
    return x509.Name([*units, x509.NameAttribute(NameOID.COMMON_NAME, "Long")])


def test_what_is_too_large_is_refused_before_it_is_read(world: World) -> None:
    store = world.store()
    names = x509.SubjectAlternativeName([x509.DNSName(f"a{n}.test") for n in range(3000)])
    large = Party("Large", world.ca, *HOLDER, (names, False))
    assert len(large.der) > MAX_OCTETS
    verdict = store.check_sync([large.der], "client")
    assert (verdict.rule, verdict.reason) == (
        "sender.certificate",
        f"The certificate cannot be read: it is larger than {MAX_OCTETS} octets",
    )


@pytest.mark.parametrize("whose", ["subject", "issuer"])
def test_a_name_without_end_is_refused(world: World, whose: str) -> None:
    store, party = world.store(), Party("Long", world.ca, *HOLDER)
    for count, refused in ((MAX_ATTRIBUTES, False), (MAX_ATTRIBUTES + 1, True)):
        issuer = Party("Long", None)
        (party if whose == "subject" else issuer).name = _named(count)
        der = party.certified(issuer).public_bytes(Encoding.DER)
        reason = store.check_sync([der], "client").reason
        assert (f"a name in it has more than {MAX_ATTRIBUTES} attributes" in reason) is refused


# -- roots: taken at their word ------------------------------------------------------------------


def _below(folder: Path, *extensions: tuple[x509.ExtensionType, bool]) -> tuple[str, str]:
    """The rule and reason for a holder two authorities below a root with these extensions."""
    world = World(folder)
    world.root = Party("Root", None, *extensions)
    world.ca = Party("Authority", world.root, *AUTHORITY)
    world.put("roots", "root", world.root.der)
    world.put("intermediates", "ca", world.ca.der)
    world.lists(ca=world.ca.crl())
    verdict = world.verdict(world.holder())
    return verdict.rule, verdict.reason


def test_what_a_root_says_of_the_paths_below_it_holds(tmp_path: Path) -> None:
    usage = shape.key_usage(authority=True)

    def basic(length: int | None) -> tuple[x509.ExtensionType, bool]:
        return x509.BasicConstraints(ca=True, path_length=length), True

    def names(permitted: str | None, excluded: str | None = None) -> tuple[x509.ExtensionType, bool]:
        given = [None if cn is None else directory(cn) for cn in (permitted, excluded)]
        return x509.NameConstraints(*given), True

    assert _below(tmp_path / "1", basic(1), usage) == ("", "")
    assert _below(tmp_path / "2", basic(None), usage, names(None, "Nobody")) == ("", "")
    rule, reason = _below(tmp_path / "3", basic(0), usage)
    assert (rule, "path length" in reason) == ("sender.certificate", True), reason
    rule, reason = _below(tmp_path / "4", basic(None), usage, names("Somebody"))
    assert (rule, "namespace" in reason) == ("sender.certificate", True), reason
    rule, reason = _below(tmp_path / "5", basic(None), usage, names(None, "Authority"))
    assert (rule, "namespace" in reason) == ("sender.certificate", True), reason


def test_a_holder_among_the_roots_issues_nothing(tmp_path: Path) -> None:
    rule, reason = _below(tmp_path / "1", *HOLDER)
    assert (rule, reason) == ("sender.certificate", "The root Root is not an authority's certificate")
    signs_nothing = (x509.BasicConstraints(ca=True, path_length=None), True), shape.key_usage(signature=True)
    assert _below(tmp_path / "2", *signs_nothing) == (rule, reason)
    assert _below(tmp_path / "3") == (rule, reason), "it has no basicConstraints at all"


# -- octets --------------------------------------------------------------------------------------


def test_the_octets_signed_are_those_that_came() -> None:
    """A length that ends with 0x80 makes asn1crypto encode anew: slow for a list, and not always the same."""
    value = b"\x06\x03\x2a\x03\x04" + b"\x01\x01\x01" + b"\x04\x76" + bytes(0x76)
    der = b"\x30\x81\x80" + value
    extension = asn1_x509.Extension.load(der)
    assert extension["critical"].native is True
    assert octets(extension) == der
    assert octets(asn1_x509.Extension.load(der)["critical"]) == b"\x01\x01\x01"


def test_a_list_whose_length_looks_indefinite(world: World) -> None:
    authorities = world.store()._snapshot.authorities
    seen = 0
    for count in range(300):
        more = x509.IssuerAlternativeName([x509.DNSName("x" * (200 + count))])
        der = world.ca.crl((1 << 60, "superseded"), more=[(more, False)])
        frame = asn1_crl.CertificateList.load(der)["tbs_cert_list"]
        assert octets(frame) in der
        seen += frame._header[-1] == 0x80
        assert len(Crl(der, authorities).revoked) == 1
    assert seen


# -- sites that fetchers meet --------------------------------------------------------------------


def test_an_address_that_is_none_does_not_keep_the_others_from_being_asked(world: World) -> None:
    bad = ["http://[x/", "http://h:99999/", f"http://{'a' * 70}.test/", "http://x/\x00", "http://", "\x00"]
    store = world.store(demanding(lists={"urls": [*bad, "ldap://x/"]}))
    outcomes = {one.url: one.outcome for one in ListFetcher(store).refresh()}
    assert list(outcomes) == [*bad, "ldap://x/"]
    assert set(outcomes.values()) == {"unreachable", "unsupported"}


def test_a_site_that_never_ends_its_header_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("certs.download"), "DEADLINE_S", 0.5)
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(b"HTTP/1.1 200 OK\r\nx: ")
                while not stop.wait(0.05):
                    peer.sendall(b"x")

        site = threading.Thread(target=drip)
        site.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/list.crl"
        with http_client() as client, pytest.raises(DownloadError, match=r"within 0\.5 s"):
            download(client, url, limit=100)
        stop.set()
        site.join(20)


# -- responders ----------------------------------------------------------------------------------


def test_no_answer_undoes_a_revocation_for_good(tmp_path: Path) -> None:
    pki = demo_pki(tmp_path / "pki", now=PRESENT)
    leaf = issue(pki, "leaf", "http://responder.test")
    pair = loaded(leaf.der), loaded(leaf.chain[1])

    def after(*said: tuple[str, int]) -> str | None:
        book = responders()
        for state, begin in said:
            revoked = state != "good"
            body = answer(
                pki,
                leaf.der,
                status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
                reason=x509.ReasonFlags(state) if revoked else None,
                begin=PRESENT - begin * HOUR,
            )
            assert book.offer(body, *pair) == ""
        known = book.known(*pair, PRESENT)
        return None if known is None else known.state

    assert after(("keyCompromise", 5), ("good", 1)) == "revoked"
    assert after(("good", 1), ("keyCompromise", 5)) == "revoked"
    assert after(("certificateHold", 5), ("good", 1)) == "good"
    assert after(("certificateHold", 1), ("good", 5)) == "revoked"
    # At the same moment: whoever replays must not gain by it.
    assert after(("certificateHold", 1), ("good", 1)) == "revoked"
    assert after(("good", 1), ("certificateHold", 1)) == "revoked"


def test_the_answers_of_a_delegate_end_with_him(tmp_path: Path) -> None:
    pki = demo_pki(tmp_path / "pki", now=PRESENT)
    leaf = issue(pki, "leaf", "http://responder.test")
    other = issue(pki, "other", "http://responder.test")
    first, second = delegate(pki, "first"), delegate(pki, "second")
    trust = OnlineTrust(pki.trust, clock=lambda: PRESENT)
    for one, signer in ((leaf, first), (other, second)):
        body = answer(pki, one.der, signer=signer)
        assert trust.ocsp.offer(body, loaded(one.der), loaded(one.chain[1])) == ""

    def known() -> list[bool]:
        pairs = [(loaded(one.der), loaded(one.chain[1])) for one in (leaf, other)]
        return [trust.ocsp.known(*pair, PRESENT) is not None for pair in pairs]

    trust.reload()
    assert known() == [True, True]
    pki.revoke(first)
    pki.write_crls()
    trust.reload()
    assert known() == [False, True]


@pytest.mark.parametrize("unused", [1, 7])
def test_unused_bits_of_a_signature_are_refused(world: World, unused: int) -> None:
    """Decoders drop them: other bytes would pass for the certificate."""
    world.lists(base=world.ca.crl(number=1))
    holder = world.holder()
    store = world.store()
    assert store.check_sync([holder.der], "client").ok
    der = bytearray(holder.der)
    place = len(der) - len(asn1_x509.Certificate.load(holder.der)["signature_value"].contents)
    assert der[place] == 0
    der[place] = unused
    verdict = store.check_sync([bytes(der)], "client")
    assert (verdict.ok, verdict.rule) == (False, "sender.certificate")
