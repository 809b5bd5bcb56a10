"""Keys that stay in their module: SoftHSM as the module, its token made by softhsm2-util for each test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from certs import DemoPki, KeyRefused
from certs.hsm import HsmSigner, TokenUri, parse_uri

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = "prenez garde 42"
pytestmark = pytest.mark.package("softhsm2-util")


@dataclass
class Module:
    """A SoftHSM of its own. :param folder: where its tokens and its PIN are."""

    folder: Path
    pki: DemoPki

    @property
    def pin(self) -> Path:
        return self.folder / "pin"

    def run(self, *words: str | Path) -> None:
        done = subprocess.run(
            ["softhsm2-util", *map(str, words)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def make_token(self, label: str) -> None:
        self.run("--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321")

    def put(self, name: str, *, label: str, token: str = "Signature", key_id: str = "01") -> None:
        key = load_pem_private_key(self.pki.paths(name)[1].read_bytes(), None)
        clear = self.folder / "clear.pem"
        clear.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.run("--import", clear, "--token", token, "--label", label, "--id", key_id, "--pin", PIN)
        clear.unlink()

    def uri(self, what: str, *, token: str = "Signature") -> str:
        return f"pkcs11:token={token};{what}?module-path={MODULE}&pin-source=file:{self.pin}"

    def signer(self, uri: str, name: str) -> HsmSigner:
        return HsmSigner(uri, self.pki.issued(name).chain)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory, shared: DemoPki) -> Iterator[Module]:
    """The library reads its configuration once in the life of a process: one folder for this file's tests."""
    folder = tmp_path_factory.mktemp("hsm")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(
        f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        made = Module(folder, shared)
        made.pin.write_text(PIN + "\n")
        made.make_token("Signature")
        made.put("whitelist-signer", label="rsa", key_id="01")
        made.put("doctor", label="ec", key_id="02")
        yield made


@pytest.mark.parametrize(
    ("what", "name", "algorithm"),
    [
        ("object=rsa", "whitelist-signer", "rsa-sha256"),
        ("object=ec", "doctor", "ecdsa-sha256"),
        ("id=%02", "doctor", "ecdsa-sha256"),
        ("object=rsa;id=%01;type=private", "whitelist-signer", "rsa-sha256"),
    ],
)
def test_openssl_verifies_what_the_module_signs(
    module: Module, tmp_path: Path, what: str, name: str, algorithm: str
) -> None:
    signer = module.signer(module.uri(what), name)
    data = b"Bien re\xc3\xa7u\r\n" * 20
    (tmp_path / "data").write_bytes(data)
    (tmp_path / "signature").write_bytes(signer.sign(data))
    public = load_der_x509_certificate(signer.chain[0]).public_key()
    (tmp_path / "public.pem").write_bytes(
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    assert signer.algorithm == algorithm
    verify = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "data"]
    done = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Verified OK")
    (tmp_path / "data").write_bytes(data + b"!")
    assert subprocess.run(verify, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    signer.close()


def test_many_threads_share_one_session(module: Module) -> None:
    signer = module.signer(module.uri("object=ec"), "doctor")
    public = load_der_x509_certificate(signer.chain[0]).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    messages = [f"message {number}".encode() for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        for message, signature in zip(messages, pool.map(signer.sign, messages), strict=True):
            public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    signer.close()


def test_it_logs_in_again_when_its_session_is_gone(module: Module) -> None:
    signer = module.signer(module.uri("object=rsa"), "whitelist-signer")
    signer._session.close()  # what a module does that was unplugged
    signature = signer.sign(b"again")
    public = load_der_x509_certificate(signer.chain[0]).public_key()
    public.verify(signature, b"again", padding.PKCS1v15(), hashes.SHA256())  # type: ignore[union-attr, call-arg, arg-type]
    signer.close()


def test_the_key_of_another_certificate(module: Module) -> None:
    with pytest.raises(KeyRefused, match="does not belong to the certificate"):
        module.signer(module.uri("object=ec"), "pharmacist")


def test_what_is_not_there(module: Module, tmp_path: Path) -> None:
    cases = {
        module.uri("object=autre"): "holds 0 private keys",
        module.uri("object=ec", token="Autre"): "0 tokens of that name",
        module.uri("object=ec").replace(str(MODULE), str(tmp_path / "none.so")): "none.so cannot be loaded",
        module.uri("object=ec").replace(
            str(module.pin), str(tmp_path / "nopin")
        ): "PIN cannot be read from nopin",
    }
    for uri, words in cases.items():
        with pytest.raises(KeyRefused, match=words):
            module.signer(uri, "doctor")


def test_two_keys_of_one_name(module: Module) -> None:
    module.put("gateway", label="twice", key_id="0a")
    module.put("hospital", label="twice", key_id="0b")
    with pytest.raises(KeyRefused, match="holds 2 private keys"):
        module.signer(module.uri("object=twice"), "gateway")
    module.signer(module.uri("object=twice;id=%0b"), "hospital").close()


def test_a_wrong_pin_is_tried_once_only(module: Module, tmp_path: Path) -> None:
    """Tokens lock themselves after a few wrong PINs."""
    right = module.signer(module.uri("object=ec"), "doctor")
    right._forget()
    wrong = tmp_path / "wrong"
    wrong.write_text("000000\n")
    right._uri = parse_uri(module.uri("object=ec").replace(str(module.pin), str(wrong)))  # type: ignore[misc]
    with pytest.raises(KeyRefused, match="refuses the PIN"):
        right.sign(b"x")
    wrong.write_text(PIN + "\n")
    with pytest.raises(KeyRefused, match="start again"):
        right.sign(b"x")
    module.signer(module.uri("object=ec"), "doctor").close()


def test_the_key_cannot_be_read_out(module: Module) -> None:
    import pkcs11

    signer = module.signer(module.uri("object=rsa"), "whitelist-signer")
    with pytest.raises(pkcs11.AttributeSensitive):
        _ = signer._key[pkcs11.Attribute.PRIVATE_EXPONENT]
    signer.close()
    secret = load_pem_private_key(module.pki.paths("whitelist-signer")[1].read_bytes(), None)
    number = secret.private_numbers().d  # type: ignore[union-attr]
    octets = number.to_bytes((number.bit_length() + 7) // 8)
    assert not any(octets in path.read_bytes() for path in module.folder.rglob("*") if path.is_file())


BASE = "pkcs11:token=T;object=O?module-path=/m.so&pin-source=/pin"


def test_uri() -> None:
    assert parse_uri(BASE) == TokenUri(module=Path("/m.so"), pin=Path("/pin"), token="T", label="O")
    full = (
        "pkcs11:serial=00%2F1;id=%00%ff%3B;object=cl%C3%A9;type=private?pin-source=file:/p%20q&module-path=/m"
    )
    assert parse_uri(full) == TokenUri(
        module=Path("/m"), pin=Path("/p q"), serial="00/1", label="clé", key_id=b"\x00\xff;"
    )


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:/key.pem", "begins with pkcs11:"),
        ("pkcs11:", "module-path must be"),
        (BASE.replace("token=T;", ""), "name the token"),
        (BASE.replace("object=O", "type=private"), "the key"),
        (BASE.replace("token=T", "token=T;token=U"), "stands twice"),
        (BASE.replace("token=T", "token=%zz"), "value of token"),
        (BASE.replace("token=T", "token=%ff"), "value of token"),
        (BASE.replace("token=T", "token="), "value of token"),
        (BASE.replace("object=O", "object=O;type=cert"), "type must be private"),
        (BASE.replace("object=O", "object=O;slot-id=1"), "slot-id is not understood"),
        (BASE + "&pin-value=1234", "does not belong into the settings"),
        (BASE.replace("/m.so", "m.so"), "module-path must be an absolute path"),
        (BASE.replace("/pin", "|echo 1234"), "pin-source must be an absolute path"),
    ],
)
def test_bad_uris(uri: str, words: str) -> None:
    with pytest.raises(KeyRefused, match=words) as caught:
        parse_uri(uri)
    assert caught.value.peer.isascii()
    assert "1234" not in caught.value.log


@given(st.text(max_size=80))
def test_any_uri_is_read_or_refused(text: str) -> None:
    for uri in (text, "pkcs11:" + text, BASE + text, BASE.replace("token=T", text)):
        try:
            assert isinstance(parse_uri(uri), TokenUri)
        except KeyRefused as error:
            assert error.peer.isascii()
