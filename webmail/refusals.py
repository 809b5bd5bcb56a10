"""What the rooms of health, measures, agenda and catalogue refuse, as the sentence that each error brings."""

from __future__ import annotations

from agenda import SENTENCES, AgendaError
from catalogue import CatalogueError
from dossier.health import HealthError
from dossier.measures import MeasureError
from store import PasserelleError
from webmail.turn import Missing, Turn

#: What is not there, or not for him, is answered with 404, alike.
UNKNOWN = frozenset({"health.unknown", "measure.unknown", "agenda.unknown", "agenda.invitation"})


def told(turn: Turn, error: PasserelleError) -> str:
    """The sentence of a refusal in the person's language. Raises :class:`Missing` for what is not there."""
    if error.rule in UNKNOWN:
        raise Missing from error
    if isinstance(error, HealthError | MeasureError):
        return _sentence(error.said(turn.language))
    if isinstance(error, AgendaError):
        return _sentence(SENTENCES[error.rule][turn.language == "en"])
    if isinstance(error, CatalogueError) and error.french:
        return _sentence(error.peer if turn.language == "en" else error.french)
    return turn.sentence(error)


def _sentence(text: str) -> str:
    whole = text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "?", "!")) else f"{whole}."
