"""Activation once the person is known: activate or object, how to reach him, the account, what is next."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from patients.signin import Answer, FieldFault
from webmail.entering import flow
from webmail.entering.activation import STEP, draw, expired, refused, settle
from webmail.guards import open_get, open_post
from webmail.languages import N_
from webmail.turn import Turn

ACCOUNT_FAULTS: Final = {
    ("identifier", "length"): N_("L'identifiant a entre 6 et 64 caractères."),
    ("identifier", "characters"): N_(
        "L'identifiant commence par une lettre sans accent ou un chiffre, et ne contient que des lettres "
        "sans accent, des chiffres et . _ @ + -"
    ),
    ("password", "short"): N_("Le mot de passe a au moins 12 caractères."),
    ("password", "long"): N_("Le mot de passe a au plus 128 caractères."),
    ("password", "common"): N_("Ce mot de passe est trop facile à deviner. Choisissez-en un autre."),
    ("password", "identifier"): N_("Le mot de passe ne doit pas contenir votre identifiant."),
    ("password", "characters"): N_("Le mot de passe contient un caractère qui ne peut pas être tapé."),
}


async def decide(turn: Turn) -> Response:
    """Activate: both boxes ticked, with the version of the terms that the page showed."""
    errors = {}
    if "oui" not in turn.texts("conditions"):
        errors["conditions"] = turn.say("Pour activer, il faut accepter les conditions d'utilisation.")
    if "oui" not in turn.texts("donnees"):
        errors["donnees"] = turn.say("Pour activer, il faut avoir lu comment vos données sont traitées.")
    token, _ = flow.held(turn)
    if errors:
        answer = await turn.kit.desk.stands(token)
        kept = {"conditions": turn.text("conditions"), "donnees": turn.text("donnees")}
        return (
            draw(turn, answer, 422, errors=errors, values=kept)
            if answer.outcome == "ok" and answer.step == "decision"
            else await settle(turn, Answer("over"), "decision", {})
        )
    answer = await turn.kit.desk.decide(token, "activate", turn.text("version"))
    changed = turn.say("Les conditions viennent de changer. Lisez la nouvelle version avant d'accepter.")
    return await settle(turn, answer, "decision", {"conditions": changed})


async def opposition(turn: Turn) -> Response:
    """``/activation/opposition``: what it means to object, before it is done."""
    answer = await turn.kit.desk.stands(flow.held(turn)[0])
    if answer.outcome == "over":
        return expired(turn)
    if answer.step != "decision":
        return RedirectResponse(STEP, 303)
    return turn.page("entering/opposition.html", place=3, answer=answer)


async def oppose(turn: Turn) -> Response:
    """He objects."""
    answer = await turn.kit.desk.decide(flow.held(turn)[0], "oppose")
    if answer.outcome == "ok":
        return flow.end(RedirectResponse("/activation/oppose", 303))
    return await settle(turn, answer, "decision", {})


async def contact(turn: Turn) -> Response:
    """Where codes shall go: a code is sent there."""
    channel = turn.text("canal")
    values = {"canal": channel, "email": turn.text("email")[:254], "sms": turn.text("sms")[:40]}
    given = await turn.kit.desk.give_contact(
        flow.held(turn)[0],
        "sms" if channel == "sms" else "email",
        values["sms" if channel == "sms" else "email"],
    )
    if isinstance(given, FieldFault):
        stands = await turn.kit.desk.stands(flow.held(turn)[0])
        if stands.outcome != "ok" or stands.step not in ("contact", "confirm"):
            return await settle(turn, Answer("over"), "contact", {})
        fault = turn.say(contact_fault(given))
        return draw(turn, Answer("ok", "contact"), 422, errors={given.field: fault}, values=values)
    if given.outcome == "wait":
        said = flow.wait_sentence(turn, given.wait_ms)
        return draw(turn, Answer("ok", "contact"), 429, wait=said, values=values)
    return await settle(turn, given, "contact", {}, values=values)


def contact_fault(fault: FieldFault) -> str:
    """What is wrong with a destination (a msgid)."""
    if fault.field == "sms":
        return N_("Indiquez un numéro de mobile, par exemple 06 12 34 56 78.")
    return N_("Indiquez une adresse e-mail, par exemple nom@exemple.fr.")


async def confirm(turn: Turn) -> Response:
    """The code that came there."""
    answer = await turn.kit.desk.confirm_contact(flow.held(turn)[0], turn.text("code"))
    return await settle(turn, answer, "confirm", {"code": turn.say("Ce code n'est pas le bon.")})


async def account(turn: Turn) -> Response:
    """Identifier and password; with them the profile is activated."""
    identifier, password = turn.text("identifiant")[:64], turn.secret("motdepasse")
    values = {"identifiant": identifier}
    token, _ = flow.held(turn)
    if password != turn.secret("encore"):
        differ = {"encore": turn.say("Les deux mots de passe ne sont pas les mêmes.")}
        stands = await turn.kit.desk.stands(token)
        if stands.outcome == "ok" and stands.step == "account":
            return draw(turn, stands, 422, errors=differ, values=values)
        return await settle(turn, Answer("over"), "account", {})
    made = await turn.kit.desk.make_account(token, identifier, password)
    if isinstance(made, FieldFault):
        errors = {made.field: turn.say(ACCOUNT_FAULTS[(made.field, made.reason)])}
        return await settle(turn, Answer("wrong"), "account", errors, values=values)
    if made.outcome == "ok":
        return flow.end(RedirectResponse("/activation/terminee", 303))
    if made.outcome == "refused":
        return refused(turn)
    taken = turn.say("Cet identifiant est déjà pris. Choisissez-en un autre.")
    return await settle(turn, made, "account", {"identifier": taken}, values=values)


async def activated(turn: Turn) -> Response:
    """``/activation/terminee``"""
    return turn.page("entering/activated.html")


async def opposed(turn: Turn) -> Response:
    """``/activation/oppose``"""
    return turn.page("entering/opposed.html")


async def terms(turn: Turn) -> Response:
    """``/conditions``: the terms of use in force."""
    return turn.page("entering/terms.html")


ROUTES: Final[list[BaseRoute]] = [
    open_post("/activation/decision", decide),
    open_get("/activation/opposition", opposition),
    open_post("/activation/opposition", oppose),
    open_post("/activation/coordonnees", contact),
    open_post("/activation/confirmer", confirm),
    open_post("/activation/compte", account),
    open_get("/activation/terminee", activated),
    open_get("/activation/oppose", opposed),
    open_get("/conditions", terms),
]
