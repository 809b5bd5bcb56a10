"""``/historique``: everything that happened, in sentences, as who reads it may see it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Final, get_args
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response
from starlette.routing import BaseRoute

import activity
import dossier
from activity import Actor, Asked, By, What
from dossier import Line
from webmail import content
from webmail.formats import there
from webmail.guards import get
from webmail.languages import N_, Language, typeset
from webmail.record import filters
from webmail.record.asking import asked
from webmail.turn import Turn

#: Lines of a page, and the most of a file.
PAGE: Final = 50
EXPORT: Final = 100_000
_LONGEST: Final = 64


def _group(what: What) -> str:
    """Under which kind of thing an action is found."""
    if what in ("document_read", "documents_listed"):
        return "lectures"
    if what.startswith(("professional_", "physician_", "emergency_", "rights_", "consent_declared")):
        return "acces"
    if what.startswith("document"):
        return "documents"
    if what.startswith(("profile_", "measure", "summary_")):
        return "sante"
    if what.startswith(("appointment", "calendar_", "feed_", "proposal_")):
        return "agenda"
    if what.startswith(("consent", "data_")):
        return "services"
    return "compte"


KINDS: Final = {
    "": N_("Tout"),
    "lectures": N_("Lectures de documents"),
    "documents": N_("Dépôts et changements de documents"),
    "acces": N_("Accès au dossier"),
    "sante": N_("Profil médical et mesures"),
    "agenda": N_("Agenda"),
    "services": N_("Services et échanges de données"),
    "compte": N_("Historique, avis et archives"),
}
_WHAT: Final[dict[str, tuple[What, ...]]] = {
    kind: tuple(one for one in get_args(What) if _group(one) == kind) for kind in KINDS if kind
}
WHO: Final = {
    "": N_("Tout le monde"),
    "moi": N_("Vous"),
    "autres": N_("Tous les autres : professionnels, assistance, services"),
    "professionnels": N_("Les professionnels"),
    "famille": N_("Le patient et ses représentants"),
    "assistance": N_("L'assistance"),
    "services": N_("Les services du catalogue"),
}
_BY: Final[dict[str, tuple[By, ...]]] = {
    "autres": activity.OTHERS,
    "professionnels": activity.PROFESSIONALS,
    "famille": ("patient", "representative"),
    "assistance": ("operator",),
    "services": ("service",),
}


class Sought(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the history that is wanted, as typed. ``errors``: a sentence (msgid) by field."""

    kind: str = ""
    who: str = ""
    first: str = ""
    last: str = ""
    refused: bool = False
    document: str = ""
    professional: str = ""
    before: int = 0
    errors: dict[str, str] = {}

    def question(self, reader: Actor) -> Asked:
        """The same as the journal is asked."""
        mine = self.who == "moi"
        return Asked(
            by=(reader.by,) if mine else ("professional",) if self.professional else _BY.get(self.who, ()),
            ident=reader.ident if mine else self.professional,
            what=_WHAT.get(self.kind, ()),
            kind="document" if self.document else "",
            subject=self.document,
            refused=self.refused,
        )

    @property
    def since(self) -> int:
        return (filters.begin(self.first) or 0) if "du" not in self.errors else 0

    @property
    def until(self) -> int | None:
        return filters.begin(self.last, after=1) if "au" not in self.errors else None

    @property
    def narrowed(self) -> bool:
        named = (self.kind, self.who, self.first, self.last, self.refused, self.document, self.professional)
        return any(named)

    def path(self, place: str = "/historique", **changes: str) -> str:
        """The address of this part of the history."""
        named = {
            "quoi": self.kind,
            "par": self.who,
            "du": self.first,
            "au": self.last,
            "refus": "oui" if self.refused else "",
            "document": self.document,
            "professionnel": self.professional,
            **changes,
        }
        query = urlencode({name: value for name, value in named.items() if value})
        return f"{place}?{query}" if query else place


def read(query: Mapping[str, str]) -> Sought:
    """What an address asks for; what is not known is not there."""

    def given(name: str) -> str:
        return query.get(name, "").strip()[:_LONGEST]

    def number(name: str) -> int:
        text = given(name)
        return int(text) if text.isascii() and text.isdigit() and int(text) < 2**63 else 0

    days = filters.read({"du": given("du"), "au": given("au")})
    document = number("document")
    return Sought(
        kind=given("quoi") if given("quoi") in KINDS else "",
        who=given("par") if given("par") in WHO else "",
        first=given("du"),
        last=given("au"),
        refused=given("refus") == "oui",
        document=str(document) if document else "",
        professional=given("professionnel"),
        before=number("avant"),
        errors=days.errors,
    )


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One line as it is shown. ``times``: how often the same stood there in a row; ``path``: what it is
    about, where that is still to be seen."""

    at: int
    sentence: str
    times: int = 1
    urgent: bool = False
    refused: bool = False
    other: bool = False
    path: str = ""


def told(lines: list[Line], language: Language) -> list[tuple[int, list[Told]]]:
    """Lines by day (a moment of it), the newest first; the same thing done again and again is one line."""
    days = []
    for _, of_day in groupby(lines, lambda one: there(one.at).date()):
        shown: list[Told] = []
        for sentence, same in groupby(of_day, lambda one: one.french if language == "fr" else one.english):
            one, *more = same
            alike = one.by in ("patient", "representative") and not one.subject
            times = 1 + len(more) if alike else 1
            shown += [_told(line, sentence, times) for line in ([one] if alike else [one, *more])]
        days.append((shown[0].at, shown))
    return days


def _told(one: Line, sentence: str, times: int) -> Told:
    path = ""
    if one.subject and one.kind == "document":
        path = f"/documents/{one.subject}"
    elif one.subject and one.kind == "professional":
        path = f"/droits/professionnel?{urlencode({'id': one.subject})}"
    return Told(
        at=one.at,
        sentence=typeset(sentence) if sentence == one.french else sentence,
        times=times,
        urgent=one.purpose != "normal",
        refused=one.refused,
        other=one.by in activity.OTHERS,
        path=path,
    )


async def history(turn: Turn) -> Response:
    """``/historique``. Looking at it is in it; asking for its head is not."""
    sought, visit = read(turn.request.query_params), turn.visit
    if content.is_look_ahead(turn.request):
        return turn.page("record/soon.html")
    question = sought.question(visit.actor)
    lines = await asked(
        turn,
        dossier.history_for,
        visit.store,
        visit.box_id,
        visit.actor,
        question,
        since=sought.since,
        until=sought.until,
        before=sought.before,
        limit=PAGE + 1,
    )
    counts = await turn.read(
        dossier.history_counts,
        visit.store,
        visit.box_id,
        visit.actor,
        question,
        since=sought.since,
        until=sought.until,
    )
    shown = lines[:PAGE]
    return turn.page(
        "record/history.html",
        422 if sought.errors else 200,
        sought=sought,
        errors={name: turn.say(text) for name, text in sought.errors.items()},
        days=told(shown, turn.language),
        counts=counts,
        others=sum(counts.by.get(one, 0) for one in activity.OTHERS),
        older=sought.path(avant=str(shown[-1].activity_id)) if len(lines) > PAGE else "",
        kinds=[(key, turn.say(text)) for key, text in KINDS.items()],
        whos=[(key, turn.say(text)) for key, text in WHO.items()],
    )


async def as_csv(turn: Turn) -> Response:
    """``/historique.csv``: the part that is wanted, for a spreadsheet."""
    return await _file(turn, "csv")


async def as_json(turn: Turn) -> Response:
    """``/historique.json``: the same for a program."""
    return await _file(turn, "json")


async def _file(turn: Turn, form: str) -> Response:
    sought, visit = read(turn.request.query_params), turn.visit
    media = "text/csv" if form == "csv" else "application/json"
    head = content.head(f"historique.{form}", media)
    if content.is_look_ahead(turn.request):
        return Response(headers=head)
    lines = await asked(
        turn,
        dossier.history_for,
        visit.store,
        visit.box_id,
        visit.actor,
        sought.question(visit.actor),
        since=sought.since,
        until=sought.until,
        limit=EXPORT,
    )
    written = await turn.run(dossier.history_csv if form == "csv" else dossier.history_json, lines)
    return Response(written, headers=head)


ROUTES: Final[list[BaseRoute]] = [
    get("/historique", history),
    get("/historique.csv", as_csv),
    get("/historique.json", as_json),
]
