"""directory words: the index of free text, and the start without old rows"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The rows of 0001 are gone with their tables: nothing of the directory is in use until it is imported.
    op.execute("DELETE FROM annuaire_current WHERE source IN ('mailboxes', 'activities')")
    op.execute("DELETE FROM annuaire_generation")
    if op.get_bind().dialect.name == "sqlite":
        # Words come folded and parted by blanks. The first two and three letters are indexed too: what begins
        # with them is read in the order of the rows, and reading ends with the last candidate.
        op.execute(
            "CREATE VIRTUAL TABLE annuaire_text USING fts5(search, content='annuaire_bal', "
            "content_rowid='entry_id', tokenize='ascii', detail=none, columnsize=0, prefix='2 3')"
        )
    else:
        op.execute(
            "CREATE INDEX ix_annuaire_bal_search ON annuaire_bal USING gin "
            "(array_to_tsvector(string_to_array(search, ' ')))"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TABLE annuaire_text")
    else:
        op.execute("DROP INDEX ix_annuaire_bal_search")
