"""``LISEZMOI.txt``: what the person finds in his archive, in French then in English."""

from __future__ import annotations

from typing import Final

from gateway.portability.model import Manifest
from patients import calendar

_TEXT: Final = """\
{name}
Archive faite le {day}

Cette archive contient tout ce que votre espace gardait pour vous ce jour-là : ce sont des données de santé.
Rangez-la comme un document médical. Elle n'est pas chiffrée : ne l'envoyez pas telle quelle par courriel et
ne la laissez pas sur un ordinateur partagé.

mail/DOSSIER.mbox      vos messages, dossier par dossier, pour un logiciel de messagerie
mail/eml/              les mêmes, un fichier par message, octet pour octet
mail/DOSSIER.json      leurs dates et leurs marques (lu, important…)
documents/             vos documents : des archives IHE_XDM (ouvrez INDEX.HTM), et le reste dans files/
documents/documents.json   titre, auteur, date, version et état de chaque document
profile/bundle.json    profil médical, mesures et accords au format FHIR R4, pour un autre logiciel de santé
profile/items.json     profil médical ; profile/measures.csv : vos mesures, pour un tableur
agenda/agenda.ics      vos rendez-vous, pour un agenda
history/history.csv    qui a fait quoi dans votre dossier, et quand (history.json : pour un programme)
catalogue/consents.json    vos accords aux services du catalogue, pour information
manifest.json          la liste des fichiers avec leur empreinte, et ce qui n'a pas pu être pris

Ce qu'un professionnel doit d'abord vous annoncer lui-même n'y est pas ; pour un représentant légal, ce qui
lui est caché non plus.

----------------------------------------------------------------------------------------------------------------

{name}
Archive made on {day}

This archive holds all that your space kept for you on that day: these are health data. Keep it as you keep a
medical document. It is not encrypted: do not send it as it is by mail, nor leave it on a shared computer.

mail/FOLDER.mbox       your messages, folder by folder, for a mail program
mail/eml/              the same, one file a message, octet for octet
mail/FOLDER.json       their dates and marks (seen, flagged…)
documents/             your documents: IHE_XDM archives (open INDEX.HTM), and other files in files/
documents/documents.json   title, author, date, version and status of each document
profile/bundle.json    medical profile, measures and consents as FHIR R4, for other health software
profile/items.json     medical profile; profile/measures.csv: your measures, for a spreadsheet
agenda/agenda.ics      your appointments, for a calendar
history/history.csv    who did what in your record, and when (history.json: the same, for a program)
catalogue/consents.json    your consents to services of the catalogue, for information
manifest.json          the list of files with their digests, and what could not be taken

What a professional has to tell you himself first is not in it; nor, for a legal representative, what is kept
from him.
"""


def readme(manifest: Manifest, name: str) -> str:
    """The text for the archive of the person called ``name``."""
    day = calendar.today(manifest.made_at).strftime("%d/%m/%Y")
    return _TEXT.format(name=name, day=day).replace("\n", "\r\n")
