"""Which type of document a plain attachment is, when no metadata say so: by file name, subject, author.

The first hint that is found wins: file name, then subject, then the author's speciality, then the
policy's default. Every answer is in JDV_J66.
"""

from __future__ import annotations

import re
from typing import Final

from gateway.dmp_bridge.identity import fold

# Word patterns on folded text (upper case, no accents), most telling first.
_HINTS: Final = [
    (re.compile(pattern), code)
    for pattern, code in (
        (r"\bARRET DE TRAVAIL\b|\bAVIS D ARRET\b", "PRESC-AAT"),
        (r"\b(ORDONNANCE|PRESCRIPTION)\b.*\b(BIOLOG\w*|ANALYSES?|BILAN SANGUIN)\b", "PRESC-BIO"),
        (r"\b(ORDONNANCE|PRESCRIPTION)\b.*\bKINE\w*", "PRESC-KINE"),
        (r"\b(ORDONNANCE|PRESCRIPTION)\b.*\b(INFIRMI\w+|IDE)\b", "PRESC-INF"),
        (r"\b(ORDONNANCE|PRESCRIPTION)\b.*\b(RADIO\w*|SCANNER|IRM|ECHO\w*|IMAGERIE)\b", "55115-0"),
        (r"\bORDONNANCES?\b", "57833-6"),
        (r"\bPRESCRIPTIONS?\b", "57828-6"),
        (r"\bCERTIFICAT\b", "89601-9"),
        (r"\bANATOMO\w*|\bANAPATH\w*|\bCYTOLOG\w*|\bACP\b", "60568-3"),
        (r"\bBIOLOG\w*|\bANALYSES?\b|\bLABO\w*|\bBILAN SANGUIN\b|\bHEMATOLOG\w*", "11502-2"),
        (r"\bRADIO\w*|\bSCANNER\b|\bIRM\b|\bECHO\w*|\bMAMMO\w*|\bIMAGERIE\b|\bTDM\b|\bDOPPLER\b", "18748-4"),
        (r"\bLETTRE DE LIAISON\b|\bLETTRE DE SORTIE\b", "11490-0"),
        (r"\bURGENCES?\b", "15507-7"),
        (r"\bANESTHESI\w*", "34749-2"),
        (r"\bOPERATOIRE\b|\bBLOC\b", "34874-8"),
        (r"\bACCOUCHEMENT\b", "15508-5"),
        (r"\bHOSPITALI\w*|\bSEJOUR\b|\bCRH\b", "34112-3"),
        (r"\bRCP\b|\bCONCERTATION PLURIDISCIPLINAIRE\b", "34794-8"),
        (r"\bVACCIN\w*", "87273-9"),
        (r"\bSYNTHESE\b|\bVSM\b", "SYNTH"),
        (r"\bTELECONSULT\w*|\bTELEMEDECINE\b", "85208-7"),
        (r"\bCONSULTATION\b", "11488-4"),
        (r"\bADRESSAGE\b", "96349-6"),
    )
]
# Specialities (R38) whose documents are nearly always of one type.
_SPECIALITIES: Final = {
    "SM01": "60568-3",  # anatomie et cytologie pathologiques
    "SM02": "77436-4",  # anesthésie-réanimation
    "SM03": "11502-2",  # biologie médicale
    "SM44": "18748-4",  # radio-diagnostic
}


def guess_type(filename: str, subject: str, speciality: str, default: str) -> str:
    """A type code of JDV_J66. ``speciality`` is a code (``SM44``) or empty; ``default`` the policy's."""
    stem = filename.rsplit(".", 1)[0]
    for text in (fold(stem), fold(subject)):
        for pattern, code in _HINTS:
            if pattern.search(text):
                return code
    return _SPECIALITIES.get(speciality, default)


def title_from(filename: str, label: str) -> str:
    """A title: the file's name in words, else the type's ``label``. At most 128 characters."""
    stem = re.sub(r"[_\s]+", " ", filename.rsplit("/", 1)[-1].rsplit(".", 1)[0]).strip()
    return (stem or label)[:128]
