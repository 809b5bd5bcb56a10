"""Free text: words that begin so, in any order, and filters; on an index of words.

SQLite: an FTS5 table over ``annuaire_bal`` (detail=none); PostgreSQL: a GIN index on the words. Both are
made by a migration of their own. Filters are words too, opened by a mark that nobody types.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Integer,
    String,
    cast,
    column,
    exists,
    func,
    literal_column,
    not_,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import TSQUERY

from annuaire.lookup import Mailbox, between, boxes, read_box
from annuaire.names import fold, words
from annuaire.rows import MARK, search_mark
from annuaire.tables import current, mailbox

_MOST_WORDS: Final = 10
#: Of more rows than this that match, some are sorted and shown; the question was too wide.
_CANDIDATES: Final = 2_000
#: Beyond Cyrillic the tokenizers differ in what a letter is; no such word is in the directory.
_LAST_LETTER: Final = "\u052f"


def search(
    conn: Connection,
    text: str,
    limit: int = 20,
    *,
    profession: str = "",
    town: str = "",
    postcode: str = "",
    department: str = "",
    kind: str = "",
) -> list[Mailbox]:
    """Mailboxes with a word that starts with each word of ``text`` (address, names, profession, place).

    Accents and case do not count. ``profession`` is a code (G15) or words of its label, ``town`` the
    beginning of a town's name; ``postcode``, ``department`` and ``kind`` (PER, ORG, CAB, APP) are whole.
    Boxes of the red list never come. At most ``limit`` (1 to 500) rows, by name.
    """
    typed = words(text)
    if profession and not profession.isdigit():
        typed += words(profession)
        profession = ""
    if any(letter > _LAST_LETTER or letter == MARK for word in typed for letter in word):
        return []
    wanted = [(word, True) for word in typed]
    filters = (("p", profession), ("t", town), ("c", postcode), ("d", department), ("k", kind))
    for name, value in filters:
        if any(letter > _LAST_LETTER for letter in fold(value)):
            return []
        if fold(value):
            wanted.append((search_mark(name, value), name == "t"))
    if not wanted:
        return []
    red = mailbox.alias("red")
    shown = not_(
        exists()
        .where(
            red.c.address == mailbox.c.address,
            red.c.red_list,
            red.c.source == current.c.source,
            between(red, current),
        )
        .correlate(mailbox)
    )
    rows_of_words, matching = _match(conn, wanted[:_MOST_WORDS])
    some = (
        select(mailbox.c.entry_id, mailbox.c.name, mailbox.c.address)
        .select_from(rows_of_words.join(current, current.c.source == mailbox.c.source))
        .where(between(mailbox, current), matching, shown)
        .limit(_CANDIDATES)
        .subquery()
    )
    # Only of what will be shown is it asked whether it is active, and an officine.
    first = select(some.c.entry_id).order_by(some.c.name, some.c.address).limit(max(1, min(limit, 500)))
    statement = boxes(current, mailbox.c.entry_id.in_(first))
    rows = conn.execute(statement.order_by(None).order_by(mailbox.c.name, mailbox.c.address))
    return [read_box(row) for row in rows]


def _match(conn: Connection, wanted: list[tuple[str, bool]]) -> tuple[FromClause, ColumnElement[bool]]:
    """Where rows that have all words come from; (word, whether more letters may follow)."""
    if conn.dialect.name == "sqlite":
        asked = " AND ".join(f'"{word}"{" *" if more else ""}' for word, more in wanted)
        # Joined, not asked for beforehand: reading ends with the last candidate.
        return _index.join(mailbox, mailbox.c.entry_id == _index.c.rowid), _index.c.annuaire_text.op("MATCH")(
            asked
        )
    asked = " & ".join(f"'{word}'{':*' if more else ''}" for word, more in wanted)
    vector = func.array_to_tsvector(func.string_to_array(mailbox.c.search, literal_column("' '")))
    # Cast, not parsed: the words are what they are.
    return mailbox, vector.op("@@")(cast(asked, TSQUERY))


#: The FTS5 table; its hidden column of its own name takes the question.
_index: Final = table("annuaire_text", column("rowid", Integer), column("annuaire_text", String))
