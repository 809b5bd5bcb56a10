"""App passwords: what a mail program signs in with. Shown once, withdrawn one by one."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute

import patients
from webmail.account.proof import fresh, proven
from webmail.guards import get, post
from webmail.languages import N_
from webmail.sentences import tell
from webmail.turn import Missing, Turn

_BACK: Final = "/compte/applications"
tell(
    {
        "credential.unknown": N_("Ce mot de passe d'application est déjà retiré."),
        "credential.box": N_("Votre boîte aux lettres n'est pas ouverte."),
    }
)


async def applications(turn: Turn) -> Response:
    """``/compte/applications``: those of this space, and the settings of mail programs."""
    return await _list(turn)


async def _list(
    turn: Turn, status: int = 200, *, secret: str = "", error: str = "", label: str = ""
) -> Response:
    found = await turn.read(patients.app_passwords, turn.visit.box_id)
    held = [one for one in found if one.revoked_at is None]
    return turn.page(
        "account/applications.html",
        status,
        held=held,
        secret=secret,
        error=error,
        label=label,
        fresh=fresh(turn),
    )


async def add(turn: Turn) -> Response:
    """Make one. It is shown in the answer itself: it must be in no cookie and no address."""
    label = turn.text("nom")[:100]
    if not label:
        return await _list(turn, 422, error=turn.say("Donnez un nom, par exemple : téléphone."))
    secret = await turn.run(patients.add_app_password, turn.visit.store, turn.visit.box_id, label)
    return await _list(turn, secret=secret, label=label)


async def revoke(turn: Turn) -> Response:
    """Withdraw one."""
    number = turn.request.path_params["credential_id"]
    held = await turn.read(patients.app_passwords, turn.visit.box_id)
    if all(one.credential_id != number or one.revoked_at for one in held):
        raise Missing
    await turn.run(patients.revoke_app_password, turn.visit.store, turn.visit.box_id, number)
    return turn.go(_BACK, N_("Ce mot de passe d'application ne fonctionne plus."))


ROUTES: Final[list[BaseRoute]] = [
    get(_BACK, applications),
    post(_BACK, proven(_BACK)(add)),
    post("/compte/applications/{credential_id:int}/retirer", revoke),
]
