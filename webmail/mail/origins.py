"""Where a letter came from, as this gateway saw it: the lines that it put before the message."""

from __future__ import annotations

import re
from typing import Final

import msgspec

import annuaire
from gateway.message import MessageMeta, Signature
from webmail.languages import N_
from webmail.mail.wording import shown

_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_TRACE: Final = re.compile(r"^Received: .*? id ([0-9A-Za-z]{4,40})(?:;| for )", re.M)
_RESULT: Final = re.compile(r"^Authentication-Results: (.*)$", re.M)
_SUBJECT: Final = re.compile(r'x-tls\.subject=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class Hop(msgspec.Struct, frozen=True):
    """``trace_id`` names the message in the evidence. ``operator`` is who brought it, by the certificate that
    was checked against the whitelist ("" otherwise); ``here``: its sender signed in at this gateway."""

    trace_id: str = ""
    operator: str = ""
    here: bool = False


def hop_of(meta: MessageMeta) -> Hop:
    """Read our own prefix (RFC 8601 §5: what came inside the message is the sender's and is not believed)."""
    text = _FOLD.sub(" ", meta.prefix.decode("utf-8", "replace"))
    trace = _TRACE.search(text)
    found = _RESULT.search(text)
    results = found[1] if found else ""
    operator = ""
    if "x-mtls=pass" in results:
        subject = _SUBJECT.search(results)
        name = (subject[1] or subject[2] or "") if subject else ""
        operator = _name_of(re.sub(r"\\(.)", r"\1", name))
    return Hop(trace[1] if trace else "", operator, "auth=pass" in results)


def _name_of(dn: str) -> str:
    """What a certificate calls its holder: the organisation, else the host."""
    pairs = dict(reversed(annuaire.split_dn(dn)))
    return shown(pairs.get("O") or pairs.get("CN") or dn, 100)


class Seal(msgspec.Struct, frozen=True):
    """What a signature is worth, for people: ``kind`` of a notice, ``title`` and ``text`` are msgids with
    ``who`` in them; ``todo`` what to do, "" for nothing."""

    kind: str
    title: str
    text: str
    todo: str
    who: str
    test: bool


_ASK: Final = N_("En cas de doute, appelez le professionnel avant de suivre ce que dit le message.")
_TITLES: Final = {
    "good": N_("Signature valable"),
    "untrusted": N_("Signature non reconnue"),
    "broken": N_("La signature ne correspond pas au message"),
    "not_sender": N_("Signé par quelqu'un d'autre que l'expéditeur"),
    "unsupported": N_("Signature que nous ne savons pas vérifier"),
}
_GOOD: Final = {
    "sender": N_("Signé par %(who)s. Le message vient bien de cette personne et n'a pas été modifié."),
    "structure": N_("Signé par %(who)s, au nom de l'expéditeur. Le message n'a pas été modifié."),
}
_TEXTS: Final = {
    "untrusted": N_("Le certificat de « %(who)s » n'est pas de ceux que l'espace de confiance reconnaît."),
    "broken": N_("Le message a été modifié en chemin, ou mal signé."),
    "not_sender": N_("Le certificat est celui de « %(who)s », qui n'est pas l'expéditeur annoncé."),
    "unsupported": N_("Le message est lisible, mais rien ne prouve par cette signature qui l'a écrit."),
}
ENCRYPTED: Final = Seal(
    "warn",
    N_("Message chiffré"),
    N_("Ce message a été chiffré pour un autre logiciel : il ne peut pas être lu ici."),
    N_(
        "Demandez à l'expéditeur de le renvoyer sans ce chiffrement : entre vos deux messageries, l'échange "
        "est déjà chiffré. Vous pouvez aussi télécharger le message et l'ouvrir avec un logiciel qui a la "
        "clé."
    ),
    "",
    False,
)


def seal_of(found: Signature | None) -> Seal | None:
    """What to say of a message's signature; None when it has none."""
    if found is None or found.state not in _TITLES:
        return None
    if found.kind == "encrypted":
        return ENCRYPTED
    who = shown(" ".join(one for one in (found.given, found.name) if one) or found.address or "?", 120)
    if found.state == "good":
        text = _GOOD.get(found.by, _GOOD["sender"])
        return Seal("ok", _TITLES["good"], text, "", who, found.test)
    kind = "info" if found.state == "unsupported" else "warn"
    return Seal(kind, _TITLES[found.state], _TEXTS[found.state], _ASK, who, found.test)
