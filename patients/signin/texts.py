"""What the messages say, French first. No health data, no name; the code and how long it is good."""

from __future__ import annotations

from typing import Literal, NamedTuple

About = Literal["activation", "sign-in", "step-up", "contact", "password", "reset", "moved"]


class Text(NamedTuple):
    """A message in both languages."""

    fr: str
    en: str


_ASKED: dict[About, Text] = {
    "activation": Text("pour activer votre espace", "to activate your space"),
    "sign-in": Text("pour vous connecter", "to sign in"),
    "step-up": Text("pour confirmer une action", "to confirm an action"),
    "contact": Text("pour confirmer cette adresse ou ce numéro", "to confirm this address or number"),
}
_TOLD: dict[About, Text] = {
    "password": Text("Votre mot de passe a été changé.", "Your password was changed."),
    "moved": Text(
        "L'adresse ou le numéro où vous recevez vos codes a été changé.",
        "The address or number where you get your codes was changed.",
    ),
    "reset": Text("Votre accès a été refait avec votre carte.", "Your access was made anew with your card."),
}


def code_text(about: About, code: str, minutes: int) -> Text:
    """The message that brings a code."""
    why = _ASKED[about]
    return Text(
        f"Votre code {why.fr} : {code}. Il est valable {minutes} minutes. "
        "Ne le donnez à personne ; si vous n'avez rien demandé, ignorez ce message.",
        f"Your code {why.en}: {code}. It is good for {minutes} minutes. "
        "Give it to nobody; if you asked for nothing, ignore this message.",
    )


def notice_text(about: About) -> Text:
    """The message that tells of a change which the person should have made himself."""
    what = _TOLD[about]
    return Text(
        f"{what.fr} Si ce n'était pas vous, refaites votre accès ou appelez l'assistance.",
        f"{what.en} If it was not you, make your access anew or call the help line.",
    )
