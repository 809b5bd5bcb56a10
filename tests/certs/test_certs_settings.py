"""Trust settings: read strictly, production by default, what a home relaxes named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from certs_fixtures import NOW, Load, demanding

from certs import DemoPki, TrustError, TrustSettings, TrustStore, load_trust_settings, trust_settings_text


def test_without_a_file_it_is_production(tmp_path: Path) -> None:
    settings = load_trust_settings(tmp_path)
    assert settings.mode == "production"
    assert settings.relaxations() == []
    assert settings.accepted_categories == {"prod", "unknown"}
    assert settings.demands().startswith(
        "production: any root in roots/; any policies; categories prod, unknown"
    )


@pytest.mark.parametrize("mode", ["production", "demo"])
def test_the_text_written_is_what_holds(tmp_path: Path, mode: str) -> None:
    text = trust_settings_text(mode)
    (tmp_path / "trust.toml").write_text(text)
    assert load_trust_settings(tmp_path) == TrustSettings.model_validate({"mode": mode})
    # Every value shown is the default: with the comments taken away nothing changes.
    shown = [
        line.removeprefix("# ") for line in text.splitlines() if re.match(r"\[|(# )?[a-z_0-9]+ = ", line)
    ]
    (tmp_path / "trust.toml").write_text("\n".join(line for line in shown if not line.endswith("…")))
    assert load_trust_settings(tmp_path) == TrustSettings.model_validate({"mode": mode})
    assert tomllib.loads(text)["mode"] == mode


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('mood = "demo"', "mood: Extra inputs are not permitted"),
        ('mode = "test"', "mode: Input should be 'production' or 'demo'"),
        ("[revocation]\nstale = 3", "revocation.stale: Extra inputs are not permitted"),
        ("[revocation]\nstaleness_s = -1", "revocation.staleness_s"),
        ("[revocation]\nclock_tolerance_s = 86400", "revocation.clock_tolerance_s"),
        ('[policies]\naccepted = ["any"]', "policies.accepted.0: Value error, must be an object identifier"),
        ('[roots]\nsha256 = ["ab"]', "roots.sha256.0: Value error, must be the sha256"),
        ('[categories]\naccepted = ["test"]', "test certificates are for mode"),
        ('[algorithms]\ndigests = ["sha1"]', "sha1 is for mode"),
        ("[algorithms]\nrsa_bits = 1024", "are for demo"),
        ("mode =", "is not TOML"),
        ("\x00", "is not TOML"),
    ],
)
def test_refused_with_the_key(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "trust.toml").write_text(text)
    with pytest.raises(TrustError) as raised:
        load_trust_settings(tmp_path)
    assert raised.value.log.startswith("trust.toml")
    assert words in raised.value.log


def test_test_certificates_are_refused_in_production(shared: DemoPki) -> None:
    chain = shared.issued("hospital").chain
    production = TrustStore.load(shared.trust, settings=TrustSettings(), clock=lambda: NOW)
    verdict = production.check_sync(chain, "client")
    assert (verdict.rule, verdict.ok) == ("sender.certificate", False)
    assert verdict.reason == "Certificates of the test category are refused in production mode"
    assert verdict.checks[-1].name == "category"
    assert TrustStore.load(shared.trust, clock=lambda: NOW).check_sync(chain, "client").ok


def test_pinned_roots(shared: DemoPki) -> None:
    (root,) = TrustStore.load(shared.trust).roots
    pinned = demanding(roots={"sha256": [root.sha256.hex().upper()]})
    assert TrustStore.load(shared.trust, settings=pinned).roots
    with pytest.raises(TrustError, match=r"which roots\.sha256 does not name"):
        TrustStore.load(shared.trust, settings=demanding(roots={"sha256": ["00" * 32]}))


def test_policies_of_a_purpose(shared: DemoPki, load: Load) -> None:
    elsewhere = load(shared, settings=demanding(policies={"sign": ["1.2.3"]}))
    assert elsewhere.check_sync(shared.issued("hospital").chain, "client").ok
    refused = elsewhere.check_sync(shared.issued("whitelist-signer").chain, "sign")
    assert (refused.rule, refused.checks[-1].name) == ("sender.certificate", "policy")


def test_key_sizes(shared: DemoPki, load: Load) -> None:
    strong = load(shared, settings=demanding(algorithms={"rsa_bits": 3072}))
    assert strong.check_sync(shared.issued("hospital").chain, "client").ok
    refused = strong.check_sync(shared.issued("whitelist-signer").chain, "sign")  # RSA-2048
    assert "a key of 2048 bits is too small (rsa, 3072 demanded)" in refused.reason


def test_reload_reads_the_settings_again(pki: DemoPki) -> None:
    store = TrustStore.load(pki.trust, clock=lambda: NOW)
    chain = pki.issued("hospital").chain
    assert store.check_sync(chain, "client").ok
    (pki.trust / "trust.toml").write_text(trust_settings_text())
    store.reload()
    assert not store.check_sync(chain, "client").ok
    (pki.trust / "trust.toml").write_text("rubbish")
    with pytest.raises(TrustError):
        store.reload()
    assert store.settings.mode == "production"


def test_relaxations_are_named() -> None:
    found = demanding(
        algorithms={"digests": ["sha1", "sha256"], "rsa_bits": 1024, "ec_bits": 192},
        revocation={"staleness_s": 60},
    ).relaxations()
    for word in ("mode", "test category", "sha1", "rsa_bits = 1024", "ec_bits = 192", "staleness_s = 60"):
        assert any(word in line for line in found), word
