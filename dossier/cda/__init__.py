"""CDA R2 documents as people read them: header and narrative as safe HTML and as text, files inside."""

from dossier.cda.body import embedded
from dossier.cda.page import Rendered, render

__all__ = ["Rendered", "embedded", "render"]
