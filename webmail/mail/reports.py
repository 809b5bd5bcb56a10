"""Reports of machines in words of people: a message that did not arrive, one that was read or filed."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from gateway.message import Part
from gateway.routing.words import FAILED
from store import BodyReader
from webmail.languages import N_
from webmail.mail.octets import read_some
from webmail.mail.wording import shown

_MOST: Final = 64 * 1024
_RECIPIENTS: Final = 50
_FIELD: Final = re.compile(r"^([A-Za-z-]{1,40}):[ \t]*(.*(?:\n[ \t].*)*)", re.M)
_RULE: Final = re.compile(r"\[?\b([a-z]+\.[a-z0-9_]+)\b\]?\s*$")
_SAID: Final = {
    "failed": N_("Votre message n'a pas pu être remis à %(who)s."),
    "delayed": N_("Votre message n'a pas encore pu être remis à %(who)s. Nous continuons d'essayer."),
    "delivered": N_("Votre message est arrivé chez %(who)s."),
    "relayed": N_("Votre message a été transmis à la messagerie de %(who)s."),
    "expanded": N_("Votre message a été transmis à la messagerie de %(who)s."),
}
_READ: Final = {
    "displayed": N_("%(who)s a ouvert votre message."),
    "dispatched": N_("Le message a été transmis à quelqu'un d'autre par %(who)s."),
    "processed": N_("Votre message a été traité par le logiciel de %(who)s."),
    "deleted": N_("%(who)s a supprimé votre message sans l'ouvrir."),
}
_ERROR: Final = N_("Le logiciel de %(who)s n'a pas pu traiter votre message.")
_STATUS: Final = {
    "5.1.1": N_("Cette adresse n'existe pas."),
    "5.2.1": N_("Cette messagerie est fermée."),
    "5.2.2": N_("Cette messagerie est pleine."),
    "5.3.4": N_("Le message est trop lourd."),
    "5.7.1": N_("La messagerie du destinataire a refusé le message."),
    "4.4.7": N_("La messagerie du destinataire n'a pas répondu à temps."),
}


class Report(msgspec.Struct, frozen=True):
    """One sentence of a report: ``text`` (a msgid with ``who``, an address), ``kind`` of a notice, and why.

    ``french`` and ``english`` are the cause as the rules word it; ``cause`` a msgid where only a status code
    tells.
    """

    text: str
    who: str
    kind: str
    french: str = ""
    english: str = ""
    cause: str = ""


def reports_of(body: BodyReader, root: Part, auto: str) -> list[Report]:
    """What a report says of each recipient, empty for what is none. Blocking."""
    if auto not in ("dsn", "mdn"):
        return []
    wanted = (
        ("message/delivery-status", "message/global-delivery-status")
        if auto == "dsn"
        else ("message/disposition-notification", "message/global-disposition-notification")
    )
    part = next((one for one in report_in(root).children if one.media in wanted), None)
    if part is None:
        return []
    text = read_some(body, part, _MOST)[0].decode("utf-8", "replace").replace("\r\n", "\n")
    groups = [_fields(group) for group in re.split(r"\n[ \t]*\n", text)]
    return _delivery(groups) if auto == "dsn" else _disposition(groups[0] if groups else {})


def report_in(root: Part) -> Part:
    """The multipart/report of a message, which may be signed (RFC 8551 §3.5.3)."""
    return root.children[0] if root.media == "multipart/signed" and root.children else root


def _fields(group: str) -> dict[str, str]:
    return {name.lower(): " ".join(value.split()) for name, value in _FIELD.findall(group)}


def _delivery(groups: list[dict[str, str]]) -> list[Report]:
    """RFC 3464 §2.3: one group for each recipient."""
    made = []
    for group in groups:
        address = group.get("final-recipient") or group.get("original-recipient") or ""
        action = group.get("action", "").lower()
        if not address or action not in _SAID:
            continue
        found = _RULE.search(group.get("diagnostic-code", ""))
        words = FAILED.get(found[1]) if found and action in ("failed", "delayed") else None
        kind = {"failed": "error", "delayed": "warn"}.get(action, "ok")
        cause = "" if words or action != "failed" else _STATUS.get(group.get("status", "").split(" ")[0], "")
        english = f"{words.en[:1].upper()}{words.en[1:]}." if words else ""
        french = words.fr if words and "{day}" not in words.fr else ""
        made.append(Report(_SAID[action], _who(address), kind, french, english if french else "", cause))
    return made[:_RECIPIENTS]


def _disposition(fields: dict[str, str]) -> list[Report]:
    """RFC 8098 §3.2.6: mode; type[/modifier]."""
    mode, _, kind = fields.get("disposition", "").partition(";")
    name, _, modifier = kind.strip().lower().partition("/")
    who = _who(fields.get("final-recipient", ""))
    if not mode or name not in _READ:
        return []
    if modifier in ("error", "failure"):
        return [Report(_ERROR, who, "warn")]
    return [Report(_READ[name], who, "ok" if name != "deleted" else "warn")]


def _who(value: str) -> str:
    """RFC 3464 §2.1.2: the address after its type."""
    return shown(value.partition(";")[2] or value, 200)
