"""The client against a recorded server on a real socket: paging, faults, links that lead astray."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from annuaire.fhir.client import ATTEMPTS, ExpiredError, FhirClient, Page, read_key
from annuaire.fhir.errors import FhirError
from annuaire.fhir.mapping import read_resource
from annuaire.rows import RowFaultError
from certs import DemoPki, TrustStore
from store import now_ms
from tests.annuaire.fhir_server import (
    KEY,
    Answer,
    Api,
    Json,
    deleted,
    mailbox,
    outcome,
    practitioner,
    serving,
)


class Ground:
    """The recorded server, and who vouches for it."""

    def __init__(self, api: Api, trust: TrustStore) -> None:
        self.api = api
        self.trust = trust
        self.waits: list[float] = []

    def client(self, *, key: str = KEY, timeout: float = 5.0) -> FhirClient:
        roots = [*self.trust.roots, *self.trust.intermediates]
        return FhirClient(self.api.url, key, roots, wait=self.waits.append, timeout=timeout)

    def pages(self, url: str = "", **how: object) -> list[Page]:
        with self.client(**how) as client:  # type: ignore[arg-type]  # passed through
            return list(
                client.pages(url or client.search("Practitioner", [("_lastUpdated", "ge2026-08-26")]))
            )

    def refused(self, url: str = "", **how: object) -> FhirError:
        with pytest.raises(FhirError) as caught:
            self.pages(url, **how)
        return caught.value


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("fhir")
    pki = DemoPki.create(folder, key_type="p256")
    server = pki.issue_server("localhost", "318751275100020", "EXEMPLE", hosts=("localhost",), name="api")
    with serving(*pki.paths(server.name)) as api:
        yield Ground(api, TrustStore.load(folder / "trust"))


@pytest.fixture
def ground(served: Ground) -> Ground:
    api = served.api
    api.pages, api.faults, api.asked, api.expired = {}, [], [], set()
    api.rewrite = lambda bundle: bundle
    served.waits = []
    return served


def people(first: int, count: int) -> list[Json]:
    return [
        practitioner(
            f"003-{n}", f"1000999{n:04d}", "EXEMPLE", "ANNE", mailbox(f"p{n}@medecin.mssante.fr", "PER")
        )
        for n in range(first, first + count)
    ]


def ids(pages: list[Page]) -> list[str]:
    return [read_resource(bytes(entry.resource)).id for page in pages for entry in page.entries]


def test_page_after_page(ground: Ground) -> None:
    ground.api.pages["Practitioner"] = [people(0, 3), people(3, 3), people(6, 1)]
    pages = ground.pages()
    assert ids(pages) == [f"003-{n}" for n in range(7)]
    first, *rest = ground.api.asked
    assert first.path == "/fhir/v2/Practitioner"
    assert first.query == {"_lastUpdated": ["ge2026-08-26"], "_count": ["200"]}
    assert [one.query["id"] for one in rest] == [["Practitioner-1"], ["Practitioner-2"]]
    assert {one.key for one in ground.api.asked} == {KEY}
    assert pages[-1].next == ""
    assert abs(pages[0].date - now_ms()) < 60_000


def test_nothing_found(ground: Ground) -> None:
    assert [page.entries for page in ground.pages()] == [[]]


def test_taken_up_at_a_later_page(ground: Ground) -> None:
    ground.api.pages["Practitioner"] = [people(0, 2), people(2, 2)]
    assert ids(ground.pages(f"{ground.api.url}/_page?id=Practitioner-1")) == ["003-2", "003-3"]
    ground.api.expired = {"Practitioner-1"}
    error = ground.refused(f"{ground.api.url}/_page?id=Practitioner-1")
    assert isinstance(error, ExpiredError)
    assert error.rule == "fhir.expired"


FAULTS = {
    "too many": outcome(429, "Too many requests"),
    "broken": outcome(500, "HAPI-0389"),
    "a gateway": Answer(b"<html>Bad gateway</html>", 502),
    "closed for work": Answer(b"", 503),
    "slow behind": Answer(b"", 504),
    "cut JSON": Answer(b'{"resourceType":"Bundle","type":"searchset","entry":[{"reso'),
    "a broken connection": Answer(b'{"resourceType":"Bundle","type":"searchset"}' + b" " * 5000, cut=60),
    "no JSON": Answer(b"<html>maintenance</html>"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_passes_is_asked_again(ground: Ground, name: str) -> None:
    ground.api.pages["Practitioner"] = [people(0, 2)]
    ground.api.faults = [FAULTS[name]] * 3
    assert ids(ground.pages()) == ["003-0", "003-1"]
    assert len(ground.api.asked) == 4
    assert [0.7 <= wait / 2**n <= 1.3 for n, wait in enumerate(ground.waits)] == [True] * 3


def test_what_does_not_pass_ends(ground: Ground) -> None:
    ground.api.faults = [FAULTS["closed for work"]] * 50
    error = ground.refused()
    assert (error.rule, len(ground.api.asked)) == ("fhir.unreachable", ATTEMPTS)
    assert "503" in error.log


def test_a_server_that_stalls(ground: Ground) -> None:
    ground.api.faults = [Answer(b"{}", stall=1.0)]
    assert [page.entries for page in ground.pages(timeout=0.3)] == [[]]
    assert len(ground.waits) == 1


def test_nobody_listens(ground: Ground) -> None:
    client = FhirClient("https://localhost:9/fhir", KEY, ground.trust.roots, wait=ground.waits.append)
    with client, pytest.raises(FhirError) as caught:
        list(client.pages(client.search("Practitioner", [])))
    assert caught.value.rule == "fhir.unreachable"


def test_the_server_says_when(ground: Ground) -> None:
    in_a_minute = formatdate(now_ms() / 1000 + 60, usegmt=True)
    ground.api.faults = [
        Answer(b"", 429, {"Retry-After": "17"}),
        Answer(b"", 503, {"Retry-After": in_a_minute}),
        Answer(b"", 503, {"Retry-After": "soon"}),
    ]
    ground.pages()
    assert ground.waits[0] == 17
    assert 50 < ground.waits[1] < 61
    assert 3 <= ground.waits[2] <= 5
    ground.api.faults = [Answer(b"", 429, {"Retry-After": "3600"})]
    assert ground.refused().rule == "fhir.unreachable"  # not worth waiting: taken up later


def test_the_key(ground: Ground, tmp_path: Path) -> None:
    with capture_logs() as logged:
        ground.api.faults = [FAULTS["too many"]]
        ground.pages()
        error = ground.refused(key="wrong-key-123")
    assert error.rule == "fhir.key"
    with ground.client() as client:
        assert KEY not in repr(client)
    assert "wrong-key-123" not in f"{error!r} {error.log}"
    assert KEY not in str(logged)
    path = tmp_path / "fhir.key"
    for content in (b"", b"two keys\n", b"caf\xc3\xa9", b"a\nb\n", b"x" * 600):
        path.write_bytes(content)
        with pytest.raises(FhirError, match="key file"):
            read_key(path)
    with pytest.raises(FhirError, match="key file"):
        read_key(tmp_path / "none")
    path.write_text(f"{KEY}\n", encoding="ascii")
    assert read_key(path) == KEY


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.test/fhir/v2/_page?id=1",
        "http://localhost:{port}/fhir/v2/_page?id=1",
        "https://localhost:1/fhir/v2/_page?id=1",
        "https://localhost:{port}@evil.test/fhir/v2/_page?id=1",
        "https://localhost:{port}/other/_page?id=1",
        "https://localhost:{port}/fhir/v2evil/_page?id=1",
        "//evil.test/fhir/v2/_page",
        "file:///etc/passwd",
        "_page?id=1",
        "https://[::1",
        "https://localhost:99999999/fhir/v2/_page",
        "https://localhost:{port}/fhir/v2/_page?id=" + "x" * 20_000,
    ],
)
def test_a_link_that_leads_elsewhere(ground: Ground, link: str) -> None:
    port = ground.api.url.split(":")[2].split("/")[0]
    ground.api.pages["Practitioner"] = [people(0, 1), people(1, 1)]
    ground.api.rewrite = lambda bundle: {
        **bundle,
        "link": [{"relation": "next", "url": link.replace("{port}", port)}],
    }
    assert ground.refused().rule == "fhir.link"
    assert len(ground.api.asked) == 1


def test_redirects_are_not_followed(ground: Ground) -> None:
    for status in (301, 302, 303, 307, 308):
        ground.api.faults = [Answer(b"", status, {"Location": f"{ground.api.url}/Practitioner"})]
        ground.api.asked.clear()
        assert ground.refused().rule == "fhir.redirect"
        assert len(ground.api.asked) == 1


def test_a_search_that_never_ends(ground: Ground) -> None:
    ground.api.pages["Practitioner"] = [people(0, 2), people(2, 2)]
    same = {"relation": "next", "url": f"{ground.api.url}/_page?id=Practitioner-1"}
    ground.api.rewrite = lambda bundle: {**bundle, "link": [same]}
    assert ground.refused().rule == "fhir.loop"
    number = iter(range(1_000))
    ground.api.pages["Practitioner"] = [people(0, 2)] * 1000
    ground.api.rewrite = lambda bundle: {
        **bundle,
        "link": [{"relation": "next", "url": f"{ground.api.url}/_page?id=Practitioner-{next(number)}"}],
    }
    assert ground.refused().rule == "fhir.loop"  # other addresses, the same resources


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "null",
        '"Bundle"',
        "{}",
        '{"resourceType": "Bundle"}',
        '{"resourceType": "Bundle", "type": "history"}',
        '{"resourceType": "OperationOutcome", "issue": []}',
        '{"resourceType": "Bundle", "type": "searchset", "entry": {}}',
        '{"resourceType": "Bundle", "type": "searchset", "link": "x"}',
        '{"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "next", "url": 5}]}',
        '{"resourceType": "Bundle", "type": "searchset", "link": [{"relation": "next", "url": "a"},'
        '{"relation": "next", "url": "b"}]}',
    ],
)
def test_an_answer_that_is_no_search(ground: Ground, body: str) -> None:
    ground.api.faults = [Answer(body.encode())]
    assert ground.refused().rule == "fhir.answer"


def test_depth_and_size(ground: Ground) -> None:
    ground.api.faults = [Answer(b"[" * 1_000_000)] * ATTEMPTS
    assert ground.refused().rule in ("fhir.answer", "fhir.unreachable")
    ground.api.faults = [Answer(b" " * ((32 << 20) + 1))]
    assert ground.refused().rule == "fhir.size"


def test_refusals_name_the_cause(ground: Ground) -> None:
    ground.api.faults = [outcome(400, "HAPI-0302: Unknown resource type 'X'\n\x1b[31m é")]
    error = ground.refused()
    assert error.rule == "fhir.refused"
    assert "HAPI-0302" in error.log
    assert error.log.isascii()
    assert error.log.isprintable()


def test_the_server_must_be_proven(ground: Ground, tmp_path: Path) -> None:
    DemoPki.create(tmp_path, key_type="p256")
    strangers = TrustStore.load(tmp_path / "trust").roots
    for url, roots in (
        (ground.api.url, strangers),
        (ground.api.url, []),
        (ground.api.url.replace("localhost", "127.0.0.1"), ground.trust.roots),
    ):
        with FhirClient(url, KEY, roots, wait=ground.waits.append) as client:
            with pytest.raises(FhirError) as caught:
                list(client.pages(client.search("Practitioner", [])))
            assert caught.value.rule == "fhir.unreachable"
    assert ground.api.asked == []


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["resourceType", "id", "meta", "active", "telecom", "name"]), inner
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=120, deadline=None)
def test_any_json_is_a_resource_or_refused(value: object) -> None:
    try:
        found = read_resource(json.dumps(value).encode())
    except RowFaultError:
        return
    assert found.id


def test_deleted_reads(ground: Ground) -> None:
    ground.api.pages["Practitioner"] = [[deleted("Practitioner", "003-9")]]
    entry = ground.pages()[0].entries[0]
    assert not read_resource(bytes(entry.resource)).active
