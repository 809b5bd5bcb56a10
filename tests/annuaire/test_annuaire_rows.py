"""Reading rows: what is remembered between lines changes nothing of what a line says."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from annuaire.extraction import Extraction
from annuaire.layouts import ACTIVITIES, MAILBOXES, Layout
from annuaire.names import fold, fold_address, valid_address, words
from annuaire.rows import ActivityReader, MailboxReader, RowFaultError

_CELL = st.sampled_from(
    [
        *(b"", b" ", b"8", b"810009999991", b" 810009999991 ", b"M", b"EXEMPLE", b"MOD\xc3\x88LE", b"\xff"),
        *(b"a\x00", b"PER", b"ORG", b"10", b"Saint-\xc3\x89tienne", b"30000000622553", b"x" * 300),
        *(b"a@b.fr", b"A@B.FR."),
    ]
)


def extraction(layout: Layout, columns: list[str]) -> Extraction:
    header = "|".join(columns).encode() + b"\n"
    return Extraction(io.BytesIO(header), len(header))


def said(read: Any, line: bytes) -> object:
    try:
        return read(line)
    except RowFaultError as fault:
        return str(fault)


@st.composite
def lines(draw: Any, layout: Layout) -> tuple[list[str], list[bytes]]:
    """A header in some order, and lines that have cells in common."""
    columns = draw(st.one_of(st.just(list(layout.columns)), st.permutations(list(layout.columns))))
    used = {columns.index(label) for label in layout.fields.values() if label in columns}
    some = []
    for _ in range(draw(st.integers(1, 3))):
        cells = [draw(_CELL) if place in used else b"" for place in range(len(columns))]
        cells[columns.index(layout.fields["national"])] = b"810009999991"
        some.append(cells)
    made = []
    for _ in range(draw(st.integers(2, 6))):
        first, last = draw(st.sampled_from(some)), draw(st.sampled_from(some))
        cut = draw(st.integers(0, len(columns)))
        cells = [*first[:cut], *last[cut:]]
        if draw(st.booleans()):
            cells[draw(st.sampled_from(sorted(used)))] = draw(_CELL)
        if draw(st.integers(0, 9)) == 0:
            cells.pop()
        made.append(b"|".join(cells))
    return columns, made


@given(lines(ACTIVITIES))
def test_an_activity_reads_the_same_after_any_others(drawn: tuple[list[str], list[bytes]]) -> None:
    columns, made = drawn
    opened = extraction(ACTIVITIES, columns)
    site: dict[Any, int] = {}

    def intern(content: tuple[Any, ...]) -> int:
        return site.setdefault(content, len(site) + 1)

    remembering = ActivityReader(opened.mapping, intern, opened.cells)
    for line in made:
        afresh = ActivityReader(opened.mapping, intern, opened.cells)
        assert said(remembering, line) == said(afresh, line)


@given(lines(MAILBOXES))
def test_a_mailbox_reads_the_same_after_any_others(drawn: tuple[list[str], list[bytes]]) -> None:
    columns, made = drawn
    opened = extraction(MAILBOXES, columns)
    remembering = MailboxReader(opened.mapping, "mailboxes")
    for line in made:
        afresh = MailboxReader(opened.mapping, "mailboxes")
        assert said(lambda one, read=remembering: read(opened.cells(one)), line) == said(
            lambda one, read=afresh: read(opened.cells(one)), line
        )


@given(
    st.one_of(
        st.from_regex(r"[ A-Za-zé._'+-]{1,66}@[A-Za-z0-9.-]{1,20}", fullmatch=True), st.text(max_size=40)
    )
)
def test_an_address_is_kept_as_look_ups_fold_it(address: str) -> None:
    opened = extraction(MAILBOXES, list(MAILBOXES.columns))
    cells = [""] * 32
    cells[0], cells[1], cells[4] = "PER", address, "810009999991"
    row = said(MailboxReader(opened.mapping, "mailboxes"), cells)  # type: ignore[arg-type]  # cells, not a line
    if isinstance(row, str):
        assert not valid_address(fold_address(address.strip())) or "longer" in row
        return
    assert isinstance(row, tuple)
    assert row[1] == fold_address(address)
    assert set(words(row[1])) <= set(row[-1].split(" "))


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_folding_takes_away_what_combines_and_nothing_else(text: str) -> None:
    plain = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    assert fold(text) == " ".join(plain.split())
