"""What the evidence says, in words for who sent the message: French here, English in ``texts``."""

from __future__ import annotations

from typing import Final

from webmail.languages import N_, Language, translations

#: Which check refused a message, told to its sender.
CHECKS: Final[dict[str, str]] = {
    "sender.tls": N_("La liaison n'était pas chiffrée."),
    "sender.certificate": N_("Le certificat présenté n'est pas accepté dans l'espace de confiance."),
    "sender.revoked": N_("Le certificat présenté est révoqué."),
    "sender.revocation_unknown": N_(
        "Nous n'avons pas pu vérifier si le certificat présenté est révoqué : c'est à nous d'y remédier."
    ),
    "sender.whitelist": N_(
        "Le domaine de l'expéditeur ne figure pas dans la liste blanche MSSanté avec ce certificat."
    ),
    "sender.annuaire": N_("L'annuaire santé ne confirme pas l'expéditeur."),
    "sender.card": N_("La carte qui porte le certificat est en opposition."),
    "sender.signed_in": N_("Aucune identification n'a précédé l'envoi."),
    "sender.identity": N_(
        "L'enveloppe, le champ « De » et l'identité prouvée ne concordent pas : ce n'était peut-être pas "
        "vous."
    ),
    "sender.closed": N_("La messagerie de l'expéditeur est fermée."),
    "recipient.invalid": N_("L'adresse n'est pas faite d'un INS valable."),
    "recipient.unknown": N_("Aucun espace n'est ouvert à cette adresse."),
    "recipient.opposed": N_("L'usager s'est opposé à l'ouverture de son espace."),
    "recipient.closed": N_("L'espace de l'usager est fermé."),
    "recipient.suspended": N_("L'espace de l'usager est suspendu pour le moment."),
    "recipient.quota": N_("La messagerie est pleine."),
    "recipient.domain": N_("Le domaine du destinataire ne figure pas dans la liste blanche MSSanté."),
    "recipient.relay": N_("Le destinataire n'est pas de cet opérateur."),
    "message.size": N_("Le message dépasse la taille admise."),
    "message.signature": N_("La signature du message n'est pas valable."),
    "message.line_end": N_("Une ligne du message ne se termine pas comme il le faut (CRLF)."),
    "report.encoding": N_("Le rapport joint n'est pas lisible."),
    "relay.domain": N_("Le domaine du destinataire n'existe pas."),
    "relay.null_mx": N_("Le domaine du destinataire ne reçoit pas de messages."),
    "relay.dns": N_("Le service des noms de domaine ne répond pas."),
    "relay.connection": N_("Le serveur du destinataire ne répond pas."),
    "relay.tls": N_("Le serveur du destinataire ne propose pas de liaison chiffrée : rien n'a été envoyé."),
    "relay.identity": N_("Le serveur du destinataire n'accepte pas notre certificat."),
    "relay.certificate": N_(
        "Le certificat du serveur du destinataire n'est pas accepté : rien n'a été envoyé."
    ),
    "relay.whitelist": N_("Le serveur du destinataire n'est pas celui de l'opérateur du domaine."),
    "relay.deferred": N_("Le serveur du destinataire demande d'attendre : nous réessayons."),
    "relay.refused": N_("Le serveur du destinataire a refusé le message."),
    "relay.expired": N_("Le serveur du destinataire n'a pas pris le message dans le délai prévu."),
    "relay.dropped": N_("L'envoi a été abandonné par un administrateur."),
}
_OTHER_CHECK: Final = N_("Une vérification n'a pas abouti.")

#: Why somebody is not let in.
DOORS: Final[dict[str, str]] = {
    "door.credentials": N_("Vous n'avez présenté ni certificat ni jeton."),
    "door.token": N_("Le jeton présenté n'est pas valable."),
    "door.binding": N_("Le jeton n'est pas lié au certificat présenté."),
    "door.certificate": N_("Le certificat présenté n'est pas accepté."),
    "door.provider": N_("Pro Santé Connect ne répond pas : réessayez plus tard."),
    "door.holder": N_("L'annuaire santé ne confirme pas ce professionnel ou cette structure."),
    "door.purpose": N_("Le motif d'accès n'est pas compris."),
    "door.regulation": N_("Ce mode d'accès est réservé aux médecins régulateurs du SAMU."),
}
_OTHER_DOOR: Final = N_("Votre demande n'a pas pu être vérifiée.")

_FILED: Final[dict[str, str]] = {
    "filed": N_("Document déposé dans le dossier de l'usager."),
    "replaced": N_("Document déposé ; il remplace la version précédente."),
    "duplicate": N_("Ce document était déjà dans le dossier."),
    "deleted": N_("Document retiré du dossier, comme vous l'avez demandé."),
}
_OTHER_FILED: Final = N_("Document traité.")

#: What the application error codes mean: the labels of gateway.dmp_bridge, which has no English for them.
LABELS: Final[dict[int, str]] = {
    900: N_("Version du document incorrecte"),
    901: N_("Auteur non autorisé à remplacer ou supprimer ce document"),
    902: N_("Patient inconnu"),
    903: N_("INS absente du document"),
    904: N_("INS ou traits d'identité différents de ceux du destinataire"),
    905: N_("Traits d'identité incomplets"),
    906: N_("Document non intégrable"),
}


def check(rule: str, language: Language) -> str:
    """The check that refused a message, for its sender."""
    return _say(CHECKS.get(rule, _OTHER_CHECK), language)


def door(rule: str, more: str, language: Language) -> str:
    """Why somebody is not let in; the check of the certificate that failed, where that is it."""
    told = _say(DOORS.get(rule, _OTHER_DOOR), language)
    return f"{told} {_say(CHECKS[more], language)}" if more in CHECKS else told


def filed(outcome: str, language: Language) -> str:
    """What became of a document."""
    return _say(_FILED.get(outcome, _OTHER_FILED), language)


def label(code: int, language: Language) -> str:
    """What an application error code (900 to 906) means."""
    return _say(LABELS.get(code, LABELS[906]), language)


def _say(text: str, language: Language) -> str:
    return translations(language).gettext(text)
