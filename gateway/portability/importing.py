"""Taking a person's archive over: verified as a whole first, then part by part, each thing once.

Invariants: nothing is written before every octet was found to be what the manifest names, and the person the
same; run again, or with a later archive, it adds what is not there; interrupted, the next run completes it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import BinaryIO, Final

import msgspec

import activity
import agenda
import patients
from activity import Actor
from dossier import rights
from gateway.portability.documents_in import DocumentTaker, document_facts
from gateway.portability.errors import PortabilityError
from gateway.portability.exporting import AGENDA, CONSENTS, spoken_for
from gateway.portability.health_in import item_facts, take_measures, take_profile
from gateway.portability.mail_in import count_mail, take_mail
from gateway.portability.model import Missing, Person, Progress
from gateway.portability.reading import ArchiveReader, Limits
from patients import Profile
from store import PasserelleError, Store

Taken = tuple[int, int, list[Missing]]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """How a part ended: how many came, how many were there already, how many failed."""

    part: str
    came: int
    there: int
    failed: int


class TakenOver(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an archive. ``listed``: consents given elsewhere, which are not taken over; ``missing``
    what failed here, ``missing_there`` what the archive says it lacks."""

    person: Person
    made_at: int
    dry_run: bool
    parts: list[Part]
    listed: list[str]
    missing: list[Missing]
    missing_there: list[Missing]


class _Listed(msgspec.Struct):
    sentence: str = ""


def import_archive(
    store: Store,
    box_id: int,
    actor: Actor,
    file: BinaryIO,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    limits: Limits | None = None,
) -> TakenOver:
    """Take an archive over into the box of the same person. Blocking, for long.

    :param actor: who asks (action ``import``): the patient, who represents him, or an operator with a reason.
    :param file: seekable. :param dry_run: verify, count, change nothing.

    Mail goes to its folders as old mail; documents keep who wrote and filed them, as the archive says;
    profile, measures and appointments are said anew by ``actor``; consents are not taken over.

    Raises :class:`dossier.rights.RightsError`, :class:`PortabilityError` as :class:`ArchiveReader`, and
    ``portability.person``, ``portability.closed``: nothing was changed.
    """
    tell: Progress = progress or (lambda done, total: None)
    rights.require(store, box_id, actor, "import", what="archive_imported")
    owner = store.read(patients.profile_by_box, box_id)
    if owner is None or owner.state != "activated":
        raise PortabilityError("portability.closed", "the profile is not activated")
    archive = ArchiveReader(file, limits)
    _check_person(archive.manifest.person, owner)
    archive.verify(tell)
    listed = _listed(archive)
    result = _counted(archive) if dry_run else _taken(store, box_id, actor, owner, archive, tell)
    parts = [
        Part(part=name, came=came, there=there, failed=len(missing))
        for name, (came, there, missing) in result.items()
    ]
    if not dry_run:
        told = {one.part: str(one.came) for one in parts}
        told["failed"] = str(sum(one.failed for one in parts))
        entry = activity.entry(store, box_id, actor, "archive_imported", more=told)
        store.write(activity.record, entry=entry)
    return TakenOver(
        person=archive.manifest.person,
        made_at=archive.manifest.made_at,
        dry_run=dry_run,
        parts=parts,
        listed=listed,
        missing=[one for _, _, missing in result.values() for one in missing],
        missing_there=archive.manifest.missing,
    )


def _check_person(said: Person, owner: Profile) -> None:
    """The same INS and authority, birth name, first given name, sex and birth date."""
    here = _traits(owner.ins, owner.oid, owner.birth_name, owner.given_names, owner.sex, owner.birth_date)
    there = _traits(said.ins, said.oid, said.birth_name, said.given_names, said.sex, said.birth_date)
    if here != there:
        raise PortabilityError(
            "portability.person", "the archive is not of this person: INS or traits differ"
        )


def _traits(
    ins: str, oid: str, birth_name: str, given_names: list[str], sex: str, birth_date: str
) -> tuple[str, ...]:
    first = given_names[0] if given_names else ""
    return (ins.upper(), oid, _plain(birth_name), _plain(first), sex.upper(), birth_date)


def _plain(name: str) -> str:
    text = unicodedata.normalize("NFKD", name).casefold()
    return "".join(letter for letter in text if letter.isalnum())


def _listed(archive: ArchiveReader) -> list[str]:
    if CONSENTS not in archive.facts:
        return []
    return [one.sentence[:500] for one in archive.read_json(CONSENTS, list[_Listed])]


_PARTS: Final = ("mail", "documents", "profile", "measures", "agenda")


def _counted(archive: ArchiveReader) -> dict[str, Taken]:
    """What an archive holds, as if all of it came."""
    counts = archive.manifest.counts
    held = {
        "mail": count_mail(archive),
        "documents": len(document_facts(archive)),
        "profile": len(item_facts(archive)),
        "measures": counts.get("measures", 0),
        "agenda": counts.get("appointments", 0),
    }
    return {name: (held[name], 0, []) for name in _PARTS}


def _taken(
    store: Store, box_id: int, actor: Actor, owner: Profile, archive: ArchiveReader, tell: Progress
) -> dict[str, Taken]:
    speaker = actor
    if actor.by == "operator":  # the profile is the patient's to say: for him, with whose login and why
        speaker = spoken_for(store.read(activity.person, box_id, owner.ins), actor)
    asked = store.read(rights.question, store, box_id, actor, "import")
    ways: dict[str, Callable[[], Taken]] = {
        "mail": lambda: take_mail(store, asked, archive, tell),
        "documents": lambda: DocumentTaker(store, asked, owner, archive).run(tell),
        "profile": lambda: take_profile(store, box_id, speaker, archive),
        "measures": lambda: take_measures(store, box_id, actor, archive),
        "agenda": lambda: _take_agenda(store, box_id, actor, archive),
    }
    result: dict[str, Taken] = {}
    for name in _PARTS:
        try:
            result[name] = ways[name]()
        except PasserelleError as error:  # the other parts still come
            result[name] = (0, 0, [Missing(part=name, item="", reason=error.log)])
    return result


def _take_agenda(store: Store, box_id: int, actor: Actor, archive: ArchiveReader) -> Taken:
    if AGENDA not in archive.facts:
        return 0, 0, []
    report = agenda.import_calendar(store, box_id, actor, archive.read(AGENDA))
    bad = [Missing(part="agenda", item=f"line {one.line}", reason=one.reason) for one in report.bad]
    return report.added + report.changed, report.unchanged, bad
