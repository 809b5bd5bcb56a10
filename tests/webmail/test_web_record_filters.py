"""The filters of the list against a naive reading of the same address."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from urllib.parse import parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from dossier import Document, DocumentInfo, category, find_code, ordered
from store import BodyRef
from webmail.formats import PARIS
from webmail.paging import page_of
from webmail.record import filters
from webmail.record.history import KINDS, WHO, Sought
from webmail.record.history import read as read_history
from webmail.record.wording import HEADINGS, SLUGS

TYPES = ("11488-4", "11502-2", "18748-4", "57833-6", "DOCPAT07")
TITLES = ("Bilan sanguin", "Écho du cœur", "Ordonnance", "bilan", "")
AUTHORS = ("Camille EXEMPLE", "Hélène Martin", "")
DAYS = [int(datetime(2024, month, 15, 22, 30, tzinfo=UTC).timestamp() * 1000) for month in (1, 3, 7, 10, 12)]


def document(number: int, kind: str, title: str, author: str, at: int, status: str) -> Document:
    known = find_code("type", kind)
    assert known is not None
    info = DocumentInfo(
        title=title, type_code=kind, type_label="", class_code=known.class_code,
        class_label="", format_code="", author=author,
    )  # fmt: skip
    return Document(
        box_id=1, document_id=number, unique_id=f"1.{number}", set_id="", version=1, status=status,  # type: ignore[arg-type]  # one of three
        created_at=at, filed_at=at, ended_at=None, replaced_by=None, depositor="", depositor_id="",
        depositor_struct="", deposited_by="professional", author_id="", author_struct="",
        content_sha256=b"", trace_id="", message_id=0, ref=BodyRef(0, 0, 0, 0, b""), wrapped_key=b"",
        info=info,
    )  # fmt: skip


documents = st.lists(
    st.builds(
        document,
        st.integers(1, 10**6),
        st.sampled_from(TYPES),
        st.sampled_from(TITLES),
        st.sampled_from(AUTHORS),
        st.sampled_from(DAYS),
        st.sampled_from(("approved", "deprecated")),
    ),
    max_size=12,
    unique_by=lambda one: one.document_id,
)
days = st.sampled_from(("", "2024-01-15", "2024-01-16", "2024-06-01", "2024-12-31", "pas un jour"))
asked = st.fixed_dictionaries(
    {
        "rubrique": st.sampled_from(("", "nulle-part", *SLUGS.values())),
        "texte": st.sampled_from(("", "BILAN", "coeur", "sanguin bilan", "zz", "exemple", "écho biologie")),
        "auteur": st.sampled_from(("", "helene", "EXEMPLE camille", "x")),
        "du": days,
        "au": days,
        "versions": st.sampled_from(("", "anciennes", "toutes", "autres")),
    }
)


def _bare(text: str) -> str:
    plain = unicodedata.normalize("NFD", text.lower().replace("œ", "oe"))
    return "".join(one for one in plain if not unicodedata.combining(one))


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, PARIS).date()


def naive(one: Document, query: dict[str, str]) -> bool:
    """What somebody who reads the address would expect."""
    heading = category(one.info.type_code, one.info.class_code)
    if query["rubrique"] in SLUGS.values() and SLUGS[heading] != query["rubrique"]:
        return False
    if any(word not in _bare(one.info.author) for word in _bare(query["auteur"]).split()):
        return False
    said = _bare(f"{one.info.title} {heading} {one.info.author}")
    if any(word not in said for word in _bare(query["texte"]).split()):
        return False
    wanted = {"anciennes": ["deprecated"], "toutes": ["approved", "deprecated"]}
    if one.status not in wanted.get(query["versions"], ["approved"]):
        return False
    first, last = query["du"], query["au"]
    if first[:1] == "2" and last[:1] == "2" and first > last:
        last = ""  # told as wrong
    if first[:1] == "2" and _day(one.created_at) < date.fromisoformat(first):
        return False
    return not (last[:1] == "2" and _day(one.created_at) > date.fromisoformat(last))


@given(held=documents, query=asked)
def test_the_list_holds_what_a_naive_reader_expects(held: list[Document], query: dict[str, str]) -> None:
    wanted = filters.read(query)
    found = [one for one in ordered(held) if wanted.wanted.matches(one)]
    assert {one.document_id for one in found} == {one.document_id for one in held if naive(one, query)}
    bad = {name for name in ("du", "au") if query[name][:1] == "p"}
    assert bad <= set(wanted.errors)


@given(query=asked, page=st.text(max_size=8))
def test_an_address_says_again_what_was_read_from_it(query: dict[str, str], page: str) -> None:
    wanted = filters.read({**query, "page": page})
    again = filters.read(dict(parse_qsl(urlsplit(wanted.path()).query)))
    assert again.wanted == wanted.wanted and wanted.page >= 1


@given(held=documents, number=st.integers(-5, 50), size=st.integers(1, 5))
def test_pages_hold_everything_once(held: list[Document], number: int, size: int) -> None:
    shown, here, last = page_of(held, number, size)
    assert 1 <= here <= last
    every = [one for page in range(1, last + 1) for one in page_of(held, page, size)[0]]
    assert every == held
    assert shown == held[(here - 1) * size : here * size]


@given(
    query=st.dictionaries(
        st.sampled_from(("quoi", "par", "du", "au", "refus", "document", "avant")), st.text()
    )
)
def test_any_address_of_the_history_is_read(query: dict[str, str]) -> None:
    sought = read_history(query)
    assert isinstance(sought, Sought)
    assert sought.kind in KINDS and sought.who in WHO and 0 <= sought.before < 2**63


def test_every_heading_has_an_address_of_its_own() -> None:
    assert len(set(SLUGS.values())) == len(HEADINGS)
    assert all(one.replace("-", "").isascii() and one.replace("-", "").isalnum() for one in SLUGS.values())
