"""What the rights refuse."""

from __future__ import annotations

from dossier.rights.model import Decision
from store import PasserelleError
from store.errors import Fault


class RightsError(PasserelleError):
    """Somebody asks for what is not his. ``rule`` is the decision's, ``french`` its sentence for who asks."""

    code = 550
    enhanced = "5.7.1"
    fault: Fault = "peer"

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.rule, decision.english)
        self.french = decision.french


class MatrixError(PasserelleError):
    """A habilitation matrix that cannot be taken: ``dossier.matrix_file``, ``dossier.matrix_header``,
    ``dossier.matrix_rows``. Nothing was changed."""

    code = 550
    enhanced = "5.6.0"
    fault: Fault = "config"
