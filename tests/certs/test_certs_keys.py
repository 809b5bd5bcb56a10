"""Our keys and certificates on the disk: sealed, replaced at once, kept, brought back."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from certs_fixtures import NOW, Load
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given
from hypothesis import strategies as st

from certs import DemoPki, Issued, KeyPair, KeyRefused, KeySafe, Keystore, Role, Slot, examine, read_bundle
from certs.keys import PrivateKey, is_sealed
from certs.keystore_report import ending, standing_row, standings

DAY = 86_400_000
SECRET = b"un secret pour le test"


def openssl(*words: str | Path, data: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def no_passphrase(what: str) -> bytes:
    raise AssertionError(f"a passphrase of {what} was asked for")


def pair(pki: DemoPki, name: str) -> KeyPair:
    key = load_pem_private_key(pki.paths(name)[1].read_bytes(), None)
    assert isinstance(key, PrivateKey)
    return KeyPair.make(pki.issued(name).chain, key)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "tls").mkdir(parents=True)
    (folder / "master.key").write_text("ab" * 32)
    return folder


@pytest.fixture
def store(home: Path, clock: Clock) -> Keystore:
    tls = home / "tls"
    slots: dict[Role, Slot] = {
        "server": Slot(tls / "server.pem", tls / "server.key"),
        "sign": Slot(tls / "sign.pem", tls / "sign.pem"),
    }
    return Keystore(tls, slots, KeySafe.of(home), clock=clock)


Renew = Callable[..., Issued]


@pytest.fixture
def renew(pki: DemoPki) -> Renew:
    """Another certificate for the gateway's server."""

    def issue(name: str = "renewed", *, days: int = 1095, cn: str = "smtps.passerelle.test") -> Issued:
        return pki.issue_server(
            cn, "390000000000015", "PASSERELLE DEMONSTRATION", hosts=[cn], name=name, end=pki.now + days * DAY
        )

    return issue


# -- the safe


def test_a_sealed_key_is_what_openssl_understands(home: Path, pki: DemoPki) -> None:
    safe = KeySafe.of(home)
    sealed = safe.seal(pair(pki, "gateway").key)
    text = openssl("asn1parse", data=sealed).decode()
    assert "PBES2" in text
    assert "aes-256-cbc" in text
    opened = openssl("pkey", "-passin", f"pass:{safe.passphrase().decode()}", data=sealed)
    clear = openssl("pkey", "-in", pki.paths("gateway")[1])
    assert opened == clear
    wrong = subprocess.run(
        ["openssl", "pkey", "-passin", "pass:other"], input=sealed, capture_output=True, check=False
    )
    assert wrong.returncode != 0


def test_another_master_key_opens_nothing(home: Path, pki: DemoPki) -> None:
    sealed = KeySafe.of(home).seal(pair(pki, "gateway").key)
    (home / "master.key").write_text("cd" * 32)
    with pytest.raises(KeyRefused, match=r"does not open with the passphrase of master\.key"):
        KeySafe.of(home).open(sealed)


def test_the_passphrase_is_not_the_master_key(home: Path) -> None:
    first = KeySafe.of(home).passphrase()
    assert b"ab" * 8 not in first
    (home / "master.key").write_text("ab" * 31 + "ac")
    assert KeySafe.of(home).passphrase() != first


def test_passphrases_from_elsewhere(
    home: Path, pki: DemoPki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "phrase").write_bytes(SECRET + b"\n")
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "tls").write_bytes(SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    monkeypatch.setenv("OUR_PHRASE", SECRET.decode())
    key = pair(pki, "gateway").key
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET))
    for where in ("file:phrase", f"file:{home}/phrase", "env:OUR_PHRASE", "credential:tls"):
        assert KeySafe.of(home, where).open(sealed).public_key() == key.public_key()


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("file:none", "none cannot be read"),
        ("file:two", "one line"),
        ("file:empty", "one line"),
        ("env:NOT_THERE_AT_ALL", "NOT_THERE_AT_ALL"),
        ("credential:tls", "CREDENTIALS_DIRECTORY"),
    ],
)
def test_a_passphrase_that_is_not_there(
    home: Path, monkeypatch: pytest.MonkeyPatch, where: str, words: str
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (home / "two").write_text("a\nb\n")
    (home / "empty").write_text("\n")
    with pytest.raises(KeyRefused, match=words):
        KeySafe.of(home, where).passphrase()


@pytest.mark.parametrize("where", ["secret", "file:", "env:", "credential:../x", "pass:x"])
def test_no_such_place_for_a_passphrase(home: Path, where: str) -> None:
    with pytest.raises(KeyRefused):
        KeySafe.of(home, where)


def test_a_lent_key_is_never_clear_and_gone_afterwards(pki: DemoPki) -> None:
    seen: list[tuple[Path, bytes]] = []

    def use(certificate: Path, key: Path, passphrase: bytes) -> None:
        assert certificate == key
        assert key.parent.stat().st_mode & 0o077 == 0
        seen.append((key, key.read_bytes()))
        assert openssl("pkey", "-in", key, "-passin", f"pass:{passphrase.decode()}")

    pair(pki, "gateway").lend(use)
    path, data = seen[0]
    assert is_sealed(data)
    assert data.count(b"PRIVATE KEY-----") == 2  # one block
    assert not path.parent.exists()


# -- bundles


def test_every_form_of_a_bundle(pki: DemoPki, tmp_path: Path) -> None:
    certificate, key = pki.paths("gateway")
    ours = pair(pki, "gateway")
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(openssl("x509", "-in", certificate))

    def ask(_: str) -> bytes:
        return SECRET

    def pkcs12(*more: str) -> bytes:
        words = ("-export", "-in", certificate, "-inkey", key, "-passout", f"pass:{SECRET.decode()}")
        return openssl("pkcs12", *words, *more)

    sealed = openssl(
        "pkcs8", "-topk8", "-in", key, "-passout", f"pass:{SECRET.decode()}", "-v2", "aes-256-cbc"
    )
    old = openssl("ec", "-in", key, "-aes128", "-passout", f"pass:{SECRET.decode()}")
    assert b"DEK-Info" in old
    text = certificate.read_bytes()
    for data in (
        text + key.read_bytes(),
        key.read_bytes() + text,
        b"Bag Attributes\r\n    friendlyName: x\r\n" + text.replace(b"\n", b"\r\n") + key.read_bytes(),
        text + sealed,
        text + old,
        text + openssl("ec", "-in", key),
        pkcs12(),
        pkcs12(
            "-name", "serveur", "-macalg", "sha1", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES"
        ),
    ):
        bundle = read_bundle(data, ask)
        assert bundle.key is not None
        assert bundle.key.public_key() == ours.key.public_key()
        assert set(bundle.certificates) == set(ours.chain)
    ders = {
        openssl("x509", "-in", certificate, "-outform", "DER"): 1,
        openssl("crl2pkcs7", "-nocrl", "-certfile", certificate, "-outform", "DER"): 2,
    }
    for data, count in ders.items():
        assert len(read_bundle(data, no_passphrase).certificates) == count
    for data in (
        openssl("pkcs8", "-topk8", "-nocrypt", "-in", key, "-outform", "DER"),
        openssl("pkcs8", "-topk8", "-in", key, "-outform", "DER", "-passout", f"pass:{SECRET.decode()}"),
        openssl("ec", "-in", key, "-outform", "DER"),
    ):
        found = read_bundle(data, ask)
        assert found.key is not None
        assert found.certificates == ()


def test_bad_bundles(pki: DemoPki, tmp_path: Path) -> None:
    certificate, key = pki.paths("gateway")
    words = ("-export", "-in", certificate, "-inkey", key, "-passout", "pass:other")
    pkcs12 = openssl("pkcs12", *words)
    sealed = openssl("pkcs8", "-topk8", "-in", key, "-passout", "pass:other")
    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    short = openssl("genrsa", "-traditional", "1024")
    curve = openssl("ecparam", "-name", "secp256k1", "-genkey", "-noout")
    cases = {
        b"": "neither PEM",
        b"rubbish": "neither PEM",
        b"\x30\x82": "neither PEM",
        pkcs12: "its passphrase is another",
        pkcs12[:200]: "PKCS #12 file is damaged",
        sealed: "wrong passphrase",
        key.read_bytes() * 2: "several private keys",
        key.read_bytes().replace(b"\nM", b"\nA", 1): "damaged",
        other: "neither RSA nor",
        short: "1024 bits is too short",
        curve: "neither RSA nor",
        certificate.read_bytes().replace(b"\nMII", b"\nAAA", 1): "neither PEM",
        b"-----BEGIN X-----\n-----END X-----\n": "neither a certificate nor",
        b"x" * 2_000_000: "larger than",
    }
    for data, expected in cases.items():
        with pytest.raises(KeyRefused, match=expected):
            read_bundle(data, lambda _: SECRET)


@given(st.binary(max_size=300), st.integers(0, 6))
def test_any_bytes_are_read_or_refused(data: bytes, form: int) -> None:
    heads = (
        b"",
        b"\x30\x82\x01\x00\x02\x01\x03",
        b"\x30\x82\x01\x00\x02\x01\x00",
        b"\x30\x80\x30\x40\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05",
        b"-----BEGIN PRIVATE KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\n",
        b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02",
    )
    tails = {4: b"\n-----END PRIVATE KEY-----", 5: b"\n-----END CERTIFICATE-----"}
    try:
        bundle = read_bundle(heads[form] + data + tails.get(form, b""), lambda _: b"x")
    except KeyRefused as error:
        assert error.peer.isascii()
    else:
        assert bundle.key is not None or bundle.certificates


# -- the store


def test_install_and_replace(store: Keystore, pki: DemoPki, home: Path, renew: Renew) -> None:
    store.install("server", pair(pki, "gateway"))
    assert store.previous("server") is None
    assert not store.plain_keys()
    new = renew()
    store.install("server", pair(pki, new.name))
    assert store.current("server").chain == tuple(new.chain)
    before = store.previous("server")
    assert before is not None
    assert before.pair.chain == pair(pki, "gateway").chain
    assert [one.chain for one in store.others("server")] == [before.pair.chain]
    assert (home / "tls" / "server.key").stat().st_mode & 0o777 == 0o600
    states = [(held.role, held.state) for held in store.held()]
    assert states == [("server", "current"), ("server", "previous")]
    keys = [
        path for path in (home / "tls").rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()
    ]
    assert len(keys) == 3
    assert all(is_sealed(path.read_bytes()) for path in keys)


def test_one_file_may_hold_both(store: Keystore, pki: DemoPki, home: Path) -> None:
    store.install("sign", pair(pki, "whitelist-signer"))
    assert store.current("sign").chain == pair(pki, "whitelist-signer").chain
    assert (home / "tls" / "sign.pem").stat().st_mode & 0o777 == 0o600


def test_rollback_goes_back_and_forth(store: Keystore, pki: DemoPki, renew: Renew) -> None:
    store.install("server", pair(pki, "gateway"))
    with pytest.raises(KeyRefused, match="no previous"):
        store.rollback("server")
    new = renew()
    store.install("server", pair(pki, new.name))
    assert store.rollback("server").chain == pair(pki, "gateway").chain
    assert store.current("server").chain == pair(pki, "gateway").chain
    store.rollback("server")
    assert store.current("server").chain == tuple(new.chain)
    store.forget_previous("server")
    assert store.others("server") == []
    with pytest.raises(KeyRefused, match="no previous"):
        store.forget_previous("server")
    assert [held.state for held in store.held()] == ["current", "retired"]


def test_the_next_pair_waits_for_its_time(store: Keystore, pki: DemoPki, renew: Renew, clock: Clock) -> None:
    store.install("server", pair(pki, "gateway"))
    new = renew()
    store.install("server", pair(pki, new.name), active_from=NOW + DAY)
    assert store.current("server").chain == pair(pki, "gateway").chain
    assert [one.chain for one in store.others("server")] == [tuple(new.chain)]
    assert store.activate_due() == []
    clock.now += DAY
    assert store.activate_due() == ["server"]
    assert store.activate_due() == []
    assert store.current("server").chain == tuple(new.chain)
    assert [one.chain for one in store.others("server")] == [pair(pki, "gateway").chain]
    assert store.next("server") is None


def test_rollback_gives_up_the_next_pair_first(store: Keystore, pki: DemoPki, renew: Renew) -> None:
    store.install("server", pair(pki, "gateway"))
    store.install("server", pair(pki, renew().name), active_from=NOW + DAY)
    assert store.rollback("server").chain == pair(pki, "gateway").chain
    assert store.next("server") is None


def test_expired_pairs_are_forgotten(store: Keystore, pki: DemoPki, renew: Renew, clock: Clock) -> None:
    for name in ("a", "b"):
        store.install("server", pair(pki, renew(name, days=10).name))
    clock.now += 20 * DAY
    assert store.previous("server") is None
    store.install("server", pair(pki, renew("c").name))
    store.install("server", pair(pki, renew("d").name))
    kept = {held.pair.identity.serial for held in store.held()}
    assert kept == {pki.issued("c").serial, pki.issued("d").serial}
    assert len(list((store.folder / "history").iterdir())) == 2


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_crash_at_any_file_leaves_a_pair_that_works(
    store: Keystore, pki: DemoPki, renew: Renew, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Each file of an import is one rename; the power fails at the one of this number."""
    store.install("server", pair(pki, "gateway"))
    new = renew()
    done = 0
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        nonlocal done
        done += 1
        if done == step:
            raise OSError(5, "Input/output error")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    try:
        store.install("server", pair(pki, new.name))
        crashed = False
    except KeyRefused:
        crashed = True
    monkeypatch.undo()
    assert crashed == (done == step)
    shown = store.current("server").chain
    assert shown in (pair(pki, "gateway").chain, tuple(new.chain))
    assert crashed or shown == tuple(new.chain)
    store.install("server", pair(pki, new.name))  # again, and it goes through
    assert store.current("server").chain == tuple(new.chain)
    drafts = [path for path in store.folder.rglob(".*.*") if path.name != ".lock"]
    assert drafts == []


def test_files_put_by_hand(store: Keystore, pki: DemoPki, home: Path) -> None:
    certificate, key = pki.paths("gateway")
    seen = store.state()
    shutil.copyfile(certificate, home / "tls" / "server.pem")
    shutil.copyfile(key, home / "tls" / "server.key")
    assert store.state() != seen
    assert store.current("server").chain == pair(pki, "gateway").chain
    assert store.plain_keys() == [home / "tls" / "server.key"]
    assert store.protect() == [home / "tls" / "server.key"]
    assert store.plain_keys() == []
    assert is_sealed((home / "tls" / "server.key").read_bytes())
    assert (home / "tls" / "server.key").stat().st_mode & 0o777 == 0o600
    assert store.protect() == []
    assert store.current("server").chain == pair(pki, "gateway").chain
    both = home / "tls" / "sign.pem"
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    assert store.protect() == [both]
    assert store.current("sign").chain == pair(pki, "gateway").chain


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda tls: (tls / "server.pem").unlink(), r"server\.pem cannot be read"),
        (lambda tls: (tls / "server.key").unlink(), r"server\.key: cannot be read"),
        (lambda tls: (tls / "server.pem").write_text("x"), r"server\.pem"),
        (lambda tls: (tls / "server.key").write_text("x"), "no private key"),
        (lambda tls: (tls / "server.key").write_bytes((tls / "other.key").read_bytes()), "does not belong"),
    ],
)
def test_a_broken_pair_is_named(
    store: Keystore, pki: DemoPki, home: Path, break_it: Callable[[Path], object], words: str
) -> None:
    tls = home / "tls"
    for name, file in (("gateway", "server"), ("clinic", "other")):
        certificate, key = pki.paths(name)
        shutil.copyfile(certificate, tls / f"{file}.pem")
        shutil.copyfile(key, tls / f"{file}.key")
    break_it(tls)
    with pytest.raises(KeyRefused, match=words):
        store.current("server")


def test_a_role_without_files(store: Keystore, pki: DemoPki) -> None:
    with pytest.raises(KeyRefused, match="no files for the role client"):
        store.install("client", pair(pki, "gateway"))


def test_a_damaged_index_stops_changes(store: Keystore, pki: DemoPki, home: Path) -> None:
    store.install("server", pair(pki, "gateway"))
    (home / "tls" / "keystore.json").write_text("{")
    with pytest.raises(KeyRefused, match=r"keystore\.json"):
        store.install("server", pair(pki, "gateway"))
    assert store.current("server").chain == pair(pki, "gateway").chain


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(store: Keystore, pki: DemoPki, home: Path) -> None:
    (home / "tls").chmod(0o500)
    try:
        with pytest.raises(KeyRefused, match="cannot be written"):
            store.install("server", pair(pki, "gateway"))
    finally:
        (home / "tls").chmod(0o700)


# -- judging an import


def bundle_of(pki: DemoPki, name: str, key: str = "") -> bytes:
    return pki.paths(name)[0].read_bytes() + pki.paths(key or name)[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "key", "role", "failed", "words"),
    [
        ("gateway", "clinic", "server", "key", "does not belong"),
        ("expired", "", "server", "validity", "expired"),
        ("revoked", "", "server", "revocation", "revoked"),
        ("stranger", "", "server", "", "trusted"),
        ("doctor", "", "server", "usage", ""),
        ("gateway", "", "sign", "usage", ""),
    ],
)
def test_what_may_not_be_put_in_use(
    store: Keystore, pki: DemoPki, load: Load, name: str, key: str, role: Role, failed: str, words: str
) -> None:
    bundle = read_bundle(bundle_of(pki, name, key), no_passphrase)
    examined = examine(store, load(pki), bundle, role)
    assert not examined.ok
    refused = [check for check in examined.checks if not check.ok]
    assert refused
    assert not failed or any(failed in check.name for check in refused), refused
    assert any(words in check.detail for check in refused), refused


def test_what_may_be_put_in_use(store: Keystore, pki: DemoPki, load: Load, renew: Renew) -> None:
    trust = load(pki)
    leaf = openssl("x509", "-in", pki.paths("gateway")[0])  # without its intermediate
    bundle = read_bundle(leaf + pki.paths("gateway")[1].read_bytes(), no_passphrase)
    examined = examine(store, trust, bundle, "server", hostname="smtps.passerelle.test")
    assert examined.ok, examined.checks
    assert examined.pair is not None
    assert examined.pair.chain == pair(pki, "gateway").chain  # completed from the trust folder
    assert examined.before is None
    assert any("shown as a client" in note for note in examined.notes)
    store.install("server", examined.pair)
    again = examine(store, trust, bundle, "server")
    assert [check.detail for check in again.checks if not check.ok] == ["it is the one in use already"]
    new = renew(cn="autre.passerelle.test")
    other = examine(
        store,
        trust,
        read_bundle(bundle_of(pki, new.name), no_passphrase),
        "server",
        hostname="smtps.passerelle.test",
    )
    assert other.ok
    assert other.before is not None
    assert any("another subject" in note for note in other.notes)
    assert any("does not name smtps.passerelle.test" in note for note in other.notes)


def test_an_activation_after_the_end(store: Keystore, pki: DemoPki, load: Load) -> None:
    bundle = read_bundle(bundle_of(pki, "gateway"), no_passphrase)
    examined = examine(store, load(pki), bundle, "server", active_from=NOW + 4000 * DAY)
    assert [check.name for check in examined.checks if not check.ok] == ["activation"]


def test_half_a_bundle(store: Keystore, pki: DemoPki, load: Load) -> None:
    certificate, key = pki.paths("gateway")
    for data, words in ((certificate.read_bytes(), "no private key"), (key.read_bytes(), "no certificate")):
        examined = examine(store, load(pki), read_bundle(data, no_passphrase), "server")
        assert words in examined.checks[-1].detail
        assert not examined.ok


# -- how long they last


@pytest.mark.parametrize(
    ("days", "status", "level"),
    [
        (31, 0, ""),
        (30, 1, "notice"),
        (15, 1, "warning"),
        (8, 1, "warning"),
        (7, 2, "urgent"),
        (0, 2, "urgent"),
    ],
)
def test_how_long_they_last(
    store: Keystore, pki: DemoPki, renew: Renew, clock: Clock, days: int, status: int, level: str
) -> None:
    store.install("server", pair(pki, renew(days=100).name))
    clock.now += (100 - days) * DAY - 1000
    found, soon = ending(store)
    assert found == status
    assert [(one.level, one.days) for one in soon] == ([(level, days)] if level else [])


def test_expired_and_to_come(store: Keystore, pki: DemoPki, renew: Renew, clock: Clock) -> None:
    store.install("server", pair(pki, renew("a", days=100).name))
    store.install("server", pair(pki, renew("b", days=120).name), active_from=NOW + 50 * DAY)
    clock.now += 100 * DAY + 1
    assert store.activate_due() == ["server"]
    status, soon = ending(store)
    assert (status, [one.days for one in soon]) == (1, [19])  # the old one is no longer in use
    clock.now += 30 * DAY
    status, soon = ending(store)
    assert (status, soon[0].level) == (3, "expired")
    rows = [standing_row(one) for one in standings(store)]
    assert rows[0]["where"] == "tls/server.pem"
    assert rows[0]["key"] == "EC P-256"


def test_kinds_of_key(pki: DemoPki) -> None:
    assert pair(pki, "whitelist-signer").kind == "RSA 2048"
    assert isinstance(pair(pki, "gateway").key, ec.EllipticCurvePrivateKey)
    assert isinstance(pair(pki, "whitelist-signer").key, rsa.RSAPrivateKey)
