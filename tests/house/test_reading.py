"""No code path but dossier/access.py reads a document: bodies, and what is sealed of them."""

from __future__ import annotations

import ast

from house_source import exported, imports, modules

#: Functions of :mod:`dossier.documents` that open the sealed part of documents → who may use them, and why.
SEALED = {"documents", "document_by_id", "document_by_unique_id", "versions"}
MAY_OPEN = {
    "dossier.access": "every list and every body, by the rights",
    "dossier.rights.decisions": "the codes that a decision needs; gives a decision, no document",
    "dossier.rights.explain": "as dossier.rights.decisions",
    "dossier.deposits": "which document a deposit replaces, once that was allowed",
    "dossier.keeping": "the title of a document that is removed, for the journal, once that was allowed",
}
BODIES = {"open_document", "open_placed"}
#: Who sees the rows themselves; what tells of health is sealed in them.
MAY_SELECT = {"dossier.documents", "dossier.figures", "dossier.keeping", "dossier.previous"}


def _uses(name: str) -> set[str]:
    """Modules that name ``name`` in any way: a call, an import, an attribute."""
    found = set()
    for module in modules().values():
        for node in ast.walk(module.tree):
            named = {
                getattr(node, "id", None),
                getattr(node, "attr", None),
                getattr(node, "name", None),
            }
            if name in named:
                found.add(module.name)
    return found


def test_bodies_of_documents_are_opened_by_access_alone() -> None:
    assert _uses("open_document") == {"dossier.documents", "dossier.access"}
    assert _uses("open_placed") == {"store.store", "dossier.documents"}


def test_what_is_sealed_of_documents_is_opened_by_few() -> None:
    taken = {
        one.importer
        for one in imports()
        if one.module == "dossier.documents" and (one.name in SEALED or not one.name)
    }
    assert taken == set(MAY_OPEN)
    whole = {one.importer for one in imports() if one.module == "dossier" and one.name == "documents"}
    assert whole == set(), "the module as a whole would give its raw readers"


def test_rows_of_documents_are_selected_by_few() -> None:
    assert {one.importer for one in imports() if one.module == "dossier.tables"} == MAY_SELECT


def test_the_room_gives_no_raw_reader() -> None:
    assert not exported("dossier") & (SEALED | BODIES)
