"""Cards and contacts: the import, the forms of facts, the settings, the verbs of the support."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli import app
from gateway.settings import Settings, SettingsError
from gateway.signin import SignIn
from patients import PersonsFileError, signin
from patients.signin.facts import masked
from patients.signin.throttle import Limit, Window, counted, network
from store import Store
from tests.patients.signin_kit import ANNE, HERE, MARIE, PAUL, World, matricule

HEADER = "ins;card_kind;card_serial;holder;email;phone\n"
GATEWAY = {"hostname": "gw.example.org", "patient_domain": "patient.example"}


async def test_a_file_of_cards_and_contacts(store: Store, tmp_path: Path) -> None:
    world = World(store)
    path = tmp_path / "reach.csv"
    rows = [
        f"{MARIE};photo;8025 0000 0123 4567 8901;;Marie.New@Example.org;06 12 34 56 78",
        f"{PAUL};plain;12345678;;;",
        f"{ANNE};plain;1234567;;;",
        f"{ANNE};plain;;;not an address;",
        f"{ANNE};;;;;12",
        "1;plain;12345678;;;",
        f"{ANNE};plain;12345678",
        f"{ANNE};;;;anne@example.com;",
        "",
    ]
    path.write_text(HEADER + "\n".join(rows), encoding="utf-8")
    report = signin.import_reach(store, path)
    assert [(bad.line, bad.reason) for bad in report.bad] == [
        (3, "ins: no such person here"),
        (4, "card_serial: not of its form"),
        (5, "email: not of its form"),
        (6, "sms: not of its form"),
        (7, "ins: not of its form"),
        (8, "3 columns where the header has 6"),
    ]
    begun = await world.facts(MARIE, card_kind="photo", card_serial="12345678901")
    assert [to for _, to, _ in world.letters.sent] == ["marie.new@example.org"]
    assert begun.answer.outcome == "ok"
    assert signin.import_reach(store, path).bad_count == 6


async def test_what_a_person_proved_stays(store: Store, tmp_path: Path) -> None:
    world = World(store)
    await world.activated()
    path = tmp_path / "reach.csv"
    path.write_text(f"ins;email\n{MARIE};thief@example.net\n", encoding="utf-8")
    signin.import_reach(store, path)
    await world.signed_in()
    assert {to for _, to, _ in world.letters.sent} == {"marie@example.org"}


@pytest.mark.parametrize("text", ["", "ins\n", "email;phone\n", "ins;email;email\n"])
def test_a_header_that_cannot_be(store: Store, tmp_path: Path, text: str) -> None:
    path = tmp_path / "reach.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PersonsFileError):
        signin.import_reach(store, path)
    with pytest.raises(PersonsFileError):
        signin.import_reach(store, tmp_path / "nothing.csv")


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=12), st.text(max_size=40))
def test_facts_are_read_or_refused(born: str, number: str, kind: str, serial: str) -> None:
    try:
        facts = signin.read_facts(born, number, kind, serial)
    except signin.FactsError as fault:
        assert str(fault) in ("birth_date", "number", "card_kind", "card_serial")
    else:
        assert facts == signin.read_facts(facts.birth_date, facts.number, facts.card_kind, facts.card_serial)


@given(st.sampled_from(["email", "sms"]), st.text(max_size=60))
def test_destinations_are_read_or_refused(channel: str, to: str) -> None:
    try:
        kept = signin.read_destination(channel, to)
    except signin.FactsError:
        return
    assert signin.read_destination(channel, kept) == kept
    assert kept not in masked(channel, kept)  # type: ignore[arg-type]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 5))
def test_a_window_never_lets_more_through(gaps: list[int], tries: int) -> None:
    """At most so many in any window, never a wait longer than it, and a refused try costs nothing."""
    limit = Limit(tries, 100)
    now, window, passed = 0, None, []
    for gap in gaps:
        now += gap
        before: Window | None = window
        window, wait = counted(window, limit, now)
        assert 0 <= wait <= 100
        if wait:
            assert window == before
            assert counted(window, limit, now + wait)[1] == 0
        else:
            passed.append(now)
    for start in passed:
        assert sum(1 for one in passed if start <= one < start + 100) <= 2 * tries


def test_networks() -> None:
    assert network("192.0.2.1") == network("::ffff:192.0.2.1") == "192.0.2.1"
    assert network("2001:db8::1") == network("2001:db8::ffff:1") == "2001:db8::/64"
    assert network("2001:db8:0:1::1") != network("2001:db8::1")
    assert network("unix") == "unix"


async def test_the_settings_make_a_desk(store: Store) -> None:
    wanted = {"sender": "file", "origin": "https://mon.example/", "terms": "9"}
    (store.home / "secret").write_text("s" * 40 + "\n")
    france = {
        "issuer": "https://fc.example",
        "client_id": "c",
        "secret_file": "secret",
        "redirect_uri": "https://mon.example/retour",
    }
    made = SignIn(
        store, Settings.model_validate({"gateway": GATEWAY, "signin": wanted, "franceconnect": france})
    )
    assert made.passkeys is not None and made.federation is not None
    World(store)
    begun = await made.desk.begin_activation(
        birth_date="1980-03-21",
        number=MARIE,
        card_kind="plain",
        card_serial="123456789",
        channel="email",
        source=HERE,
    )
    assert isinstance(begun, signin.Begun)
    await made.close()
    [path] = (store.home / "run" / "codes").iterdir()
    assert json.loads(path.read_text())["to"] == "marie@example.org"
    bare = SignIn(store, Settings.model_validate({"gateway": GATEWAY}))
    assert bare.passkeys is None and bare.federation is None
    (store.home / "secret").unlink()
    with pytest.raises(SettingsError, match=r"settings\.file"):
        SignIn(store, Settings.model_validate({"gateway": GATEWAY, "franceconnect": france}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"signin": {"sender": "smtp"}},
        {
            "signin": {
                "sender": "smtp",
                "relay": "mail.example:25",
                "relay_tls": "none",
                "from_address": "a@b.c",
            }
        },
        {"signin": {"relay_user": "x"}},
        {"franceconnect": {"issuer": "https://fc.example"}},
        {"franceconnect": {"acr": []}},
    ],
)
def test_settings_that_cannot_be(wrong: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ValueError, match=r"signin|franceconnect"):
        Settings.model_validate({"gateway": GATEWAY} | wrong)


async def test_the_verbs_of_the_support(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run = CliRunner()
    home.mkdir()
    text = '[gateway]\nhostname = "gw.example.org"\npatient_domain = "patient.example"\n'
    (home / "passerelle.toml").write_text(text, encoding="utf-8")
    with Store.open(home) as store:
        world = World(store)
        await world.activated()
        number = (await world.signed_in()).session.session_id

    def said(*words: str) -> object:
        result = run.invoke(app, ["patient", "access", *words, "--home", str(home), "--json"])
        assert result.exit_code == 0, result.output
        assert "marie@" not in result.output and "marie.e" not in result.output
        # the command line's entry point keeps what rooms log away from standard output
        told = [line for line in result.output.splitlines() if "[info" not in line]
        return json.loads("\n".join(told))

    assert said("show", MARIE)["sessions"] == 1  # type: ignore[index]
    assert said("show", ANNE) == {}
    assert [one["session_id"] for one in said("sessions", MARIE)] == [number]  # type: ignore[union-attr]
    assert said("revoke", MARIE, str(number)) == {"ended": 1}
    assert said("revoke", MARIE) == {"ended": 0}
    assert said("passkeys", MARIE) == []
    assert said("unlock", MARIE) == {"unlocked": True}
    assert said("unlock", matricule(99)) == {"unlocked": False}
    assert said("reset", MARIE) == {"reset": True}
    assert said("history", MARIE)[0]["kind"] == "factor_reset"  # type: ignore[index]
    path = tmp_path / "reach.csv"
    path.write_text(f"ins;email\n{ANNE};anne@new.example\n1;x\n", encoding="utf-8")
    assert said("import", str(path))["bad_count"] == 1  # type: ignore[index]
