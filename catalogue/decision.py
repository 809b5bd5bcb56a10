"""Whether a service may exchange data of a patient: one pure function over plain facts."""

from __future__ import annotations

from typing import Final

import msgspec

from catalogue.model import Standing


class ExchangeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What :func:`decide` judges. ``known``: the service is or was in the list; ``listed``: it is in the one
    in use; ``referenced``: on a day of its referencing; ``exchanges``: with any scope at all; ``offered``:
    with this one; ``open``: the patient's profile is activated; ``consent``: see :data:`Standing`."""

    known: bool
    listed: bool
    referenced: bool
    exchanges: bool
    offered: bool
    open: bool
    consent: Standing


class Decision(msgspec.Struct, frozen=True):
    """Whether it is allowed, the rule that decided, and why: for the patient in French, and in English."""

    allowed: bool
    rule: str
    french: str
    english: str


_WORDS: Final = {
    "catalogue.unknown": (
        "Ce service n'a jamais figuré au catalogue.",
        "no such service was ever in the catalogue",
    ),
    "catalogue.not_referenced": (
        "Ce service n'est plus, ou pas encore, référencé par l'État : il n'échange aucune donnée.",
        "the service is not referenced by the State now",
    ),
    "catalogue.closed": (
        "Votre espace n'est pas ouvert : aucune donnée n'en sort et rien n'y est ajouté.",
        "the patient's profile is not activated",
    ),
    "catalogue.no_exchange": (
        "Ce service est référencé sans échange de données.",
        "the service is referenced without exchange of data",
    ),
    "catalogue.scope": (
        "Ce service n'est pas référencé pour cet échange.",
        "the service is not referenced for this scope",
    ),
    "catalogue.no_consent": (
        "Vous n'avez pas donné votre accord à cet échange.",
        "the patient did not consent to this scope",
    ),
    "catalogue.revoked": (
        "Vous avez retiré votre accord à cet échange.",
        "the patient revoked his consent to this scope",
    ),
    "catalogue.expired": (
        "L'accord que vous aviez donné à cet échange a pris fin.",
        "the consent to this scope has expired",
    ),
    "catalogue.changed": (
        "Depuis votre accord, ce service a quitté le catalogue ou changé d'éditeur : il faut le redonner.",
        "since the consent the service left the list or changed hands: it is to be given again",
    ),
    "catalogue.unconfirmed": (
        "Cet accord date d'avant que vous (ou vos représentants actuels) décidiez : il faut le confirmer.",
        "the consent was given before a representative's right ended: it is to be confirmed",
    ),
    "catalogue.allowed": (
        "Vous avez donné votre accord à cet échange.",
        "the patient consented to this scope",
    ),
}
_CONSENT: Final[dict[Standing, str]] = {
    "none": "catalogue.no_consent",
    "given": "catalogue.allowed",
    "revoked": "catalogue.revoked",
    "expired": "catalogue.expired",
    "changed": "catalogue.changed",
    "unconfirmed": "catalogue.unconfirmed",
}


def decide(facts: ExchangeFacts) -> Decision:
    """May it be exchanged? The first answer applies: the service, the profile, the scope, the consent."""
    rule = _CONSENT[facts.consent]
    for holds, refusal in (
        (facts.known, "catalogue.unknown"),
        (facts.listed and facts.referenced, "catalogue.not_referenced"),
        (facts.open, "catalogue.closed"),
        (facts.exchanges, "catalogue.no_exchange"),
        (facts.offered, "catalogue.scope"),
    ):
        if not holds:
            rule = refusal
            break
    french, english = _WORDS[rule]
    return Decision(rule == "catalogue.allowed", rule, french, english)


def words(rule: str) -> tuple[str, str]:
    """The sentences of a rule, French and English."""
    return _WORDS[rule]
