"""How figures are split: regions by département, and lanes (couloirs) by sector of activity."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection

import annuaire
from store import InvalidInputError

UNKNOWN: Final = "unknown"
#: Regions and their départements, since 2016.
REGIONS: Final[dict[str, str]] = {
    "Auvergne-Rhône-Alpes": "01 03 07 15 26 38 42 43 63 69 73 74",
    "Bourgogne-Franche-Comté": "21 25 39 58 70 71 89 90",
    "Bretagne": "22 29 35 56",
    "Centre-Val de Loire": "18 28 36 37 41 45",
    "Corse": "2A 2B",
    "Grand Est": "08 10 51 52 54 55 57 67 68 88",
    "Guadeloupe": "971",
    "Guyane": "973",
    "Hauts-de-France": "02 59 60 62 80",
    "Île-de-France": "75 77 78 91 92 93 94 95",
    "La Réunion": "974",
    "Martinique": "972",
    "Mayotte": "976",
    "Normandie": "14 27 50 61 76",
    "Nouvelle-Aquitaine": "16 17 19 23 24 33 40 47 64 79 86 87",
    "Occitanie": "09 11 12 30 31 32 34 46 48 65 66 81 82",
    "Pays de la Loire": "44 49 53 72 85",
    "Provence-Alpes-Côte d'Azur": "04 05 06 13 83 84",
    "other overseas": "975 977 978 984 985 986 987 988 989",
}
_REGION: Final = {code: region for region, codes in REGIONS.items() for code in codes.split()}
#: Lanes in the order in which one is chosen for who works in several; the last two are for the others.
LANES: Final = ("hospital", "biology", "radiology", "pharmacy", "care home", "town", "other", "unlisted")
OTHER, UNLISTED = LANES[-2:]
_REMEMBERED: Final = 50_000


def region_of(department: str) -> str:
    """The region of a département, or :data:`UNKNOWN`."""
    return _REGION.get(department, UNKNOWN)


class Lanes:
    """Which lane an address was in, by the directory of that time. Not for several threads at once.

    :param home: its ``sectors.tsv`` takes the place of ours. Raises :class:`InvalidInputError`
        (``stats.sectors``) for a file that cannot be used.
    """

    def __init__(self, home: Path | None = None) -> None:
        own = home / "sectors.tsv" if home is not None else None
        ours = Path(__file__).parent / "data" / "sectors.tsv"
        self._of = _read(own if own is not None and own.exists() else ours)
        self._known: dict[tuple[str, int], str] = {}

    def lane(self, conn: Connection, address: str, at: int) -> str:
        """The lane of ``address`` at the moment ``at`` (ms)."""
        place = (address, at)
        found = self._known.get(place)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[place] = self._look(conn, address, at)
        return found

    def _look(self, conn: Connection, address: str, at: int) -> str:
        try:
            boxes = annuaire.mailbox(conn, address, at)
        except InvalidInputError:  # before the history that is kept
            return UNLISTED
        if not boxes:
            return UNLISTED
        lanes = set()
        for box in boxes:
            held = annuaire.sectors(conn, box.struct_id, at)
            held = held or [one.sector for one in annuaire.activities(conn, box.id_nat, at)]
            for sector in held:
                lanes.add(self._of.get((sector, box.speciality)) or self._of.get((sector, ""), OTHER))
        return min(lanes, key=LANES.index, default=OTHER)


def _read(path: Path) -> dict[tuple[str, str], str]:
    """(sector, speciality or "") to its lane."""
    found = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InvalidInputError("stats.sectors", f"{path.name} cannot be read", fault="config") from None
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) not in (2, 3) or cells[1] not in LANES:
            raise InvalidInputError(
                "stats.sectors",
                f"{path.name}, line {number}: a sector, one of {', '.join(LANES)}, a speciality or nothing",
                fault="config",
            )
        found[cells[0], cells[2] if len(cells) == 3 else ""] = cells[1]
    return found
