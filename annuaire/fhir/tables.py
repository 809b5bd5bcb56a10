"""What is kept of the API: where each search stands, and what each resource gave to the directory.

A search is staged page by page, so that it can be taken up after an interruption; the directory changes
in one step when all of it is there. A deleted resource tells its id only: what it gave is found here.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, Index, String, Table, Text, literal_column

from store import metadata

search = Table(
    "annuaire_fhir_search",
    metadata,
    Column("kind", String(16), primary_key=True),  # Organization, Practitioner, PractitionerRole
    Column("mark", BigInteger, nullable=False),  # everything changed before (ms) is applied; 0: nothing is
    Column("run", BigInteger, nullable=False),  # the search under way, 0: none
    Column("whole", Boolean, nullable=False),  # of everything, not of changes
    Column("begun_at", BigInteger, nullable=False),  # by the server's clock
    Column("highest", BigInteger, nullable=False),  # newest change seen by this search
    Column("next_url", Text, nullable=False),
    Column("done", Boolean, nullable=False),
)

resource = Table(
    "annuaire_fhir_resource",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("run", BigInteger, nullable=False),  # the last search that gave it
    Column("gone", Boolean, nullable=False),
    Column("id_nat", String(64), nullable=False),
    Column("struct_id", String(64), nullable=False),
    Column("holder", Text, nullable=False),  # JSON: what roles that refer to it need to know
    Column("rows", Text, nullable=False),  # JSON: what it gives to the directory now
    Column("staged", Text, nullable=False),  # JSON: what it will give; "" when nothing is staged
    Column("updated_at", BigInteger, nullable=False),
    Index("ix_annuaire_fhir_resource_holder", "id_nat", "struct_id"),
)
#: The resources of which something is staged; few at a time, so the index on them is small.
is_staged: Final[ColumnElement[bool]] = resource.c.staged != literal_column("''", Text)
Index(
    "ix_annuaire_fhir_resource_staged",
    resource.c.kind,
    resource.c.id,
    sqlite_where=is_staged,
    postgresql_where=is_staged,
)
