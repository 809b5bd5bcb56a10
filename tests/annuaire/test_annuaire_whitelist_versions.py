"""Versions of the list: what changed, what was in use when, what is kept, what is refused as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

import annuaire
from annuaire import SignedList, WhitelistEntry, WhitelistError, WhitelistReport, WhitelistRules
from annuaire.refresh import RefreshState
from annuaire.whitelist_lookup import _allows, _domains, _entries, _listed
from annuaire.whitelist_ops import (
    NewVersion,
    apply_whitelist,
    begin_whitelist,
    close_whitelist,
    load_whitelist,
)
from store import Store, now_ms
from tests.annuaire.annuaire_support import Signer
from tests.annuaire.test_annuaire_whitelist import DN_A, DN_B, accept, signed

AT = 1_740_757_327_000
DAY = 86_400_000
A = WhitelistEntry("a.mssante.fr", DN_A, "A", AT)
B = WhitelistEntry("b.mssante.fr", DN_B, "B", AT)
C = WhitelistEntry("c.mssante.fr", DN_A, "C", AT)


def listed(*entries: WhitelistEntry, at: int = AT) -> SignedList:
    """A list whose signature was found good."""
    return SignedList(
        generated_at=at,
        entries=list(entries),
        sha256=f"{hash((entries, at)) & (1 << 64) - 1:064x}",
        signer="CN=alb",
        signer_cn="alb",
        signer_ou="1",
        signer_fingerprint="f" * 64,
        chain=[b""],
    )


def put(store: Store, *entries: WhitelistEntry, at: int = AT, **rules: object) -> WhitelistReport:
    chosen = WhitelistRules(signer_cn="alb", signer_ou="1", **rules)  # type: ignore[arg-type]  # passed through
    return annuaire.install(store, listed(*entries, at=at), origin="w.xml", rules=chosen)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The writer's time, which the test moves."""
    now = [AT + DAY]
    monkeypatch.setattr("store.writer.now_ms", lambda: now[0])
    monkeypatch.setattr("annuaire.whitelist.now_ms", lambda: now[0])
    yield now


def test_what_a_version_changed(store: Store) -> None:
    first = put(store, A, B)
    assert (first.replaces, first.added, first.changed, first.gone) == (0, 2, 0, 0)
    renamed = WhitelistEntry(B.domain, DN_B, "B renamed", AT + 1)
    second = put(store, renamed, C, at=AT + 1)
    assert (second.replaces, second.added, second.changed, second.gone) == (first.version, 1, 1, 1)
    diff = store.read(annuaire.whitelist_diff, first.version, second.version)
    assert (diff.added, diff.gone, diff.changed) == ([C], [A], [(B, renamed)])
    back = store.read(annuaire.whitelist_diff, second.version, first.version)
    assert (back.added, back.gone, back.changed) == ([A], [C], [(renamed, B)])
    whole = store.read(annuaire.whitelist_diff, 0, second.version)
    assert (whole.added, whole.gone, whole.changed) == ([renamed, C], [], [])
    with pytest.raises(WhitelistError) as caught:
        store.read(annuaire.whitelist_diff, 1, second.version)
    assert caught.value.rule == "whitelist.version"
    versions = store.read(annuaire.whitelist_versions)
    assert [one.version for one in versions] == [second.version, first.version]
    assert (versions[0].added, versions[0].changed, versions[0].gone, versions[0].origin) == (
        1,
        1,
        1,
        "w.xml",
    )


def test_a_past_decision_can_be_explained(store: Store, clock: list[int]) -> None:
    begin = clock[0]
    put(store, A, B)
    clock[0] = begin + 10 * DAY
    put(store, B, C, at=AT + 1)
    clock[0] = begin + 20 * DAY
    put(store, A, at=AT + 2)

    def then(domain: str, dn: str, day: int | None) -> tuple[bool, bool, bool, bool]:
        at = None if day is None else begin + day * DAY
        return (
            store.read(annuaire.whitelist_allows, domain, dn, at),
            store.read(annuaire.domain_listed, domain, at),
            bool(store.read(annuaire.whitelist_entries, domain, at)),
            domain in store.read(annuaire.whitelist_domains, dn, at),
        )

    everything, nothing = (True,) * 4, (False,) * 4
    expected = {
        A.domain: (DN_A, [0, 1, 0, 1]),
        B.domain: (DN_B, [0, 1, 1, 0]),
        C.domain: (DN_A, [0, 0, 1, 0]),
    }
    for domain, (dn, held) in expected.items():
        for day, allowed in zip((-1, 5, 15, 25), held, strict=True):
            assert then(domain, dn, day) == (everything if allowed else nothing), (domain, day)
        assert then(domain, dn, None) == then(domain, dn, 25)
    assert then(A.domain, DN_A, 10) == nothing  # from the moment on
    assert not store.read(annuaire.whitelist_allows, A.domain, "", begin + 5 * DAY)


def test_what_is_not_kept_any_more(store: Store, clock: list[int]) -> None:
    begin = clock[0]
    put(store, A, B)
    clock[0] += 10 * DAY
    second = put(store, B, C, at=AT + 1, keep=30 * DAY)
    clock[0] += 25 * DAY  # the first has been out of use for 25 days
    third = put(store, C, at=AT + 2, keep=30 * DAY)
    assert store.read(annuaire.whitelist_allows, A.domain, DN_A, begin + DAY)
    clock[0] += 10 * DAY
    put(store, A, C, at=AT + 3, keep=30 * DAY)
    kept = [one.version for one in store.read(annuaire.whitelist_versions)]
    assert kept[1:] == [third.version, second.version]
    assert not store.read(annuaire.whitelist_allows, A.domain, DN_A, begin + DAY)
    assert store.read(annuaire.whitelist_allows, B.domain, DN_B, begin + 11 * DAY)
    assert store.read(annuaire.whitelist_allows, A.domain, DN_A)
    rows = store.read(lambda conn: conn.exec_driver_sql("SELECT count(*) FROM whitelist_listing").scalar())
    assert rows == 3  # B (until the third), C, A again


def test_a_much_shorter_list_is_refused(store: Store) -> None:
    many = [WhitelistEntry(f"d{number}.mssante.fr", DN_B, "", AT) for number in range(120)]
    put(store, *many)
    with pytest.raises(WhitelistError) as caught:
        put(store, *many[:90], at=AT + 1)
    assert caught.value.rule == "whitelist.shrunk"
    assert store.read(annuaire.domain_listed, "d119.mssante.fr")
    assert put(store, *many[:100], at=AT + 1).gone == 20
    assert put(store, *many[:10], at=AT + 2, accept_shrink=True).gone == 90


def test_of_two_entries_alike_the_first_stays(store: Store) -> None:
    again = WhitelistEntry(A.domain, DN_A.replace("CN=", "cn="), "again", AT + 5)
    report = put(store, A, again, again)
    assert (report.entries, report.repeated) == (1, 2)
    assert store.read(annuaire.whitelist_entries, A.domain) == [A]


async def test_a_list_from_the_future_is_refused(store: Store, signer: Signer) -> None:
    rules = WhitelistRules(signer_cn="alb.exemple.fr", signer_ou="399999999900011")
    data = signed(signer, now_ms() + 2 * 3_600_000)
    with pytest.raises(WhitelistError) as caught:
        await annuaire.take_whitelist(store, data, accept(), rules, origin="w.xml")
    assert caught.value.rule == "whitelist.future"
    assert store.read(annuaire.whitelist_status) is None


async def test_the_same_list_again_is_no_version(store: Store, signer: Signer) -> None:
    rules = WhitelistRules(signer_cn="alb.exemple.fr", signer_ou="399999999900011")
    data = signed(signer)
    first = await annuaire.take_whitelist(store, data, accept(), rules, origin="w.xml")
    age = store.read(annuaire.whitelist_age, AT + 30 * DAY)
    again = await annuaire.take_whitelist(store, data, accept(), rules, origin="http://exemple.test/w.xml")
    assert (again.version, again.replaces) == (first.version, first.version)
    # A file, or a server that nobody vouches for, does not make a list younger.
    assert store.read(annuaire.whitelist_age, AT + 30 * DAY) == age == 30 * DAY
    assert len(store.read(annuaire.whitelist_versions)) == 1


def test_an_abandoned_load_is_undone(store: Store) -> None:
    first = put(store, A, B)
    new = NewVersion(
        version=first.version + 1,
        generated_at=AT,
        sha256="0" * 64,
        signer="",
        fingerprint="",
        entries=1,
        origin="",
    )
    store.write(begin_whitelist, new=new)
    store.write(load_whitelist, version=new.version, entries=[C])
    store.write(close_whitelist, version=new.version, keys=[(A.domain, annuaire.fold_dn(DN_A))])
    assert store.read(annuaire.whitelist_allows, A.domain, DN_A)
    assert not store.read(annuaire.domain_listed, C.domain)
    second = put(store, A, B, WhitelistEntry("d.mssante.fr", DN_A, "", AT), at=AT + 1)
    assert (second.added, second.gone) == (1, 0)
    assert store.read(annuaire.whitelist_allows, A.domain, DN_A)
    assert not store.read(annuaire.domain_listed, C.domain)
    for late in (
        lambda: store.write(load_whitelist, version=new.version, entries=[C]),
        lambda: store.write(
            apply_whitelist, version=new.version, replaces=first.version, added=1, changed=0, gone=0
        ),
    ):
        with pytest.raises(WhitelistError) as caught:
            late()
        assert caught.value.rule == "whitelist.superseded"


def test_of_two_imports_at_once_one_gives_way(store: Store) -> None:
    first = put(store, A)
    new = NewVersion(
        version=first.version + 1,
        generated_at=AT,
        sha256="0" * 64,
        signer="",
        fingerprint="",
        entries=0,
        origin="",
    )
    store.write(begin_whitelist, new=new)
    for replaces in (0, first.version - 1):
        with pytest.raises(WhitelistError) as caught:
            store.write(apply_whitelist, version=new.version, replaces=replaces, added=0, changed=0, gone=0)
        assert caught.value.rule == "whitelist.superseded"
    assert store.read(annuaire.domain_listed, A.domain)


NAMES = st.sampled_from(["a.fr", "b.fr", "c.fr"])
LISTS = st.lists(
    st.dictionaries(st.tuples(NAMES, st.sampled_from([DN_A, DN_B])), st.sampled_from(["x", "y"]), min_size=1),
    min_size=1,
    max_size=6,
)


@given(history=LISTS)
@settings(max_examples=10, deadline=None)
def test_every_version_reads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, history: list[dict[tuple[str, str], str]]
) -> None:
    with Store.open(tmp_path_factory.mktemp("home")) as store:
        versions = [0]
        for number, wanted in enumerate(history):
            entries = [WhitelistEntry(domain, dn, text, AT) for (domain, dn), text in wanted.items()]
            versions.append(put(store, *entries, at=AT + number).version)
            for domain in ("a.fr", "b.fr", "c.fr"):
                for dn in (DN_A, DN_B):
                    assert store.read(annuaire.whitelist_allows, domain, dn) == ((domain, dn) in wanted)
        past: list[dict[tuple[str, str], str]] = [{}, *history]
        for one, before in zip(versions, past, strict=True):
            for other, after in zip(versions, past, strict=True):
                diff = store.read(annuaire.whitelist_diff, one, other)
                assert {(e.domain, e.dn) for e in diff.added} == after.keys() - before.keys()
                assert {(e.domain, e.dn) for e in diff.gone} == before.keys() - after.keys()
                changed = {key for key in before.keys() & after.keys() if before[key] != after[key]}
                assert {(e.domain, e.dn) for _, e in diff.changed} == changed


def test_no_look_up_scans(store: Store) -> None:
    asked = {"domain": "a", "dn": "b", "version": 1}

    def plans(conn: Connection) -> list[str]:
        found: list[str] = []
        for statement in (*_allows, *_listed, *_domains, *_entries):
            text = statement.statement.params(**asked).compile(
                conn.engine, compile_kwargs={"literal_binds": True}
            )
            found += [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        return found

    steps = store.read(plans)
    assert len(steps) >= 8
    assert not [step for step in steps if step.startswith("SCAN")]


def test_when_a_source_is_due() -> None:
    hour = 3_600_000
    assert RefreshState(source="x").due(AT, hour)
    well = RefreshState(source="x", tried_at=AT, succeeded_at=AT)
    assert not well.due(AT + hour - 1, hour)
    assert well.due(AT + hour, hour)
    waits = []
    for failures in range(1, 8):
        state = RefreshState(source="x", tried_at=AT, failures=failures, rule="certs.download")
        waits.append(next(wait for wait in range(1, 61) if state.due(AT + wait * 60_000, hour)))
    assert waits == [5, 10, 20, 40, 60, 60, 60]
    # A clock set back by a year does not stop the fetching for a year.
    assert RefreshState(source="x", tried_at=AT + 365 * DAY).due(AT, hour)
