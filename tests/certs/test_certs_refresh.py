"""Revocation lists fetched from where they are said to be: what is taken, what is not, and when."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from certs_fixtures import NOW
from cryptography import x509
from typer.testing import CliRunner

from certs import DemoPki, ListFetcher, OnlineTrust, TrustStore, crl_row
from certs.pki_profiles import CLIENT, extended, key_usage, organisation_name
from cli import app
from gateway.settings import FILE_NAME, load_settings
from gateway.trust_keeping import TrustKeeper, our_certificates

DAY = 24 * 3_600_000
MINUTE = 60_000


class Site:
    """A web site in a thread: path → body, or a status."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | int] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                page = site.pages.get(self.path, 404)
                if isinstance(page, int):
                    self.send_response(page)
                    self.send_header("Location", "/root.crl")
                    self.end_headers()
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def _site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield site
    finally:
        site.server.shutdown()
        thread.join()
        site.server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with _site() as site:
        yield site


@pytest.fixture
def pki(shared: DemoPki, tmp_path: Path) -> DemoPki:
    shutil.copytree(shared.folder, tmp_path / "pki")
    return DemoPki.open(tmp_path / "pki")


def _settings(pki: DemoPki, *urls: str, **lists: object) -> None:
    keys = "".join(f"{key} = {str(value).lower()}\n" for key, value in lists.items())
    text = f'mode = "demo"\n[lists]\nurls = {list(urls)!r}\n{keys}'.replace("'", '"')
    (pki.trust / "trust.toml").write_text(text)


def _trust(pki: DemoPki) -> TrustStore:
    return TrustStore.load(pki.trust, clock=lambda: NOW)


def _by_url(pki: DemoPki, site: Site, *paths: str, **lists: object) -> dict[str, tuple[str, str]]:
    """Refresh with only the settings' places (the demonstration's own are nowhere)."""
    _settings(pki, *(path if ":" in path else site.url + path for path in paths), **lists)
    found = ListFetcher(_trust(pki), clock=lambda: NOW).refresh()
    return {one.url.removeprefix(site.url): (one.outcome, one.detail) for one in found}


def _own_places(pki: DemoPki) -> None:
    """No certificate of the folder names a place any more: the tests say where lists are."""
    for path in (pki.trust / "intermediates").iterdir():
        path.unlink()
    kept = pki.folder / "authorities"
    (pki.trust / "roots" / "racine.pem").write_bytes((kept / "racine.pem").read_bytes())


def test_new_same_and_newer(pki: DemoPki, site: Site) -> None:
    _own_places(pki)
    for path in (pki.trust / "crls").iterdir():
        path.unlink()
    site.pages["/root.crl"] = pki.crl("racine", number=5)
    assert _by_url(pki, site, "/root.crl") == {"/root.crl": ("new", "put in use")}
    assert _by_url(pki, site, "/root.crl") == {"/root.crl": ("same", "in use already")}
    site.pages["/root.crl"] = pki.crl("racine", number=6)
    assert _by_url(pki, site, "/root.crl") == {"/root.crl": ("new", "put in use")}
    assert [crl.number for crl in _trust(pki).crls] == [6]
    assert len(list((pki.trust / "crls").iterdir())) == 1


def test_good_is_never_replaced_by_bad_or_older(pki: DemoPki, site: Site) -> None:
    _own_places(pki)
    held = {path.name: path.read_bytes() for path in (pki.trust / "crls").iterdir()}
    before = [crl_row(crl) for crl in _trust(pki).crls]
    right = pki.crl("racine", number=9)
    stranger = pki.stranger(pki.folder.parent / "stranger")
    pages: dict[str, tuple[bytes | int, str, str]] = {
        "/older": (pki.crl("racine", number=0), "refused", "it is not newer than the list in use"),
        "/truncated": (right[:-20], "refused", "it cannot be read"),
        "/altered": (right[:-1] + bytes([right[-1] ^ 1]), "refused", "its signature is not TEST AC"),
        "/stranger": (stranger.crl("racine", number=9), "refused", "its authority key identifier"),
        "/page": (b"<html>closed for works</html>", "refused", "does not hold exactly one revocation list"),
        "/empty": (b"", "refused", "does not hold exactly one revocation list"),
        "/gone": (404, "unreachable", "the server answered 404"),
        "/moved": (302, "unreachable", "the server answered 302"),
        "/broken": (500, "unreachable", "the server answered 500"),
        "/huge": (bytes(1024 * 1024 + 1), "unreachable", "it is larger than 1048576 octets"),
    }
    site.pages = {path: page for path, (page, _, _) in pages.items()}
    site.pages["/root.crl"] = right
    found = _by_url(pki, site, *pages, "ldap://annuaire.test/cn=x?crl", max_mib=1)
    for path, (_, outcome, detail) in pages.items():
        assert found[path][0] == outcome, path
        assert detail in found[path][1], (path, found[path][1])
    assert found["ldap://annuaire.test/cn=x?crl"] == (
        "unsupported",
        "ldap: lists are fetched by http and https only",
    )
    assert "/root.crl" not in site.asked, "a redirection was followed"
    assert {path.name: path.read_bytes() for path in (pki.trust / "crls").iterdir()} == held
    assert [crl_row(crl) for crl in _trust(pki).crls] == before


def test_unreachable(pki: DemoPki) -> None:
    _own_places(pki)
    with _site() as gone:
        pass
    found = _by_url(pki, gone, "/root.crl")
    assert found == {"/root.crl": ("unreachable", "it cannot be fetched (ConnectError)")}


def test_where_lists_are(pki: DemoPki) -> None:
    """Intermediates name the root's list, our certificates their authority's; delta lists count."""
    point = x509.DistributionPoint(
        [
            x509.UniformResourceIdentifier("http://igc.test/delta.crl"),
            x509.UniformResourceIdentifier("ldap://igc.test/delta"),
        ],
        None,
        None,
        None,
    )
    subject = organisation_name(cn="delta.test", ou="1690000007", o="ESSAI", st="Paris (75)")
    leaf = pki.issue(
        "delta", subject, [key_usage(signature=True), extended(CLIENT), (x509.FreshestCRL([point]), False)]
    )
    _settings(pki, "http://settings.test/x.crl")
    trust = _trust(pki)
    assert ListFetcher(trust).places() == [
        "http://settings.test/x.crl",
        "http://igc-sante.test/CRL/ACR-EL-TEST.crl",
    ]
    assert ListFetcher(trust, lambda: [*leaf.chain, b"no certificate"]).places() == [
        "http://settings.test/x.crl",
        "http://igc-sante.test/CRL/ACR-EL-TEST.crl",
        "http://igc-sante.test/CRL/ACI-EL-ORG-TEST.crl",
        "http://igc.test/delta.crl",
        "ldap://igc.test/delta",
    ]


def test_a_list_names_its_own_places(pki: DemoPki) -> None:
    _own_places(pki)
    freshest = x509.FreshestCRL(
        [x509.DistributionPoint([x509.UniformResourceIdentifier("http://igc.test/d.crl")], None, None, None)]
    )
    issuing = x509.IssuingDistributionPoint(
        [x509.UniformResourceIdentifier("http://igc.test/r.crl")], None, False, False, None, False, False
    )
    _settings(pki)
    trust = _trust(pki)
    trust.import_crl(pki.crl("racine", number=9, extensions=[(freshest, False), (issuing, True)]))
    assert ListFetcher(trust).places() == ["http://igc.test/d.crl", "http://igc.test/r.crl"]


def test_when_places_are_asked(pki: DemoPki, site: Site) -> None:
    _own_places(pki)
    _settings(pki, site.url + "/root.crl", every_minutes=60, before_minutes=120)
    now = NOW
    fetcher = ListFetcher(_trust(pki), clock=lambda: now)
    site.pages["/root.crl"] = pki.crl("racine", number=5, days=7)

    def outcomes() -> list[str]:
        return [one.outcome for one in fetcher.refresh_due()]

    assert outcomes() == ["new"]
    assert outcomes() == []
    now += 59 * MINUTE
    assert outcomes() == []
    now += MINUTE
    assert outcomes() == ["same"]
    # failing: after one minute, two, four, and never less often than the interval
    site.pages["/root.crl"] = 503
    now += 60 * MINUTE
    assert outcomes() == ["unreachable"]
    waits = []
    for _ in range(8):
        waited = 0
        while True:
            now += MINUTE
            waited += 1
            if outcomes():
                break
        waits.append(waited)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    # it works again: the pauses begin anew
    site.pages["/root.crl"] = pki.crl("racine", number=6, days=7)
    now += 60 * MINUTE
    assert outcomes() == ["new"]
    site.pages["/root.crl"] = 503
    now += 60 * MINUTE
    assert outcomes() == ["unreachable"]
    now += MINUTE
    assert outcomes() == ["unreachable"]


def test_a_list_about_to_end_is_asked_for_earlier(pki: DemoPki, site: Site) -> None:
    _own_places(pki)
    _settings(pki, site.url + "/root.crl", every_minutes=100 * 24 * 60, before_minutes=120)
    now = NOW
    fetcher = ListFetcher(_trust(pki), clock=lambda: now)
    site.pages["/root.crl"] = pki.crl("racine", number=5, days=7)
    assert len(fetcher.refresh_due()) == 1
    now = NOW + 7 * DAY - 121 * MINUTE
    assert fetcher.refresh_due() == []
    now += MINUTE
    assert [one.outcome for one in fetcher.refresh_due()] == ["same"]
    assert fetcher.refresh_due() == [], "not without end"
    now += MINUTE
    site.pages["/root.crl"] = pki.crl("racine", number=6, days=14)
    assert [one.outcome for one in fetcher.refresh_due()] == ["new"]


# -- in a running process: changes are picked up at once ---------------------------------------


@pytest.fixture
def home(pki: DemoPki, tmp_path: Path) -> Path:
    """As much of a home as the trust needs."""
    home = tmp_path / "home"
    (home / "tls").mkdir(parents=True)
    shutil.copytree(pki.trust, home / "trust")
    text = '[gateway]\nhostname = "smtp.test"\npatient_domain = "patient.test"\n'
    tls = '[tls]\ncertificate = "tls/server.pem"\nkey = "tls/server.key"\n'
    (home / FILE_NAME).write_text(text + tls)
    shutil.copy(pki.paths("gateway")[0], home / "tls" / "server.pem")
    return home


async def test_what_another_process_imports_is_in_use_at_the_next_look(home: Path, pki: DemoPki) -> None:
    trust = OnlineTrust(home / "trust", clock=lambda: NOW)
    keeper = TrustKeeper(home, load_settings(home), trust)
    chain = pki.issued("hospital").chain
    assert (await trust.check(chain, "client")).ok
    await keeper.look()
    assert (await trust.check(chain, "client")).ok
    pki.revoke("hospital")
    TrustStore.load(home / "trust", clock=lambda: NOW).import_crl(pki.crl("organisations", number=99))
    assert (await trust.check(chain, "client")).ok, "nobody has looked yet"
    await keeper.look()
    assert (await trust.check(chain, "client")).ok, "it may still be written"
    await keeper.look()
    assert (await trust.check(chain, "client")).rule == "sender.revoked"


async def test_half_written_settings_are_not_read(home: Path, pki: DemoPki) -> None:
    """Half of them is TOML too, and asks for less."""
    demands = '[policies]\naccepted = ["1.2.3"]\n'
    (home / "trust" / "trust.toml").write_text('mode = "demo"\n' + demands)
    trust = OnlineTrust(home / "trust", clock=lambda: NOW)
    keeper = TrustKeeper(home, load_settings(home), trust)
    chain = pki.issued("hospital").chain
    assert not (await trust.check(chain, "client")).ok
    (home / "trust" / "trust.toml").write_text('mode = "demo"\n')
    await keeper.look()
    assert not (await trust.check(chain, "client")).ok
    (home / "trust" / "trust.toml").write_text('mode = "demo"\n#\n' + demands)
    for _ in range(3):
        await keeper.look()
    assert not (await trust.check(chain, "client")).ok


async def test_a_folder_that_cannot_be_used_changes_nothing_and_is_said_once(
    home: Path, pki: DemoPki
) -> None:
    from certs import TrustError

    trust = OnlineTrust(home / "trust", clock=lambda: NOW)
    keeper = TrustKeeper(home, load_settings(home), trust)
    (home / "trust" / "trust.toml").write_text("mode = 3\n")
    await keeper.look()
    with pytest.raises(TrustError):
        await keeper.look()
    await keeper.look()
    assert (await trust.check(pki.issued("hospital").chain, "client")).ok


async def test_the_back_fetches_and_says_nothing_where_it_must_not(
    home: Path, pki: DemoPki, site: Site
) -> None:
    text = 'mode = "demo"\n[lists]\nfetch = {}\nurls = ["' + site.url + '/org.crl"]\n'
    (home / "trust" / "trust.toml").write_text(text.format("false"))
    (home / "trust" / "intermediates" / "personnes.pem").unlink()
    site.pages["/org.crl"] = pki.crl("organisations", number=77)
    trust = OnlineTrust(home / "trust", clock=lambda: NOW)
    keeper = TrustKeeper(home, load_settings(home), trust)
    await keeper.fetch()
    assert site.asked == []
    (home / "trust" / "trust.toml").write_text(text.format("true"))
    await keeper.look()
    await keeper.look()
    await keeper.fetch()
    assert site.asked == ["/org.crl"]
    assert 77 in {crl.number for crl in trust.crls}


def test_our_certificates(home: Path, pki: DemoPki) -> None:
    assert our_certificates(home, load_settings(home)) == pki.issued("gateway").chain
    (home / "tls" / "server.pem").write_text("nothing")
    assert our_certificates(home, load_settings(home)) == []


# -- the verb ----------------------------------------------------------------------------------


def _rows(output: str) -> list[dict[str, str]]:
    """What the verb printed, after what it logged."""
    rows: list[dict[str, str]] = json.loads(output[output.index("[\n") :])
    return rows


def test_the_verb(home: Path, pki: DemoPki, site: Site) -> None:
    for path in [*(home / "trust" / "intermediates").iterdir(), home / "tls" / "server.pem"]:
        path.unlink()  # they name places that are nowhere
    text = f'mode = "demo"\n[lists]\nurls = ["{site.url}/root.crl", "ldap://igc.test/x"]\n'
    (home / "trust" / "trust.toml").write_text(text)
    site.pages["/root.crl"] = pki.crl("racine", number=50)
    verb = ["certs", "crl", "refresh", "--home", str(home), "--json"]
    shown = CliRunner().invoke(app, verb)
    assert shown.exit_code == 0, shown.output
    assert [row["outcome"] for row in _rows(shown.output)] == ["new", "unsupported"]
    site.pages["/root.crl"] = 500
    shown = CliRunner().invoke(app, verb)
    assert shown.exit_code == 1
    assert _rows(shown.output)[0]["detail"] == "the server answered 500"


def test_the_verb_without_a_home(pki: DemoPki, site: Site, tmp_path: Path) -> None:
    _own_places(pki)
    for path in (pki.trust / "crls").iterdir():
        path.unlink()
    _settings(pki, site.url + "/root.crl")
    site.pages["/root.crl"] = pki.crl("racine", number=50)
    shown = CliRunner().invoke(app, ["certs", "crl", "refresh", "--home", str(pki.folder)])
    assert shown.exit_code == 0, shown.output
    assert "put in use" in shown.output
    _settings(pki)
    (pki.trust / "crls").joinpath(next((pki.trust / "crls").iterdir()).name).unlink()
    shown = CliRunner().invoke(app, ["certs", "crl", "refresh", "--home", str(pki.folder)])
    assert "names a place" in shown.output


def test_several_files_are_imported(pki: DemoPki, tmp_path: Path) -> None:
    files = []
    for authority in ("racine", "organisations"):
        files.append(tmp_path / f"{authority}.crl")
        files[-1].write_bytes(pki.crl(authority, number=60))
    verb = ["certs", "crl", "import", *map(str, files), "--home", str(pki.folder)]
    shown = CliRunner().invoke(app, verb)
    assert shown.exit_code == 0, shown.output
    assert shown.output.count("number 60") == 2
    files[0].write_bytes(pki.crl("racine", number=61))
    files[1].write_bytes(pki.crl("organisations", number=2))
    shown = CliRunner().invoke(app, verb)
    assert shown.exit_code == 1
    assert "number 61" in shown.output
    assert "not newer than the list in use" in shown.output
