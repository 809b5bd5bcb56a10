"""Who may do what with a record: one pure function, the facts it judges, and what changes them.

:func:`decide` is the whole of the rules. :func:`may` and :func:`require` gather the facts and ask it.
"""

from dossier.rights.changes import (
    announce,
    appoint,
    authorise,
    block,
    declare_consent,
    dismiss,
    hide,
    mask,
    mask_all,
    rights_of,
    set_emergency,
    show,
    unblock,
    unmask,
    unmask_all,
    withhold,
)
from dossier.rights.decisions import Question, error_of, judge, may, question, refusal, require
from dossier.rights.errors import MatrixError, RightsError
from dossier.rights.explain import Explained, explain, professional
from dossier.rights.facts import facts_of
from dossier.rights.matrix import (
    Matrix,
    MatrixVersion,
    current_matrix,
    matrix_rows,
    matrix_version,
    matrix_versions,
)
from dossier.rights.matrix_import import MatrixReport, import_matrix
from dossier.rights.matrix_rows import BadHabilitation, Habilitation
from dossier.rights.matrix_rows import written as matrix_csv
from dossier.rights.model import ACTIONS, Action, Asker, Decision, DocumentFacts, RecordFacts
from dossier.rights.rules import decide
from dossier.rights.standing import Standing

__all__ = [
    "ACTIONS",
    "Action",
    "Asker",
    "BadHabilitation",
    "Decision",
    "DocumentFacts",
    "Explained",
    "Habilitation",
    "Matrix",
    "MatrixError",
    "MatrixReport",
    "MatrixVersion",
    "Question",
    "RecordFacts",
    "RightsError",
    "Standing",
    "announce",
    "appoint",
    "authorise",
    "block",
    "current_matrix",
    "decide",
    "declare_consent",
    "dismiss",
    "error_of",
    "explain",
    "facts_of",
    "hide",
    "import_matrix",
    "judge",
    "mask",
    "mask_all",
    "matrix_csv",
    "matrix_rows",
    "matrix_version",
    "matrix_versions",
    "may",
    "professional",
    "question",
    "refusal",
    "require",
    "rights_of",
    "set_emergency",
    "show",
    "unblock",
    "unmask",
    "unmask_all",
    "withhold",
]
