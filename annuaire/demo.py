"""Small extractions in the real shape, out of a Python list: for the demo and for tests.

A row is a mapping from our names of fields (see :mod:`annuaire.layouts`) to text; columns that we do not
read stay empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from annuaire.layouts import ACTIVITIES, CARDS, DIPLOMAS, MAILBOXES, SKILLS, Layout


def write_mssante(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Write ``Extraction_Correspondance_MSSante`` rows to ``path``.

    For example ``{"kind": "PER", "address": …, "national": "810009999991", "civility": "DR",
    "family": "EXEMPLE", "given": "MARIE", "profession": "10"}`` or ``{"kind": "ORG", "address": …,
    "structure_kind": "1", "structure": "750099999", "legal_name": "PHARMACIE EXEMPLE"}``.
    """
    return _write(path, MAILBOXES, rows, tail="")


def write_activities(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Write ``PS_LibreAcces_Personne_activite`` rows to ``path``.

    For example ``{"national": "810009999991", "civility": "DR", "family": "EXEMPLE", "given": "MARIE",
    "profession": "21", "finess": "750099999", "legal_name": "PHARMACIE EXEMPLE", "sector": "SA33"}``.
    """
    return _write(path, ACTIVITIES, rows, tail="|")  # these files end each line with a separator


def write_cards(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Write ``Porteurs_CPS_CPF`` rows to ``path``; days as AAAAMMJJ.

    For example ``{"national": "810009999991", "kind": "CPS", "number": "2500000017", "begins": "20250101",
    "ends": "20280101", "opposed": ""}``.
    """
    return _write(path, CARDS, rows, tail="")


def write_skills(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Write ``PS_LibreAcces_SavoirFaire`` rows: ``{"national": …, "profession": "10", "code": "SM54"}``."""
    return _write(path, SKILLS, rows, tail="|")


def write_diplomas(path: Path, rows: Iterable[Mapping[str, str]]) -> Path:
    """Write ``PS_LibreAcces_Dipl_AutExerc`` rows: ``{"national": …, "diploma": "DIP01"}``."""
    return _write(path, DIPLOMAS, rows, tail="|")


def _write(path: Path, layout: Layout, rows: Iterable[Mapping[str, str]], tail: str) -> Path:
    rows = list(rows)
    ours = {label for row in rows for field in row if (label := layout.fields[field]) not in layout.columns}
    columns = [*layout.columns, *sorted(ours)]  # those of local lists
    lines = ["|".join(columns) + tail]
    for row in rows:
        cells = dict.fromkeys(columns, "")
        for field, value in row.items():
            cells[layout.fields[field]] = value
        national = row.get("national", "")
        if national:  # the real files carry the identifier whole and in two parts
            if "id_kind" in layout.fields:
                cells[layout.fields["id_kind"]] = row.get("id_kind", national[:1])
            cells[layout.fields["identifier"]] = row.get("identifier", national[1:])
        lines.append("|".join(cells.values()) + tail)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return path
