"""The account at a glance, how often one is told, and the history of sign-ins."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, get_args

from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import activity
import patients
from activity import WISHES, Wish
from patients import signin
from patients.signin import EventKind
from store import now_ms
from webmail.account.proof import own
from webmail.guards import get, post
from webmail.languages import N_
from webmail.turn import Turn

WISHED: Final[dict[Wish, tuple[str, str]]] = {
    "at_once": (
        N_("Dès que quelque chose arrive"),
        N_("Après quelques minutes, pour grouper ce qui arrive ensemble."),
    ),
    "daily": (N_("Une fois par jour"), N_("Le matin, seulement s'il y a du nouveau.")),
    "weekly": (N_("Une fois par semaine"), N_("Le lundi matin, seulement s'il y a du nouveau.")),
    "none": (N_("Jamais"), N_("Sauf si quelqu'un ouvre votre dossier en urgence.")),
}
HAPPENED: Final[dict[EventKind, str]] = {
    "account_made": N_("Compte créé"),
    "code_sent": N_("Code envoyé"),
    "code_refused": N_("Code refusé"),
    "signed_in": N_("Connexion"),
    "signed_out": N_("Déconnexion"),
    "stepped_up": N_("Action confirmée par un code"),
    "session_revoked": N_("Session fermée à distance"),
    "password_refused": N_("Mot de passe refusé"),
    "password_changed": N_("Mot de passe changé"),
    "account_reset": N_("Accès refait avec la carte Vitale"),
    "passkey_added": N_("Clé d'accès ajoutée"),
    "passkey_removed": N_("Clé d'accès retirée"),
    "passkey_cloned": N_("Clé d'accès bloquée : une copie existe"),
    "contact_changed": N_("Adresse ou numéro des codes changé"),
    "unlocked": N_("Accès débloqué par l'assistance"),
    "factor_reset": N_("Accès remis à zéro"),
}
METHODS: Final[dict[str, str]] = {
    "password": N_("mot de passe et code"),
    "passkey": N_("clé d'accès"),
    "federated": N_("FranceConnect et code"),
    "email": N_("e-mail"),
    "sms": N_("SMS"),
}
#: What somebody should look at twice.
ALARMS: Final = frozenset({"code_refused", "password_refused", "passkey_cloned", "account_reset"})


def ins_groups(ins: str) -> str:
    """A matricule as cards print it: ``2 69 06 75 056 001 42`` (no-break spaces)."""
    parts = patients.split(ins)
    return "\u00a0".join((*(getattr(parts, name) for name in parts.__struct_fields__),))


async def overview(turn: Turn) -> Response:
    """``/compte``: of whose space it is; in one's own, the ways in too."""
    visit = turn.visit
    return turn.page(
        "account/overview.html",
        person=visit.profile,
        ins=ins_groups(visit.profile.ins),
        born=date.fromisoformat(visit.profile.birth_date),
        **await turn.read(_figures, turn),
    )


def _figures(conn: Connection, turn: Turn) -> dict[str, Any]:
    visit, now = turn.visit, now_ms()
    open_now = signin.sessions_of(conn, visit.ins)
    keys = [one for one in signin.passkeys_of(conn, visit.ins) if not one.revoked_at]
    apps = [one for one in patients.app_passwords(conn, visit.box_id) if not one.revoked_at]
    return {
        "sessions": sum(signin.alive(one, turn.kit.lifetimes, now) for one in open_now),
        "keys": len(keys),
        "apps": len(apps),
        "reach": signin.reach_of(conn, visit.store.home, visit.ins, now),
        "wish": WISHED[activity.notice_of(conn, visit.box_id, visit.ins).wish][0],
    }


async def notices(turn: Turn) -> Response:
    """``/compte/notifications``: how often one is told of this space."""
    return turn.page("account/notices.html", **await turn.read(_notices, turn))


def _notices(conn: Connection, turn: Turn) -> dict[str, Any]:
    visit = turn.visit
    return {
        "wish": activity.notice_of(conn, visit.box_id, visit.ins).wish,
        "wishes": [(one, turn.say(WISHED[one][0]), turn.say(WISHED[one][1])) for one in WISHES],
        "email": signin.proven_email(conn, visit.store.home, visit.ins, now_ms()),
    }


async def wish(turn: Turn) -> Response:
    """Keep the wish; it stands in the history, too."""
    visit, wanted = turn.visit, turn.text("rythme")
    found: Wish | None = next((one for one in WISHES if one == wanted), None)
    if found is None:
        said = turn.say("Choisissez un rythme.")
        return turn.page("account/notices.html", 422, error=said, **await turn.read(_notices, turn))
    await turn.run(activity.set_wish, visit.store, visit.box_id, visit.actor, found)
    return turn.go("/compte/notifications", N_("C'est enregistré."))


async def journal(turn: Turn) -> Response:
    """``/compte/journal``: what happened to the ways in."""
    events = await turn.read(signin.events_of, turn.visit.ins)
    return turn.page("account/journal.html", events=events, happened=HAPPENED, methods=METHODS, alarms=ALARMS)


assert set(HAPPENED) == set(get_args(EventKind))

ROUTES: Final[list[BaseRoute]] = [
    get("/compte", overview),
    get("/compte/notifications", notices),
    post("/compte/notifications", wish),
    get("/compte/journal", own(journal)),
]
