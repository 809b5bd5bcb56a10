"""The form of a letter: answering, going on with a draft, a new letter; keeping it, and sending it."""

from __future__ import annotations

from typing import Final

from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from store import PasserelleError, now_ms
from webmail.guards import get, post
from webmail.languages import N_
from webmail.mail.letters import letter_of
from webmail.mail.shelf import conversation_path
from webmail.turn import Missing, Turn
from webmail.writing.answers import answer_box
from webmail.writing.building import Writing, new_token
from webmail.writing.drafts import drafts_of, header_id, keep
from webmail.writing.forms import Work, answer_to, go_on, posted, quotation_of, shown, without
from webmail.writing.references import address_of
from webmail.writing.sending import send, was_accepted

#: The port bounds what a request may weigh; see ``[gateway] message_size``.
BODY: Final = 256 * 1024 * 1024
FILES: Final = 100
_ANSWER: Final = N_("Répondre")
_WRITE: Final = N_("Écrire un message")
_DRAFT: Final = N_("Continuer un brouillon")
_NO_TEXT: Final = N_("Écrivez votre message, ou joignez un document.")
_NO_SUBJECT: Final = N_("Dites en quelques mots de quoi il s'agit.")
_NO_ONE: Final = N_("Ce message n'a pas de destinataire : écrivez-le depuis la page « Écrire ».")
_LOST: Final = N_(
    "Ce brouillon a été enregistré ou supprimé ailleurs, et ses pièces jointes n'ont pas été retrouvées : "
    "joignez-les à nouveau, puis envoyez."
)
_CHANGED: Final = N_(
    "Ce message est déjà parti. Ce que vous avez modifié depuis n'a pas été envoyé : si vous envoyez "
    "maintenant, ce sera un second message."
)
_SOME_REFUSED: Final = N_("Certains fichiers n'ont pas été joints : rien n'est parti. Voyez ci-dessous.")


async def answer_form(turn: Turn) -> Response:
    """``/messages/{id}/repondre``; a draft of an answer to the same letter is gone on with."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    box, work = await answer_to(turn, letter)
    path = f"/messages/{letter.message_id}"
    if not box.open:
        return turn.page("writing/closed.html", 403, box=box, back=path)
    if work.writing.in_reply_to and not turn.visit.guest:
        for one in (await turn.read(drafts_of, turn.visit)).found:
            if one.facts.in_reply_to == work.writing.in_reply_to:
                return RedirectResponse(f"/brouillons/{one.message_id}", 303)
    return await _form(turn, work, title=_ANSWER, action=f"{path}/repondre", back=path)


async def draft_form(turn: Turn) -> Response:
    """``/brouillons/{id}``"""
    number = turn.request.path_params["draft_id"]
    work = await go_on(turn, number)
    ident = header_id(turn, work.writing)
    if not turn.visit.guest and await turn.read(was_accepted, ident, turn.visit.address):
        # It left, and we stopped before the draft was taken away.
        result = await send(turn, work.writing, number, work.original, _quotation(work))
        if result.outcome == "before":
            return await _gone(turn, work.writing, N_("Ce brouillon était déjà envoyé."))
    back = f"/messages/{work.original.message_id}" if work.original else "/ecrire"
    return await _form(turn, work, title=_DRAFT, action=f"/brouillons/{number}", back=back)


async def new_form(turn: Turn) -> Response:
    """``/ecrire/{reference}``: to somebody who may be written to without a letter of his."""
    address = await turn.run(address_of, turn.visit, turn.request.path_params["reference"])
    if not address:
        raise Missing
    box = await answer_box(turn, address)
    if not box.open:
        return turn.page("writing/closed.html", 403, box=box, back="/ecrire")
    work = Work(writing=Writing(token=new_token(), to=[address]))
    return await _form(turn, work, title=_WRITE, action=turn.request.url.path, back="/ecrire")


async def take_form(turn: Turn) -> Response:
    """What was written comes in: it is kept, files are added or taken away, or it is sent."""
    work = await posted(turn)
    verb, _, mark = turn.text("faire", "enregistrer").partition(":")
    if verb == "retirer":
        work.writing.files = without(work.writing.files, mark)
    if verb == "auto":
        return await _save_quietly(turn, work)
    if work.original is not None:
        work.quotation = await quotation_of(turn, work.original)
    if verb == "envoyer":
        return await _send(turn, work)
    kept = await _keep(turn, work)
    if turn.fragment:
        values = await shown(turn, work, title="", action="", back="")
        status = 422 if work.errors or work.refusal else 200
        return turn.page("writing/compose.html", status, block="pieces", **values)
    if work.faults or not kept:
        return await _again(turn, work)
    there = f"/brouillons/{work.draft}"
    if verb == "dossier":
        return turn.go(f"{there}/dossier")
    if verb in ("joindre", "retirer"):
        return turn.go(f"{there}#pieces")
    return turn.go(there, N_("Brouillon enregistré."))


async def _send(turn: Turn, work: Work) -> Response:
    """Kept first, so that neither a refusal nor a crash loses a word."""
    writing = work.writing
    if _worth(work):
        await _keep(turn, work)
    if not writing.to:
        work.refusal = turn.say(_NO_ONE)
    if not writing.subject.strip():
        work.errors["objet"] = turn.say(_NO_SUBJECT)
    if not writing.text.strip() and not writing.files:
        work.errors["texte"] = turn.say(_NO_TEXT)
    if work.faults:
        work.refusal = work.refusal or turn.say(_SOME_REFUSED)
    if work.errors or work.refusal:
        return await _again(turn, work)
    ident = header_id(turn, writing)
    if work.lost and not await turn.read(was_accepted, ident, turn.visit.address):
        work.refusal = turn.say(_LOST)
        return await _again(turn, work)
    result = await send(turn, writing, work.draft, work.original, _quotation(work))
    if result.outcome == "sent":
        return await _gone(turn, writing, N_("Votre message est parti."))
    if result.outcome == "before":
        return await _gone(
            turn, writing, N_("Votre message était déjà parti : il n'a été envoyé qu'une fois.")
        )
    if result.outcome == "changed":
        writing.token, work.draft = new_token(), 0
        work.refusal = turn.say(_CHANGED)
        await _keep(turn, work)
    else:
        work.refusal = result.text
    return await _again(turn, work)


async def _save_quietly(turn: Turn, work: Work) -> Response:
    """The script keeps what is being typed; an empty letter is not worth a draft."""
    kept = _worth(work) and await _keep(turn, work)
    return turn.page("writing/compose.html", block="state", work=work, kept_at=now_ms() if kept else 0)


def _worth(work: Work) -> bool:
    return bool(work.draft or work.writing.text.strip() or work.writing.files)


async def _keep(turn: Turn, work: Work) -> bool:
    """Keep the letter as a draft; False, and why in the form, when that cannot be."""
    try:
        number = await keep(turn, work.writing, work.draft)
    except PasserelleError as error:
        work.refusal = turn.sentence(error)
        return False
    work.draft = number or work.draft
    return True


async def _again(turn: Turn, work: Work) -> Response:
    action = f"/brouillons/{work.draft}" if work.draft else turn.request.url.path
    title = _ANSWER if work.original else _WRITE
    back = f"/messages/{work.original.message_id}" if work.original else "/ecrire"
    return await _form(turn, work, title=title, action=action, back=back, status=422)


async def _form(turn: Turn, work: Work, *, title: str, action: str, back: str, status: int = 200) -> Response:
    values = await shown(turn, work, title=turn.say(title), action=action, back=back)
    return turn.page("writing/compose.html", status, **values)


async def _gone(turn: Turn, writing: Writing, said: str) -> Response:
    where = await turn.run(conversation_path, turn.visit, writing.to[0]) if writing.to else "/messages"
    return turn.go(where, said)


def _quotation(work: Work) -> str:
    return work.quotation if work.writing.quote else ""


ROUTES: Final[list[BaseRoute]] = [
    get("/messages/{message_id:int}/repondre", answer_form),
    post("/messages/{message_id:int}/repondre", take_form, body=BODY, files=FILES),
    get("/brouillons/{draft_id:int}", draft_form),
    post("/brouillons/{draft_id:int}", take_form, body=BODY, files=FILES),
    get("/ecrire/{reference}", new_form),
    post("/ecrire/{reference}", take_form, body=BODY, files=FILES),
]
