"""The record (dossier): a patient's documents, the embedded DMP."""

from dossier.categories import CATEGORIES, category
from dossier.documents import (
    delete_document,
    document_by_id,
    document_by_unique_id,
    documents,
    file_document,
    is_filed,
    open_document,
    prepare_document,
    put_document,
)
from dossier.errors import DossierError
from dossier.model import Depositor, Document, DocumentInfo, Filed, NewDocument, Outcome

__all__ = [
    "CATEGORIES",
    "Depositor",
    "Document",
    "DocumentInfo",
    "DossierError",
    "Filed",
    "NewDocument",
    "Outcome",
    "category",
    "delete_document",
    "document_by_id",
    "document_by_unique_id",
    "documents",
    "file_document",
    "is_filed",
    "open_document",
    "prepare_document",
    "put_document",
]
