"""Measures: the last of each kind as cards, one kind with its plot and table, adding and taking out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from markupsafe import Markup
from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

from dossier import measures, rights
from dossier.measures import (
    CORPULENCES,
    INFO,
    KINDS,
    Bmi,
    Context,
    Kind,
    KindInfo,
    Measure,
    MeasureError,
    Moment,
    Quantity,
    Shown,
)
from patients import calendar
from store import now_ms
from webmail.guards import get, post
from webmail.health.measure_labels import DAYS, KIND_OF, KIND_WORDS, PERIODS, KindWords, Period
from webmail.health.spark import spark
from webmail.languages import N_
from webmail.paging import page_of
from webmail.refusals import told
from webmail.turn import Missing, Refused, Turn
from webmail.visit import Visit

DAY_MS: Final = 86_400_000
#: Rows of the table on one page.
ROWS: Final = 50
_FAR: Final = 2**62
_CLOSED: Final = N_("Vous ne pouvez pas modifier ces mesures.")
_ORDER: Final[tuple[Shown, ...]] = tuple(KIND_WORDS)


class Card(msgspec.Struct, frozen=True):
    """A kind on the first page; ``value`` "" where there is none yet."""

    kind: Shown
    words: KindWords
    name: str
    value: str
    when: str
    remark: str
    spark: Markup


class Row(msgspec.Struct, frozen=True):
    """A line of the table."""

    measure_id: int
    value: str
    when: str
    remark: str
    note: str
    unusual: bool
    by: str


def may_write(conn: Connection, visit: Visit) -> bool:
    """Whether measures may be added from this visit."""
    return rights.may(conn, visit.store, visit.box_id, visit.actor, "write_measures").allowed


async def overview(turn: Turn) -> Response:
    """``/mesures``"""
    visit, since = turn.visit, now_ms() - DAYS["annee"] * DAY_MS
    latest = await turn.run(measures.read_latest, visit.store, visit.box_id, visit.actor)
    found: dict[Shown, Sequence[Measure | Bmi]] = dict(
        await turn.read(_year, visit, list(latest.measures), since)
    )
    if latest.bmi is not None:
        found["bmi"] = await turn.read(
            measures.index_series, visit.store, visit.box_id, visit.actor, since, _FAR
        )
    writes = await turn.read(may_write, visit)
    cards = [_card(turn, kind, latest, found.get(kind, [])) for kind in _ORDER]
    return turn.page(
        "health/measures.html",
        cards=[one for one in cards if one.value],
        others=[one for one in cards if not one.value and one.kind != "bmi"],
        writes=writes,
    )


def _year(
    conn: Connection, visit: Visit, kinds: list[Kind], since: int
) -> dict[Shown, Sequence[Measure | Bmi]]:
    """Already traced by who asked for the latest."""
    return {
        kind: measures.series(conn, visit.store, visit.box_id, visit.actor, kind, since) for kind in kinds
    }


def _card(turn: Turn, kind: Shown, latest: measures.Latest, series: Sequence[Measure | Bmi]) -> Card:
    name, language = INFO[kind].named(turn.language), turn.language
    one: Measure | Bmi | None = latest.bmi if kind == "bmi" else latest.measures.get(kind)
    if one is None:
        return Card(kind, KIND_WORDS[kind], name, "", "", "", Markup(""))
    return Card(
        kind, KIND_WORDS[kind], name, _value(one, turn), one.moment.shown(language), _remark(one, turn),
        spark(series),
    )  # fmt: skip


def _value(one: Measure | Bmi, turn: Turn) -> str:
    if isinstance(one, Bmi):
        return measures.words.value("bmi", (one.value,), INFO["bmi"].units[0].code, turn.language)
    return measures.words.quantity(one.quantity, turn.language)


def _remark(one: Measure | Bmi, turn: Turn) -> str:
    if isinstance(one, Bmi):
        return CORPULENCES[one.corpulence][turn.language == "en"] if one.corpulence else ""
    return measures.words.context(one.context, turn.language)


# -- one kind -------------------------------------------------------------------------------------


class Typed(msgspec.Struct):
    """The form of a measure: what was typed, and what is wrong with it by field."""

    value: str = ""
    unit: str = ""
    day: str = ""
    time: str = ""
    context: str = ""
    note: str = ""
    faults: dict[str, str] = {}


def kind_named(turn: Turn) -> Shown:
    """The kind that the address names. Raises :class:`Missing`."""
    kind = KIND_OF.get(turn.request.path_params["kind"])
    if kind is None:
        raise Missing
    return kind


async def one_kind(turn: Turn) -> Response:
    """``/mesures/{kind}``"""
    return await _kind_page(turn, kind_named(turn), Typed(day=calendar.today(now_ms()).isoformat()))


async def _kind_page(turn: Turn, kind: Shown, typed: Typed, status: int = 200, *, sure: str = "") -> Response:
    visit = turn.visit
    period: Period = next((one for one in PERIODS if one == turn.asked("periode")), "annee")
    now = now_ms()
    since = now - DAYS[period] * DAY_MS if DAYS[period] else 0
    series: Sequence[Measure | Bmi]
    if kind == "bmi":
        series = await turn.run(measures.read_indices, visit.store, visit.box_id, visit.actor, since)
    else:
        read = await turn.run(measures.read, visit.store, visit.box_id, visit.actor, [kind], since)
        series = read[kind]
    window = (since, now) if since else None
    plot = await turn.run(_plot, series, kind, turn, window, 760)
    narrow = await turn.run(_plot, series, kind, turn, window, 340)
    number = int(turn.asked("page")) if turn.asked("page").isdecimal() and len(turn.asked("page")) < 6 else 1
    ordered = sorted(series, key=lambda one: measures.moments.wall(one.moment), reverse=True)
    shown, number, last = page_of(ordered, number, ROWS)
    info = INFO[kind]
    return turn.page(
        "health/kind.html",
        status,
        kind=kind,
        info=info,
        words=KIND_WORDS[kind],
        name=info.named(turn.language),
        plot=plot,
        narrow=narrow,
        summary=measures.summary(series, kind, turn.language),
        rows=[_row(turn, one) for one in shown],
        number=number,
        last=last,
        period=period,
        periods=PERIODS,
        typed=typed,
        contexts=_contexts(turn, info),
        units=_units(info),
        sure=sure,
        writes=kind != "bmi" and await turn.read(may_write, visit),
    )


def _plot(
    series: Sequence[Measure | Bmi], kind: Shown, turn: Turn, period: tuple[int, int] | None, width: int
) -> Markup:
    """Inline, so that its lines have the colours of the page; its texts are our own words and figures."""
    made = measures.plot_svg(series, kind, turn.language, period, width, prefix=f"plot-{width}")
    return Markup(made)  # noqa: S704  # escaped there


def _row(turn: Turn, one: Measure | Bmi) -> Row:
    when = one.moment.shown(turn.language)
    if isinstance(one, Bmi):
        return Row(0, _value(one, turn), when, _remark(one, turn), "", False, "")
    by = "" if one.added_by.ident == turn.visit.ins else one.added_by.name
    return Row(one.measure_id, _value(one, turn), when, _remark(one, turn), one.note, one.unusual, by)


def _contexts(turn: Turn, info: KindInfo) -> list[tuple[str, str]]:
    if len(info.contexts) < 2:
        return []
    none = turn.say(N_("Non précisé"))
    return [(one, measures.words.context(one, turn.language) or none) for one in info.contexts]


def _units(info: KindInfo) -> list[tuple[str, str]]:
    return [(one.code, one.symbol) for one in info.units] if len(info.units) > 1 else []


# -- adding and taking out ------------------------------------------------------------------------


async def add(turn: Turn) -> Response:
    """Keep a measure; one that is not usual is asked about first, with everything that was typed."""
    shown, visit = kind_named(turn), turn.visit
    kind = next((one for one in KINDS if one == shown), None)
    if kind is None or not await turn.read(may_write, visit):
        raise Refused(_CLOSED)
    text = turn.text
    typed = Typed(text("value"), text("unit"), text("day"), text("time"), text("context"), text("note"), {})
    quantity, moment = _quantity(turn, kind, typed), _moment(turn, typed)
    if quantity is None or moment is None:
        return await _kind_page(turn, kind, typed, 422)
    context: Context = next((one for one in INFO[kind].contexts if one == typed.context), "")
    try:
        born = await turn.read(measures.birth_date_of, visit.box_id)
        draft = measures.draft(quantity, moment, born, context=context, note=typed.note)
        if draft.unusual and turn.text("certain") != measures.words.quantity(quantity, turn.language):
            return await _kind_page(turn, kind, typed, sure=measures.words.quantity(quantity, turn.language))
        made = await turn.run(
            measures.add, visit.store, visit.box_id, visit.actor, quantity, moment,
            context=context, note=typed.note,
        )  # fmt: skip
    except MeasureError as error:
        field = {"measure.future": "day", "measure.before_birth": "day", "measure.note": "note"}
        typed.faults[field.get(error.rule, "value")] = told(turn, error)
        return await _kind_page(turn, kind, typed, 422)
    slug = KIND_WORDS[kind].slug
    return turn.go(
        f"/mesures/{slug}", N_("La mesure est ajoutée."), undo=f"/mesures/{slug}/{made.measure_id}/retirer"
    )


def _quantity(turn: Turn, kind: Kind, typed: Typed) -> Quantity | None:
    unit = next((one.symbol for one in INFO[kind].units if one.code == typed.unit), "")
    try:
        return measures.parse(kind, typed.value, unit)
    except MeasureError as error:
        typed.faults["value"] = told(turn, error)
        return None


def _moment(turn: Turn, typed: Typed) -> Moment | None:
    try:
        return measures.moments.parse(f"{typed.day} {typed.time}")
    except MeasureError as error:
        typed.faults["day"] = told(turn, error)
        return None


async def _held(turn: Turn, kind: Shown, *, removed: bool) -> Measure:
    """The measure that the address names, as it is in this box. Raises :class:`Missing`."""
    visit, measure_id = turn.visit, int(turn.request.path_params["measure_id"])
    if kind == "bmi":
        raise Missing
    one = await turn.read(measures.measure_for, visit.store, visit.box_id, visit.actor, measure_id)
    if one is None or one.kind != kind or (one.status == "removed") != removed:
        raise Missing
    return one


async def remove(turn: Turn) -> Response:
    """Take a measure out of series and plots."""
    kind, visit = kind_named(turn), turn.visit
    one = await _held(turn, kind, removed=False)
    try:
        await turn.run(measures.remove, visit.store, visit.box_id, visit.actor, one.measure_id)
    except MeasureError as error:
        raise Refused(told(turn, error), 422) from error
    path = f"/mesures/{KIND_WORDS[kind].slug}"
    return turn.go(path, N_("La mesure est retirée."), undo=f"{path}/{one.measure_id}/remettre")


async def restore(turn: Turn) -> Response:
    """A measure that was taken out comes back, as a new one that says the same."""
    kind, visit = kind_named(turn), turn.visit
    one = await _held(turn, kind, removed=True)
    await turn.run(
        measures.add, visit.store, visit.box_id, visit.actor, one.quantity, one.moment,
        context=one.context, note=one.note,
    )  # fmt: skip
    return turn.go(f"/mesures/{KIND_WORDS[kind].slug}", N_("La mesure est remise."))


ROUTES: Final[list[BaseRoute]] = [
    get("/mesures", overview),
    get("/mesures/{kind}", one_kind),
    post("/mesures/{kind}", add),
    post("/mesures/{kind}/{measure_id:int}/retirer", remove),
    post("/mesures/{kind}/{measure_id:int}/remettre", restore),
]
