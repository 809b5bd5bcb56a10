"""Alembic's environment: runs migrations on the connection that :func:`store.database.migrate` gives."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    # An FTS5 index keeps tables of its own beside it: a migration by hand makes them, no room declares them.
    include_name=lambda name, kind, _: kind != "table" or not str(name).startswith("annuaire_text"),
)
with context.begin_transaction():
    context.run_migrations()
