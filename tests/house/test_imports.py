"""Who may import whom (the rooms' table), through which door, and without circles."""

from __future__ import annotations

import subprocess
import sys

import pytest
from house_source import ROOT, Import, exported, imports, modules

EVERYTHING = "everything"

# room -> what it may import of ours; DESIGN: domains below, protocols above, composition on top
MAY_IMPORT: dict[str, set[str] | str] = {
    "store": set(),
    "evidence": {"store"},
    "certs": {"store", "evidence"},
    "annuaire": {"store", "certs", "evidence"},
    "patients": {"store", "evidence"},
    "activity": {"store", "patients", "evidence"},
    "dossier": {"store", "patients", "annuaire", "activity", "evidence"},
    "agenda": {"store", "patients", "activity", "evidence"},
    "catalogue": {"store", "patients", "activity", "evidence"},
    "gateway.message": set(),
    "gateway.routing": {"gateway.message", "annuaire", "certs", "patients", "store", "evidence"},
    "gateway.smtp": {"gateway.routing", "gateway.message", "annuaire", "certs", "store", "evidence"},
    "gateway.ldap": {"annuaire", "patients", "store", "evidence"},
    "gateway.imap": {"gateway.message", "patients", "store", "evidence"},
    "gateway.dmp_bridge": {
        "gateway.message",
        "patients",
        "annuaire",
        "activity",
        "dossier",
        "store",
        "evidence",
    },
    "gateway.http": {"store", "certs"},
    "gateway.fhir": {
        "gateway.http",
        "annuaire",
        "certs",
        "patients",
        "activity",
        "dossier",
        "store",
        "evidence",
    },
    "gateway.portability": {
        "gateway.message",
        "gateway.dmp_bridge",
        "patients",
        "activity",
        "dossier",
        "agenda",
        "catalogue",
        "store",
        "evidence",
    },
    "webmail": {
        "gateway.message",
        "gateway.routing",
        "gateway.dmp_bridge",
        "gateway.portability",
        "annuaire",
        "certs",
        "patients",
        "activity",
        "dossier",
        "agenda",
        "catalogue",
        "store",
        "evidence",
    },
    # composition: reads the settings and wires the rooms
    "gateway": EVERYTHING,
    "gateway.demo": EVERYTHING,
    "commands": EVERYTHING,
    "cli": EVERYTHING,
}
COMPOSITION = {room for room, allowed in MAY_IMPORT.items() if allowed == EVERYTHING}

# A room is entered through its __init__. Deeper imports that have a reason: module -> who may, and why.
SIDE_DOORS: dict[str, tuple[set[str], str]] = {
    "store.errors": ({"*"}, "the exception family and its Fault type; imports nothing, so errors.py can"),
    "store.mail": ({"*"}, "a namespace that the door itself exports (store.mail.append …)"),
    "store.tasks": ({"*"}, "as store.mail"),
    "dossier.measures": ({"*"}, "as store.mail"),
    "dossier.health": ({"*"}, "as store.mail"),
    "dossier.summary": ({"*"}, "a heavy library, loaded by who makes summaries only"),
    "dossier.rights": ({"*"}, "as store.mail"),
    "store.faults": ({"*"}, "points at which tests kill the process"),
    "gateway.routing.model": ({"gateway.smtp"}, "plain data; the rules and the store are not loaded by it"),
    "gateway.smtp.reports": ({"gateway"}, "header encoding for the filing reports"),
    "gateway.dmp_bridge.codes": ({"gateway.demo"}, "the demo makes documents"),
    "store.schema": ({"webmail", "gateway"}, "where a message is shown, and the sample's age of one"),
    "gateway.routing.words": ({"webmail"}, "the French of what the rules decide"),
    "patients.signin": ({"*"}, "as store.mail"),
    "patients.signin.passkeys": (
        {"gateway", "webmail"},
        "a heavy library, loaded by who serves patients' pages only",
    ),
    "patients.signin.openid": ({"gateway"}, "as patients.signin.passkeys"),
    "patients.signin.federation": ({"gateway", "webmail"}, "as patients.signin.passkeys"),
    "patients.signin.issuer": ({"gateway.fhir"}, "as patients.signin.passkeys; whose tokens are believed"),
    "annuaire.demo": ({"gateway.demo", "gateway"}, "writes extractions; only for demo and tests"),
}

# Imports that are not at the top of a module, outside the command line: module -> why
LATE: dict[tuple[str, str], str] = {
    ("store.database", "alembic"): "heavy, needed once in the life of a schema",
    ("store.database", "alembic.config"): "as above",
}


def room_of(module: str) -> str:
    """The room a module of ours is in; "" for foreign ones."""
    inside = [room for room in MAY_IMPORT if module == room or module.startswith(room + ".")]
    return max(inside, key=len, default="")


def between_rooms() -> list[Import]:
    return [one for one in imports() if room_of(one.target) not in ("", room_of(one.importer))]


def test_every_module_is_in_a_room() -> None:
    assert [name for name in modules() if not room_of(name)] == []
    rooms_there = {room_of(name) for name in modules()}
    assert rooms_there == set(MAY_IMPORT), "the table names rooms that do not exist"


def test_imports_are_absolute_and_name_what_they_take() -> None:
    relative = [str(one) for one in imports() if not one.module or one.module.startswith(".")]
    star = [str(one) for one in imports() if one.name == "*"]
    assert relative + star == []


def test_directions() -> None:
    wrong = []
    for one in between_rooms():
        allowed = MAY_IMPORT[room_of(one.importer)]
        if allowed != EVERYTHING and room_of(one.target) not in allowed:
            wrong.append(str(one))
    assert wrong == []


def test_the_command_line_is_imported_by_nobody_else() -> None:
    wrong = [str(one) for one in between_rooms() if room_of(one.target) in ("cli", "commands")]
    assert [text for text in wrong if not text.startswith("cli:")] == []


def _through_the_door(one: Import) -> bool:
    room = room_of(one.target)
    if room in COMPOSITION or one.target == room:
        return True
    return one.module == room and one.name in exported(room)


def test_rooms_are_entered_through_their_door() -> None:
    wrong = []
    for one in between_rooms():
        who, _ = SIDE_DOORS.get(one.target, (set(), ""))
        if not _through_the_door(one) and not who & {"*", room_of(one.importer)}:
            wrong.append(str(one))
    assert wrong == []


def test_every_side_door_is_used() -> None:
    used = {
        (one.target, room_of(one.importer))
        for one in between_rooms()
        if one.target in SIDE_DOORS and not _through_the_door(one)
    }
    for module, (who, why) in SIDE_DOORS.items():
        assert why
        rooms = {room for target, room in used if target == module}
        # what a room's door exports needs no side door any more
        assert rooms, f"nobody uses the side door {module}"
        assert "*" in who or rooms == who, f"the side door {module} is for {who}, used by {rooms}"


def test_every_room_says_what_it_exports() -> None:
    doors = [room for room in MAY_IMPORT if room not in COMPOSITION]
    assert [room for room in doors if not exported(room)] == []


def test_imports_stand_at_the_top_of_their_module() -> None:
    late = {
        (one.importer, one.module): str(one)
        for one in imports()
        if one.in_function and room_of(one.importer) not in ("commands", "cli")
    }
    assert {key: text for key, text in late.items() if key not in LATE} == {}
    assert [key for key in LATE if key not in late] == [], "an exception that nobody needs any more"


def _packages_above(module: str, importer: str) -> set[str]:
    """Packages whose ``__init__`` runs first; those that the importer is in run already."""
    parts = module.split(".")
    above = {".".join(parts[:count]) for count in range(1, len(parts))}
    return {package for package in above if not f"{importer}.".startswith(f"{package}.")}


def test_no_circle_at_import() -> None:
    """A depth-first walk over the imports that run when a module is loaded."""
    graph: dict[str, set[str]] = {name: set() for name in modules()}
    for one in imports():
        if not one.in_function and not one.typing_only and one.target in graph:
            graph[one.importer] |= {one.target, *_packages_above(one.target, one.importer)}
    done: set[str] = set()

    def visit(module: str, road: list[str]) -> None:
        assert module not in road, " → ".join([*road[road.index(module) :], module])
        if module in done:
            return
        for target in sorted(graph[module]):
            visit(target, [*road, module])
        done.add(module)

    for module in sorted(graph):
        visit(module, [])
    assert done == set(graph)


_EACH_FIRST = """
import os, sys
sys.path.insert(0, {root!r})
import alembic, argon2, cryptography.x509, lxml.etree, msgspec, sqlalchemy, structlog, typer, zstandard
failed = []
for name in {names!r}:
    child = os.fork()
    if child == 0:
        try:
            __import__(name)
        except BaseException as error:
            print(name, type(error).__name__, error, flush=True)
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        failed.append(name)
sys.exit(len(failed))
"""


def test_every_room_can_be_the_first_one_imported() -> None:
    script = _EACH_FIRST.format(root=str(ROOT), names=sorted(MAY_IMPORT))
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]


@pytest.mark.parametrize("room", ["gateway.smtp", "gateway.imap"])
def test_the_protocols_do_not_know_each_other(room: str) -> None:
    other = {"gateway.smtp": "gateway.imap", "gateway.imap": "gateway.smtp"}[room]
    assert other not in MAY_IMPORT[room]
    assert [str(one) for one in imports() if room_of(one.importer) == room and other in one.target] == []
