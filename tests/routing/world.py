"""A directory and a list of domains that tests change at will, imported as the real files are."""

from __future__ import annotations

import time
from pathlib import Path

import annuaire
from annuaire.demo import write_activities, write_mssante
from gateway.demo import cast
from store import Store, now_ms

HOSPITAL_DN = "CN=mss.hopital-exemple.test,OU=1690000007,O=HOPITAL EXEMPLE,C=FR"
CLINIC_DN = "CN=mss.clinique-exemple.test,OU=1130000008,O=CLINIQUE EXEMPLE,C=FR"
OPERATORS = {
    cast.HOSPITAL_DOMAIN: HOSPITAL_DN,
    cast.OFFICINE_DOMAIN: HOSPITAL_DN,
    cast.CLINIC_DOMAIN: CLINIC_DN,
}


def tick() -> int:
    """The present; what is done afterwards is later by more than a millisecond."""
    moment = now_ms()
    while now_ms() <= moment + 1:
        time.sleep(0.0005)
    return moment


class World:
    """``boxes``: address to its row; ``people``: those with an activity; ``domains``: the trust space."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.boxes: dict[str, dict[str, str]] = {}
        self.people: dict[str, str] = {}  # IdNat → name
        self.sectors: dict[str, str] = {}  # FINESS → sector
        self.domains = set(OPERATORS)

    def person(self, address: str, id_nat: str, name: str = "EXEMPLE", practises: bool = True) -> None:
        """The address is a person's own mailbox."""
        self.boxes[address] = {"kind": "PER", "address": address, "national": id_nat, "family": name}
        if practises:
            self.people[id_nat] = name

    def place(self, address: str, finess: str, sector: str = "SA01", kind: str = "ORG") -> None:
        """The address is a structure's."""
        self.boxes[address] = {
            "kind": kind,
            "address": address,
            "structure_kind": "1",
            "structure": finess,
            "legal_name": f"STRUCTURE {finess}",
        }
        self.sectors[finess] = sector

    def publish(self) -> int:
        """Import everything as it stands now; returns a moment before."""
        moment = tick()
        activities = [
            {"national": id_nat, "family": name, "given": "CAMILLE", "profession": "10"}
            for id_nat, name in self.people.items()
        ]
        activities += [
            {
                "national": f"8999000{number:05}",
                "family": "TITULAIRE",
                "profession": "21",
                "finess": finess,
                "legal_name": f"STRUCTURE {finess}",
                "sector": sector,
            }
            for number, (finess, sector) in enumerate(self.sectors.items(), 70001)
        ]
        rows = [{"given": "CAMILLE", **row} for row in self.boxes.values()]
        for path in (
            write_mssante(self.folder / "Extraction_Correspondance_MSSante.txt", rows),
            write_activities(self.folder / "PS_LibreAcces_Personne_activite.txt", activities),
        ):
            report = annuaire.import_extraction(self.store, path, accept_shrink=True)
            assert report.bad_count == 0
        tick()
        return moment

    def list_domains(self) -> int:
        """Put the list of ``domains`` in use; returns a moment before."""
        moment = tick()
        entries = [annuaire.WhitelistEntry(domain, OPERATORS[domain]) for domain in sorted(self.domains)]
        entries.append(annuaire.WhitelistEntry(cast.PATIENT_DOMAIN, "CN=us,C=FR"))
        signed = annuaire.SignedList(moment, entries, f"{moment:064x}", "CN=signer", "signer", "", "", [])
        annuaire.install(self.store, signed)
        tick()
        return moment
