"""Taking profile and measures over: each item that is not there, each measure once."""

from __future__ import annotations

import hashlib
import io

import msgspec

import patients
from activity import Actor
from dossier import health, measures
from dossier.health import Item
from gateway.portability.health_out import ITEMS, MEASURES, ItemFact
from gateway.portability.model import Missing
from gateway.portability.reading import ArchiveReader
from gateway.portability.tables import is_taken, note_taken
from store import PasserelleError, Store


def item_facts(archive: ArchiveReader) -> list[ItemFact]:
    """What an archive says of the medical profile; none where it has no such part."""
    return archive.read_json(ITEMS, list[ItemFact]) if ITEMS in archive.facts else []


def take_profile(
    store: Store, box_id: int, speaker: Actor, archive: ArchiveReader
) -> tuple[int, int, list[Missing]]:
    """How many items came, how many were there, what could not be taken over. Blocking.

    They are said anew by ``speaker``, a person, who alone is proven here.
    """
    came = there = 0
    missing: list[Missing] = []
    owner = store.read(patients.profile_by_box, box_id)
    minor = owner is not None and store.read(patients.is_minor, owner.ins)
    present = store.read(health.items, store, box_id, speaker)
    held = {_key(one.item, one.state == "ended"): one.item_id for one in present}
    for fact in item_facts(archive):
        key = _key(fact.item, fact.ended)
        mark = hashlib.sha256(b"\0".join([b"item", key])).digest()
        if key in held or store.read(is_taken, box_id, mark):
            there += 1
            continue
        try:
            # One that is over is added, then ended: a death in between is known by what was noted before.
            begun = hashlib.sha256(b"\0".join([b"item begun", key])).digest()
            item_id = None
            if fact.ended and store.read(is_taken, box_id, begun):
                item_id = held.get(_key(fact.item, False))
            elif fact.ended:
                store.write(note_taken, box_id=box_id, part="profile", item=begun)
            if item_id is None:
                item_id = health.put(store, box_id, speaker, fact.item, hidden=fact.hidden and minor)
            if fact.ended:
                health.end(store, box_id, speaker, item_id)
            store.write(note_taken, box_id=box_id, part="profile", item=mark)
            came += 1
        except PasserelleError as error:
            missing.append(Missing(part="profile", item=health.section_of(fact.item), reason=error.log))
    return came, there, missing


def _key(item: Item, ended: bool) -> bytes:
    return msgspec.json.encode((item, ended), order="deterministic")


def take_measures(
    store: Store, box_id: int, actor: Actor, archive: ArchiveReader, *, dry_run: bool = False
) -> tuple[int, int, list[Missing]]:
    """How many measures came, how many were there, what could not be taken over. Blocking.

    Raises as :func:`dossier.measures.import_measures`.
    """
    if MEASURES not in archive.facts:
        return 0, 0, []
    report = measures.import_measures(
        store, box_id, actor, io.BytesIO(archive.read(MEASURES)), dry_run=dry_run
    )
    bad = [Missing(part="measures", item=f"line {one.line}", reason=one.english) for one in report.bad]
    return report.added, report.known, bad
