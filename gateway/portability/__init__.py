"""Portability: everything about one person as one archive, and such an archive taken over elsewhere."""

from gateway.portability.errors import PortabilityError
from gateway.portability.exporting import export_archive, export_to_file
from gateway.portability.importing import Part, TakenOver, import_archive
from gateway.portability.model import FileFact, Manifest, Missing, Person
from gateway.portability.reading import ArchiveReader, Limits
from gateway.portability.tables import drop_taken_over
from gateway.portability.writing import mboxrd

__all__ = [
    "ArchiveReader",
    "FileFact",
    "Limits",
    "Manifest",
    "Missing",
    "Part",
    "Person",
    "PortabilityError",
    "TakenOver",
    "drop_taken_over",
    "export_archive",
    "export_to_file",
    "import_archive",
    "mboxrd",
]
