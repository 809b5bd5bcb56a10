"""The tables of cards and specialities: rows stand from a generation until another, as the directory's do."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, String, Text

from annuaire.tables import versioned

card = versioned(
    "annuaire_card",
    Column("line", BigInteger, nullable=False),  # digest of the line of the extraction
    Column("id_nat", String(64), nullable=False),
    Column("number", String(32), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("begins", BigInteger, nullable=False),  # days in ms, 0:00 UTC; 0: none
    Column("ends", BigInteger, nullable=False),
    Column("opposed", BigInteger, nullable=False),
    Index("ix_annuaire_card_id_nat", "id_nat"),
    Index("ix_annuaire_card_number", "number"),
)

skill = versioned(
    "annuaire_skill",
    Column("line", BigInteger, nullable=False),
    Column("id_nat", String(64), nullable=False),
    Column("profession", String(8), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("code", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Index("ix_annuaire_skill_id_nat", "id_nat"),
)
