"""``/documents/deposer``, ``/documents/…/remplacer``: a patient's files, checked, told at the field."""

from __future__ import annotations

from typing import Final

import msgspec
from starlette.datastructures import UploadFile
from starlette.responses import Response
from starlette.routing import BaseRoute

import dossier
from dossier import PATIENT_LIMIT, PATIENT_TYPES, Document, DossierError, Filed, rights
from patients import calendar
from store import PasserelleError, now_ms
from webmail.guards import get, post
from webmail.languages import N_
from webmail.record.filters import BAD_DAY, begin
from webmail.record.one import page_named
from webmail.record.wording import OF_SLUG, SENTENCES, SLUGS, WHERE, refused
from webmail.turn import Turn

#: Files of one deposit, and octets of all together with the form around them.
MOST_FILES: Final = 5
BODY: Final = MOST_FILES * PATIENT_LIMIT + 300_000
#: What a browser offers to choose from.
ACCEPTED: Final = ".pdf,.jpg,.jpeg,.png,.tif,.tiff,.rtf,.txt,application/pdf,image/jpeg,image/png,image/tiff"
#: Rule → the field that its sentence stands at.
_FIELDS: Final = {
    "dossier.media": "fichier",
    "dossier.image": "fichier",
    "dossier.size": "fichier",
    "dossier.category": "rubrique",
    "dossier.date": "date",
}
_CHOOSE: Final = N_("Choisir…")
_NO_FILE: Final = N_("Choisissez au moins un fichier.")
_TOO_MANY: Final = N_("Choisissez cinq fichiers au plus à la fois.")
_ONE_FILE: Final = N_("Choisissez un seul fichier.")
_NOT_DONE: Final = N_("Ce fichier n'a pas pu être déposé. Essayez à nouveau dans un instant.")


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed, given back when something is wrong. ``heading`` is a slug."""

    title: str = ""
    date: str = ""
    heading: str = ""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one file: filed (``document_id``) or refused (``sentence``, at ``field``)."""

    name: str
    document_id: int = 0
    duplicate: bool = False
    sentence: str = ""
    field: str = ""


async def form(turn: Turn) -> Response:
    """``/documents/deposer``"""
    heading = turn.asked("rubrique")
    return _page(turn, Typed(heading=heading if heading in OF_SLUG else ""), {})


async def deposit(turn: Turn) -> Response:
    """``POST /documents/deposer``: each file becomes a document; what is refused is told."""
    typed = Typed(title=turn.text("titre"), date=turn.text("date"), heading=turn.text("rubrique"))
    files = turn.files("fichier")
    errors = _errors(turn, typed, files)
    if typed.heading not in OF_SLUG:
        errors["rubrique"] = turn.say(WHERE)
    if errors:
        return _page(turn, typed, errors, status=422)
    outcomes = [await _take(turn, one, typed, alone=len(files) == 1) for one in files]
    return _answer(turn, typed, outcomes)


async def replacing(turn: Turn) -> Response:
    """``/documents/N/remplacer``: the form for a new version."""
    old = await _replaced(turn)
    return _page(turn, Typed(title=old.info.title), {}, old=old)


async def replace(turn: Turn) -> Response:
    """``POST /documents/N/remplacer``: one file takes the place of a document; the old version stays."""
    old = await _replaced(turn)
    typed = Typed(title=turn.text("titre"), date=turn.text("date"))
    files = turn.files("fichier")
    errors = _errors(turn, typed, files, most=1)
    if errors:
        return _page(turn, typed, errors, status=422, old=old)
    outcome = await _take(turn, files[0], typed, alone=True, replaces=old.unique_id)
    return _answer(turn, typed, [outcome], old=old)


async def _replaced(turn: Turn) -> Document:
    """The document to replace. Raises :class:`Missing`; :class:`Refused`: it is not his to replace."""
    page = await page_named(turn)
    if "replace" not in page.may or page.document.status != "approved":
        raise refused(DossierError("dossier.author", "not his to replace"))
    return page.document


def _errors(turn: Turn, typed: Typed, files: list[UploadFile], most: int = MOST_FILES) -> dict[str, str]:
    """What is wrong before any file is looked at, by field."""
    errors = {}
    if not files:
        errors["fichier"] = turn.say(_NO_FILE)
    elif len(files) > most:
        errors["fichier"] = turn.say(_TOO_MANY if most > 1 else _ONE_FILE)
    if typed.date and begin(typed.date) is None:
        errors["date"] = turn.say(BAD_DAY)
    return errors


async def _take(turn: Turn, file: UploadFile, typed: Typed, *, alone: bool, replaces: str = "") -> Outcome:
    visit = turn.visit
    name = file.filename or ""
    content = await file.read(PATIENT_LIMIT + 1)
    try:
        filed: Filed = await turn.run(
            lambda: dossier.deposit(
                visit.store,
                visit.box_id,
                visit.actor,
                content=content,
                filename=name,
                title=typed.title if alone else "",
                category=OF_SLUG.get(typed.heading, ""),
                date=begin(typed.date),
                replaces=replaces,
            )
        )
    except rights.RightsError as error:
        raise refused(error) from None
    except PasserelleError as error:
        if error.fault in ("us", "config"):
            raise
        sentence = turn.say(SENTENCES.get(error.rule, _NOT_DONE))
        return Outcome(name=name, sentence=sentence, field=_FIELDS.get(error.rule, "fichier"))
    return Outcome(name=name, document_id=filed.document_id, duplicate=filed.outcome == "duplicate")


def _answer(turn: Turn, typed: Typed, outcomes: list[Outcome], old: Document | None = None) -> Response:
    bad = [one for one in outcomes if one.sentence]
    if bad:
        errors: dict[str, str] = {}
        for one in bad:
            named = one.sentence if len(outcomes) == 1 else f"{one.name} : {one.sentence}"
            errors[one.field] = f"{errors[one.field]} {named}" if one.field in errors else named
        done = [one for one in outcomes if not one.sentence]
        return _page(turn, typed, errors, status=422, done=done, old=old)
    if len(outcomes) > 1:
        same = any(one.duplicate for one in outcomes)
        return turn.go("/documents?ordre=depot", _SOME_SAME if same else _ALL_FILED)
    only = outcomes[0]
    path = f"/documents/{only.document_id}"
    if only.duplicate:
        return turn.go(path, _SAME, kind="info")
    return turn.go(path, _REPLACED if old is not None else _FILED)


_FILED: Final = N_("Le document est déposé dans le dossier.")
_REPLACED: Final = N_("La nouvelle version est déposée. L'ancienne reste dans les versions.")
_SAME: Final = N_("Ce fichier était déjà dans le dossier : le voici.")
_ALL_FILED: Final = N_("Les documents sont déposés dans le dossier.")
_SOME_SAME: Final = N_("Les documents sont déposés. Ceux qui étaient déjà là ne le sont pas deux fois.")


def _page(
    turn: Turn,
    typed: Typed,
    errors: dict[str, str],
    *,
    status: int = 200,
    done: list[Outcome] | None = None,
    old: Document | None = None,
) -> Response:
    return turn.page(
        "record/deposit.html",
        status,
        typed=typed,
        errors=errors,
        done=done or [],
        old=old,
        headings=[("", turn.say(_CHOOSE)), *((SLUGS[one], turn.say(one)) for one in PATIENT_TYPES)],
        limit=PATIENT_LIMIT,
        most=1 if old is not None else MOST_FILES,
        accepted=ACCEPTED,
        today=calendar.today(now_ms()).isoformat(),
    )


ROUTES: Final[list[BaseRoute]] = [
    get("/documents/deposer", form),
    post("/documents/deposer", deposit, body=BODY, files=MOST_FILES + 1),
    get("/documents/{document_id:int}/remplacer", replacing),
    post("/documents/{document_id:int}/remplacer", replace, body=PATIENT_LIMIT + 300_000, files=2),
]
