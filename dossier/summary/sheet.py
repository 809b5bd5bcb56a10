"""What the summary says, as plain text in tables: pure, so that it can be read without any PDF."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

import patients
from activity import Actor
from dossier import measures
from dossier.health import (
    SECTIONS,
    Administrative,
    Allergy,
    Contact,
    FamilyHistory,
    HealthProfile,
    Illness,
    Language,
    PartialDate,
    ProfileItem,
    Section,
    Treatment,
    Vaccination,
    Wish,
)
from dossier.measures import INFO, Latest
from dossier.summary import words
from dossier.summary.words import told
from patients import Profile, calendar

#: Order of the sheet: what a doctor looks for first stands first.
ORDER: Final[tuple[Section | None, ...]] = (
    "allergy",
    "illness",
    "treatment",
    "vaccination",
    None,  # the measures
    "family",
    "contact",
    "wish",
    "administrative",
)
#: Columns by section: their names in :data:`words.COLUMNS` and relative widths.
_COLUMNS: Final[dict[Section, tuple[tuple[str, int], ...]]] = {
    "allergy": (("substance", 28), ("kind", 16), ("reaction", 26), ("severity", 12), ("since", 14),
                ("remark", 24)),
    "illness": (("illness", 36), ("code", 18), ("since", 16), ("until", 16), ("remark", 34)),
    "treatment": (("medicine", 34), ("dose", 18), ("rhythm", 28), ("since", 16), ("reason", 24),
                  ("remark", 22)),
    "vaccination": (("date", 24), ("vaccine", 24), ("disease", 30), ("number", 14), ("lot", 14),
                    ("giver", 24), ("due", 18)),
    "family": (("relation", 20), ("illness", 40), ("onset", 18), ("remark", 42)),
    "contact": (("role", 26), ("name", 34), ("link", 20), ("phone", 22), ("remark", 26)),
    "wish": (("subject", 26), ("answer", 32), ("where", 30), ("remark", 34)),
    "administrative": (("subject", 28), ("fact", 44), ("contract", 22), ("remark", 30)),
}  # fmt: skip
#: Columns that go when no row has anything in them.
_SPARE: Final = frozenset(
    {
        "code", "contract", "dose", "due", "kind", "link", "lot", "number", "onset", "phone", "reaction",
        "reason", "remark", "rhythm", "severity", "since", "until", "where",
    }
)  # fmt: skip
_OIDS: Final = {
    patients.OID_NIR: "NIR",
    patients.OID_NIA: "NIA",
    patients.OID_NIR_TEST: "NIR, test",
    patients.OID_NIR_DEMO: "NIR, démo",
}


class Grid(msgspec.Struct, frozen=True):
    """A table: the names of its columns, their relative widths, its rows."""

    columns: list[str]
    widths: list[int]
    rows: list[list[str]]


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A section: a heading over a sentence, or over a table."""

    heading: str
    sentence: str = ""
    grid: Grid | None = None


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """The whole summary. ``made_at`` in ms; ``person`` names the patient, ``running``
    says who he is on every page but the first; ``alert`` is what
    stands out at the top, "" for nothing."""

    language: Language
    title: str
    subtitle: str
    person: str
    running: str
    identity: list[tuple[str, str]]
    alert: str
    blocks: list[Block]
    made: str
    made_short: str
    made_at: int
    author: str
    notes: list[str]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a sheet is made of. ``latest`` is None where measures are not open to who makes it;
    ``physician`` names the declared treating physician, "" for none."""

    owner: Profile
    profile: HealthProfile
    latest: Latest | None
    physician: str


def compose(contents: Contents, actor: Actor, language: Language, now: int) -> Sheet:
    """The sheet of a profile as ``actor`` may read it, made at ``now`` (ms)."""
    owner, profile = contents.owner, contents.profile
    day = PartialDate(*calendar.today(now).timetuple()[:3]).words(language)
    clock = measures.words.clock(_local(now), language)
    author = _maker(actor, language)
    blocks: list[Block] = []
    for section in ORDER:
        if section is None:
            if contents.latest is not None:
                blocks.append(_measures(contents.latest, language))
        elif section in profile.filled:
            if section == "contact":
                blocks.append(_physician(contents.physician, language))
            blocks.append(_block(profile, section, language))
    return Sheet(
        language=language,
        title=told(words.TITLE, language),
        subtitle=told(words.SUBTITLE, language),
        person=owner.name,
        running=told(words.RUNNING, language).format(owner.name, _born(owner, language), owner.ins),
        identity=_identity(owner, language, now),
        alert=_alert(profile, language),
        blocks=blocks,
        made=told(words.MADE, language).format(day, clock, author),
        made_short=told(words.MADE_SHORT, language).format(day, clock),
        made_at=now,
        author=author,
        notes=_notes(contents, language),
    )


def _local(now: int) -> datetime:
    return datetime.fromtimestamp(now / 1000, calendar.PARIS)


def _maker(actor: Actor, language: Language) -> str:
    name = ", ".join(one for one in (actor.name, actor.organisation) if one) or actor.ident
    if actor.by == "operator":
        name = ""
    return told(words.MAKERS.get(actor.by, ("{}", "{}")), language).format(name).strip()


def _identity(owner: Profile, language: Language, now: int) -> list[tuple[str, str]]:
    def label(name: str) -> str:
        return told(words.IDENTITY[name], language)

    born = _born(owner, language)
    age = calendar.age(owner.birth_date, now)
    nature = _OIDS.get(owner.oid, "")
    rows = [(label("birth_name"), owner.birth_name)]
    if owner.used_name:
        rows.append((label("used_name"), owner.used_name))
    return [
        *rows,
        (label("given"), " ".join(one.title() for one in owner.given_names)),
        (label("sex"), told(words.SEXES.get(owner.sex, ("", "")), language)),
        (label("born"), told(words.BORN_AGE, language).format(born, age)),
        (label("place"), owner.birth_place),
        # The 15 characters, key included, and its nature: an INS is shared with its five traits.
        (label("ins"), f"{owner.ins} ({nature})" if nature else owner.ins),
    ]


def _born(owner: Profile, language: Language) -> str:
    return PartialDate(*map(int, owner.birth_date.split("-"))).words(language)


def _alert(profile: HealthProfile, language: Language) -> str:
    items = (one.item for one in profile.of("allergy") if one.state == "current")
    names = []
    for item in items:
        if isinstance(item, Allergy):
            grave = told(words.SEVERITIES[item.severity], language) if item.severity == "severe" else ""
            names.append(f"{item.substance} ({grave})" if grave else item.substance)
    return told(words.ALERT, language).format(", ".join(names)) if names else ""


def _notes(contents: Contents, language: Language) -> list[str]:
    notes = [told(words.SOURCES, language)]
    closed = [told(words.HEADINGS[one], language) for one in SECTIONS if one not in contents.profile.filled]
    if contents.latest is None:
        closed.append(told(words.MEASURES, language))
    if closed:
        notes.append(told(words.LEFT_OUT, language).format(", ".join(closed)))
    return notes


# -- sections -------------------------------------------------------------------------------------


def _block(profile: HealthProfile, section: Section, language: Language) -> Block:
    heading = told(words.HEADINGS[section], language)
    known = profile.filled[section]
    if known == "not_filled":
        return Block(heading=heading, sentence=told(words.NOT_FILLED, language))
    if known == "none_known":
        return Block(heading=heading, sentence=told(words.NONE_KNOWN[section], language))
    shown = [one for one in profile.of(section) if _stands(one)]
    cells = [_cells(one, language) for one in shown]
    rows = [row for row in cells if row]
    if not rows:
        nothing = words.NO_TREATMENT_NOW if section == "treatment" else words.NOT_FILLED
        return Block(heading=heading, sentence=told(nothing, language))
    return Block(heading=heading, grid=_grid(_COLUMNS[section], rows, language))


def _stands(one: ProfileItem) -> bool:
    """Illnesses and vaccinations of the past belong to a summary; what else is over does not."""
    if one.section in ("illness", "vaccination", "family"):
        return True
    over = isinstance(one.item, Treatment) and one.item.end is not None
    return one.state == "current" and not over


def _grid(columns: tuple[tuple[str, int], ...], rows: list[dict[str, str]], language: Language) -> Grid:
    kept = [
        (name, width) for name, width in columns if name not in _SPARE or any(row.get(name) for row in rows)
    ]
    return Grid(
        columns=[told(words.COLUMNS[name], language) for name, _ in kept],
        widths=[width for _, width in kept],
        rows=[[row.get(name, "") for name, _ in kept] for row in rows],
    )


def _day(value: PartialDate | None, language: Language) -> str:
    return value.words(language) if value is not None else ""


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _cells(one: ProfileItem, language: Language) -> dict[str, str]:
    item = one.item
    if isinstance(item, Illness):
        flags = [
            told(pair, language) for pair, on in ((words.CHRONIC, item.chronic), (words.ALD, item.ald)) if on
        ]
        return {
            "illness": item.label,
            "code": f"{item.code} ({item.system})" if item.code else "",
            "since": _day(item.begin, language),
            "until": _day(item.end, language),
            "remark": _joined(", ".join(flags), item.note),
        }
    if isinstance(item, Treatment):
        return {
            "medicine": item.label,
            "dose": item.dose.words(language) if item.dose is not None else "",
            "rhythm": item.rhythm,
            "since": _day(item.begin, language),
            "reason": item.reason,
            "remark": item.note,
        }
    if isinstance(item, Allergy):
        return {
            "substance": item.substance,
            "kind": told(words.ALLERGY_KINDS[item.kind], language),
            "reaction": item.reaction,
            "severity": told(words.SEVERITIES[item.severity], language),
            "since": _day(item.begin, language),
            "remark": item.note,
        }
    if isinstance(item, Vaccination):
        return _vaccination(one, item, language)
    if isinstance(item, FamilyHistory):
        age = "" if item.onset_age is None else told(words.ONSET, language).format(item.onset_age)
        return {
            "relation": told(words.RELATIONS[item.relation], language),
            "illness": item.illness,
            "onset": age,
            "remark": item.note,
        }
    return _around(item, language)


def _vaccination(one: ProfileItem, item: Vaccination, language: Language) -> dict[str, str]:
    number = str(item.number) if item.number else ""
    proven = one.proven and item.giver_id == one.added_by.ident
    giver = (
        f"{item.giver} ✓" if proven else _joined(item.giver, f"{one.added_by.name} ✓" if one.proven else "")
    )
    return {
        "date": _day(item.date, language),
        "vaccine": _joined(item.vaccine, item.place, item.note),
        "disease": ", ".join(item.diseases),
        "number": ", ".join(
            part for part in (number, told(words.BOOSTER, language) if item.booster else "") if part
        ),
        "lot": item.lot,
        "giver": giver,
        "due": _day(item.next_due, language),
    }


def _around(item: object, language: Language) -> dict[str, str]:
    if isinstance(item, Contact):
        return {
            "role": told(words.ROLES[item.role], language),
            "name": item.name,
            "link": item.relation,
            "phone": _phone(item.phone),
            "remark": item.note,
        }
    if isinstance(item, Wish):
        answer = told(words.ANSWERS.get((item.subject, item.answer), ("", "")), language)
        family = told(words.FAMILY_TOLD, language) if item.family_told else ""
        document = told(words.IN_RECORD, language) if item.document else ""
        return {
            "subject": told(words.SUBJECTS[item.subject], language),
            "answer": ", ".join(part for part in (answer, family) if part),
            "where": _joined(item.where, document),
            "remark": item.text,
        }
    if isinstance(item, Administrative):
        until = told(words.VALID_UNTIL, language).format(item.until.words(language)) if item.until else ""
        return {
            "subject": told(words.TOPICS[item.topic], language),
            "fact": item.text,
            "contract": item.number,
            "remark": _joined(until, item.note),
        }
    return {}


def _phone(digits: str) -> str:
    """Figures in pairs, as French numbers are read; others as they are."""
    if len(digits) == 10 and digits.startswith("0"):
        return " ".join(digits[start : start + 2] for start in range(0, 10, 2))
    return digits


def _physician(name: str, language: Language) -> Block:
    heading = told(words.PHYSICIAN, language)
    return Block(heading=heading, sentence=name or told(words.NOT_DECLARED, language))


def _measures(latest: Latest, language: Language) -> Block:
    heading = told(words.MEASURES, language)
    if not latest.measures:
        return Block(heading=heading, sentence=told(words.NO_MEASURE, language))
    rows = []
    for kind, one in latest.measures.items():
        rows.append(
            {
                "measure": INFO[kind].named(language),
                "value": measures.words.quantity(one.quantity, language),
                "date": measures.words.day(one.moment.local.date(), language),
                "remark": _joined(measures.words.context(one.context, language), one.note),
            }
        )
        if kind == "weight" and latest.bmi is not None:
            index = latest.bmi
            rows.append(
                {
                    "measure": INFO["bmi"].named(language),
                    "value": measures.words.value("bmi", (index.value,), INFO["bmi"].units[0].code, language),
                    "date": measures.words.day(index.moment.local.date(), language),
                }
            )
    columns = (("measure", 34), ("value", 22), ("date", 24), ("remark", 40))
    return Block(heading=heading, grid=_grid(columns, rows, language))
