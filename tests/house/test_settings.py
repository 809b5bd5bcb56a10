"""Configurations that must not start, each told by its key; and the page that documents the settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from house_source import ROOT

from gateway.settings import FILE_NAME, Settings, SettingsError, load_settings
from gateway.settings_doc import settings_page

GATEWAY = '[gateway]\nhostname = "mss.example.test"\npatient_domain = "patient.example.test"\n'

BAD = {
    "not TOML": ("[gateway\n", "settings.syntax", "is not TOML"),
    "not UTF-8": (GATEWAY.encode() + b"# \xff\n", "settings.syntax", "is not TOML"),
    "a key twice": (GATEWAY + 'hostname = "b.example.test"\n', "settings.syntax", "is not TOML"),
    "empty": ("", "settings.value", "gateway: Field required"),
    "no hostname": (
        '[gateway]\npatient_domain = "patient.example.test"\n',
        "settings.value",
        "gateway.hostname: Field required",
    ),
    "a hostname without a dot": (
        '[gateway]\nhostname = "gateway"\npatient_domain = "patient.example.test"\n',
        "settings.value",
        "gateway.hostname: Value error, must be a domain name",
    ),
    "an address for a domain": (
        '[gateway]\nhostname = "mss.example.test"\npatient_domain = "x@patient.example.test"\n',
        "settings.value",
        "gateway.patient_domain: Value error, must be a domain name",
    ),
    "nobody to serve": (
        '[gateway]\nhostname = "mss.example.test"\n',
        "settings.value",
        "give patient_domain or hosted_domains",
    ),
    "one domain for patients and professionals": (
        GATEWAY + 'hosted_domains = ["Patient.Example.test"]\n',
        "settings.value",
        "not both",
    ),
    "an unknown key": (GATEWAY + "colour = 1\n", "settings.value", "gateway.colour: Extra inputs"),
    "an unknown section": (GATEWAY + "[gatway]\n", "settings.value", "gatway: Extra inputs"),
    "an unknown policy": (GATEWAY + 'y = "some"\n', "settings.value", "gateway.y: Input should be 'all'"),
    "a limit below any message": (
        GATEWAY + "message_size = 1000\n",
        "settings.value",
        "gateway.message_size: Input should be greater than or equal to 65536",
    ),
    "a limit beyond reason": (
        GATEWAY + "message_size = 9999999999\n",
        "settings.value",
        "gateway.message_size: Input should be less than or equal to 1073741824",
    ),
    "text for a number": (
        GATEWAY + '[whitelist]\nmax_age_days = "a week"\n',
        "settings.value",
        "whitelist.max_age_days: Input should be a valid integer",
    ),
    "a warning that never comes": (
        GATEWAY + "[whitelist]\nwarn_days = 8\n",
        "settings.value",
        "whitelist: warn_days is more than max_age_days",
    ),
    "a URL that is none": (
        GATEWAY + '[whitelist]\nurl = "ftp://exemple.test/liste.xml"\n',
        "settings.value",
        "whitelist.url: Value error, must be a URL",
    ),
    "a password in a URL": (
        GATEWAY + '[fhir]\nurl = "https://me:secret@exemple.test/fhir"\n',
        "settings.value",
        "fhir.url: Value error, must be a URL",
    ),
    "a list of the wrong things": (
        GATEWAY + "hosted_domains = [1]\n",
        "settings.value",
        "gateway.hosted_domains.0: Input should be a valid string",
    ),
    "a port without a host": (
        GATEWAY + '[ports]\nimap = ":993"\n',
        "settings.value",
        "ports.imap: Value error, must be host:port",
    ),
    "a host without a port": (
        GATEWAY + '[ports]\nimap = "127.0.0.1"\n',
        "settings.value",
        "ports.imap: Value error, must be host:port",
    ),
    "a port beyond 65535": (
        GATEWAY + '[ports]\noperators = "127.0.0.1:70000"\n',
        "settings.value",
        "ports.operators: Value error, must be host:port",
    ),
    "two services on one port": (
        GATEWAY + '[ports]\nimap = "127.0.0.1:4650"\n',
        "settings.value",
        "two services on one port",
    ),
    "a route that leads nowhere": (
        GATEWAY + '[relay.routes]\n"hopital.example.test" = "somewhere"\n',
        "settings.value",
        "relay.routes.hopital.example.test: Value error, must be host:port",
    ),
    "no time to relay": (GATEWAY + "[relay]\nlifetime_hours = 0\n", "settings.value", "relay.lifetime_hours"),
    "nobody to relay": (GATEWAY + "[relay]\nconcurrency = 0\n", "settings.value", "relay.concurrency"),
    "too many processes": (GATEWAY + "[run]\nfronts = 100\n", "settings.value", "run.fronts"),
    "a base that is no name": (
        GATEWAY + '[ldap]\nbase = "annuaire"\n',
        "settings.value",
        "ldap.base: Value error, that is no distinguished name",
    ),
    "a log of another kind": (GATEWAY + '[run]\nlog_format = "xml"\n', "settings.value", "run.log_format"),
}


@pytest.mark.parametrize("name", BAD)
def test_it_does_not_start(tmp_path: Path, name: str) -> None:
    content, rule, words = BAD[name]
    (tmp_path / FILE_NAME).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert caught.value.rule == rule
    assert words in caught.value.log
    assert FILE_NAME in caught.value.log
    assert caught.value.fault == "config"


def test_no_file_tells_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path)
    assert caught.value.rule == "settings.missing"
    assert "passerelle init" in caught.value.log


def test_the_least_file_starts(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(GATEWAY)
    settings = load_settings(tmp_path)
    assert settings.gateway.message_size == 25 * 1024 * 1024
    assert settings.policy().patient_domain == "patient.example.test"
    assert settings.system_address == "postmaster@patient.example.test"


def test_domains_are_folded(tmp_path: Path) -> None:
    text = '[gateway]\nhostname = "MSS.example.test"\nhosted_domains = ["Hopital.Example.TEST"]\n'
    (tmp_path / FILE_NAME).write_text(text)
    policy = load_settings(tmp_path).policy()
    assert (policy.hostname, policy.hosted) == ("mss.example.test", frozenset({"hopital.example.test"}))


def test_free_ports_may_be_asked_for_twice(tmp_path: Path) -> None:
    ports = '[ports]\noperators = "127.0.0.1:0"\nsubmission = "127.0.0.1:0"\nimap = ""\n'
    (tmp_path / FILE_NAME).write_text(GATEWAY + ports)
    assert load_settings(tmp_path).ports.imap == ""


def test_every_setting_is_described() -> None:
    silent = [
        f"{name}.{key}"
        for name, field in Settings.model_fields.items()
        for key, one in field.annotation.model_fields.items()  # type: ignore[union-attr]  # a section
        if not one.description
    ]
    assert silent == []


def test_the_page_is_up_to_date() -> None:
    committed = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert committed == settings_page(), "run: python -m gateway.settings_doc > docs/settings.md"
