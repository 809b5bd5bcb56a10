"""Measures of the record: what people note of their weight, blood pressure, glycaemia and the like.

Values are kept as entered and sealed; all arithmetic is of exact fractions. docs/dossier.md, "Measures".
"""

from dossier.measures import moments, words
from dossier.measures.bmi import CORPULENCES, Bmi, Corpulence, corpulence_of, index, indices
from dossier.measures.errors import MeasureError
from dossier.measures.figures import counts
from dossier.measures.importing import BadMeasure, Imported, import_measures, kind_named, to_csv
from dossier.measures.keeping import Draft, add, birth_date_of, correct, draft, remove
from dossier.measures.kinds import INFO, KINDS, Context, Kind, KindInfo, Part, Quantity, Shown, Unit
from dossier.measures.model import Measure, Who
from dossier.measures.moments import Moment
from dossier.measures.parsing import parse, quantity
from dossier.measures.plausible import LIMITS, Limits, Range, limits, unusual
from dossier.measures.plotting import Table, plot_svg, summary, table
from dossier.measures.reading import (
    Held,
    Latest,
    everything,
    held,
    index_series,
    latest,
    measure_for,
    read,
    read_indices,
    read_latest,
    series,
)
from dossier.measures.words import Language

__all__ = [
    "CORPULENCES",
    "INFO",
    "KINDS",
    "LIMITS",
    "BadMeasure",
    "Bmi",
    "Context",
    "Corpulence",
    "Draft",
    "Held",
    "Imported",
    "Kind",
    "KindInfo",
    "Language",
    "Latest",
    "Limits",
    "Measure",
    "MeasureError",
    "Moment",
    "Part",
    "Quantity",
    "Range",
    "Shown",
    "Table",
    "Unit",
    "Who",
    "add",
    "birth_date_of",
    "corpulence_of",
    "correct",
    "counts",
    "draft",
    "everything",
    "held",
    "import_measures",
    "index",
    "index_series",
    "indices",
    "kind_named",
    "latest",
    "limits",
    "measure_for",
    "moments",
    "parse",
    "plot_svg",
    "quantity",
    "read",
    "read_indices",
    "read_latest",
    "remove",
    "series",
    "summary",
    "table",
    "to_csv",
    "unusual",
    "words",
]
