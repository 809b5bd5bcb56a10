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
from dossier.figures import filings
from dossier.model import Depositor, Document, DocumentInfo, Filed, NewDocument, Outcome
from dossier.readers import document_for, documents_for

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
    "document_for",
    "documents",
    "documents_for",
    "file_document",
    "filings",
    "is_filed",
    "open_document",
    "prepare_document",
    "put_document",
]
