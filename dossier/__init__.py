"""The record (dossier): a patient's documents, the embedded DMP."""

from dossier import health, measures
from dossier.access import (
    Marked,
    come_with,
    document_for,
    document_named,
    documents_for,
    kept_from,
    list_documents,
    marks_of,
    read_document,
    titles_for,
)
from dossier.categories import CATEGORIES, PATIENT_TYPES, category
from dossier.cda import Rendered, embedded
from dossier.cda import render as render_cda
from dossier.codes import IHE_FORMATS, MIME_SUFFICIENT, Code, SetName, TypeCode
from dossier.codes import codes as code_set
from dossier.codes import find as find_code
from dossier.codes import known as known_code
from dossier.deposits import CdaReader, deposit, new_oid, tell_refusal
from dossier.documents import (
    box_of_document,
    delete_document,
    file_document,
    is_filed,
    prepare_document,
    put_document,
)
from dossier.errors import DossierError, UnsafeXmlError
from dossier.figures import filings
from dossier.filters import Order, Wanted, fold, ordered
from dossier.history import Line, history_counts, history_for
from dossier.history_files import to_csv as history_csv
from dossier.history_files import to_json as history_json
from dossier.keeping import depositor_of, info_of, keep, remove, tell
from dossier.media import FILE_KINDS, PATIENT_KINDS, PATIENT_LIMIT, is_kind
from dossier.media import check as check_file
from dossier.media import extension as file_extension
from dossier.media import kind as file_kind
from dossier.model import Depositor, Document, DocumentInfo, Filed, NewDocument, Outcome, Said
from dossier.previous import document_versions
from dossier.wording import clean, clean_filename, title_from
from dossier.xmlsafe import MAX_ELEMENTS, MAX_XML
from dossier.xmlsafe import parse as parse_xml

__all__ = [
    "CATEGORIES",
    "FILE_KINDS",
    "IHE_FORMATS",
    "MAX_ELEMENTS",
    "MAX_XML",
    "MIME_SUFFICIENT",
    "PATIENT_KINDS",
    "PATIENT_LIMIT",
    "PATIENT_TYPES",
    "CdaReader",
    "Code",
    "Depositor",
    "Document",
    "DocumentInfo",
    "DossierError",
    "Filed",
    "Line",
    "Marked",
    "NewDocument",
    "Order",
    "Outcome",
    "Rendered",
    "Said",
    "SetName",
    "TypeCode",
    "UnsafeXmlError",
    "Wanted",
    "box_of_document",
    "category",
    "check_file",
    "clean",
    "clean_filename",
    "code_set",
    "come_with",
    "delete_document",
    "deposit",
    "depositor_of",
    "document_for",
    "document_named",
    "document_versions",
    "documents_for",
    "embedded",
    "file_document",
    "file_extension",
    "file_kind",
    "filings",
    "find_code",
    "fold",
    "health",
    "history_counts",
    "history_csv",
    "history_for",
    "history_json",
    "info_of",
    "is_filed",
    "is_kind",
    "keep",
    "kept_from",
    "known_code",
    "list_documents",
    "marks_of",
    "measures",
    "new_oid",
    "ordered",
    "parse_xml",
    "prepare_document",
    "put_document",
    "read_document",
    "remove",
    "render_cda",
    "tell",
    "tell_refusal",
    "title_from",
    "titles_for",
]
