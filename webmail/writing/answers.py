"""Whether what is shown may be answered, and why not: the rules' own verdict, in the person's language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import Connection

from gateway.routing import Check, Explanation, Origin, Policy, explain, explain_all
from store import NotFoundError
from webmail.languages import N_, Language
from webmail.turn import Turn
from webmail.visit import Visit

if TYPE_CHECKING:
    from webmail.mail.letters import Letter

_LOOKED_AT: Final = 20  # addresses of one Reply-To, as the rules look at
_NOBODY: Final = N_("Ce message a été écrit par le service lui-même : personne ne lirait votre réponse.")
_NO_AUTHOR: Final = N_("Ce message ne dit pas qui l'a écrit : il n'est pas possible d'y répondre.")


class AnswerBox(msgspec.Struct, frozen=True):
    """What would happen if the person wrote now.

    ``rule`` decides (see ``docs/rules.md``); ``text`` says why it is closed, or what to know before writing,
    "" for nothing. ``addresses`` are those that the answer would go to, ``address`` the first of them (or the
    one that is closed).
    """

    open: bool
    rule: str
    text: str
    address: str
    addresses: tuple[str, ...] = ()


async def answer_box(turn: Turn, letter_or_address: Letter | str) -> AnswerBox:
    """Ask the rules whether the person may write to an address, or answer a letter, at this moment.

    A letter is answered to its Reply-To as far as the rules allow, else to its From (RFC 5322 §3.6.2); one of
    the patient's own goes to those to whom it went.
    """
    return (await answer_boxes(turn, [letter_or_address]))[0]


async def answer_boxes(turn: Turn, wanted: list[Letter | str]) -> list[AnswerBox]:
    """The same for several at once."""
    return await turn.read(_judge, turn.kit.router.policy, turn.visit, turn.language, wanted)


def writer(visit: Visit, *, tls: str = "", peer: str = "") -> Origin:
    """Who writes, as the rules know him: the patient of the space, and who acts for him."""
    return Origin(
        kind="patient",
        box_id=visit.box_id,
        address=visit.address,
        name=visit.address,
        tls=tls,
        peer=peer,
        actor_ins="" if visit.own else visit.ins,
    )


def told(check: Check, language: Language) -> str:
    """What a check says to the person."""
    return check.french if language == "fr" else f"{check.text[:1].upper()}{check.text[1:]}."


def _judge(
    conn: Connection, policy: Policy, visit: Visit, language: Language, wanted: list[Letter | str]
) -> list[AnswerBox]:
    first = _own_side(conn, policy, visit)
    return [_box(conn, policy, visit, language, one, first) for one in wanted]


def _own_side(conn: Connection, policy: Policy, visit: Visit) -> Check | None:
    """What keeps the patient himself from sending: his box closed, his space suspended; None for nothing."""
    try:
        asked = explain(conn, policy, visit.address, policy.system_address)
    except NotFoundError as error:
        return Check(error.rule, False, error.peer)
    return next((one for one in asked.checks if not one.ok and one.rule.startswith("sender.")), None)


def _box(
    conn: Connection,
    policy: Policy,
    visit: Visit,
    language: Language,
    wanted: Letter | str,
    own_side: Check | None,
) -> AnswerBox:
    named, author = _named(policy, visit, wanted)
    if not named:
        text = _NOBODY if author else _NO_AUTHOR
        return AnswerBox(False, "", text, author)
    if own_side is not None:
        return AnswerBox(False, own_side.rule, told(own_side, language), named[0])
    asked = explain_all(conn, policy, writer(visit), named)
    held = [one for one in asked if one.verdict.accepted]
    if not held and author not in named:
        held = [one for one in explain_all(conn, policy, writer(visit), [author]) if one.verdict.accepted]
    if held:
        return _opened(held, language)
    decides = next(one for one in asked[0].checks if not one.ok)
    return AnswerBox(False, decides.rule, told(decides, language), named[0])


def _opened(held: list[Explanation], language: Language) -> AnswerBox:
    warnings = [told(check, language) for one in held for check in one.warnings]
    addresses = tuple(one.recipient for one in held)
    return AnswerBox(True, held[0].verdict.rule, " ".join(dict.fromkeys(warnings)), addresses[0], addresses)


def _named(policy: Policy, visit: Visit, wanted: Letter | str) -> tuple[list[str], str]:
    """The addresses that an answer is for, in the order in which they are tried, and the author's."""
    if isinstance(wanted, str):
        return [wanted.casefold()], wanted.casefold()
    facts = wanted.meta.index.facts
    author = facts.from_[0].address.casefold() if len(facts.from_) == 1 else ""
    if author == visit.address.casefold():
        to = [one.address.casefold() for one in facts.to if one.address]
        return list(dict.fromkeys(to))[:_LOOKED_AT], author
    if facts.auto in ("dsn", "mdn") or author == policy.system_address.casefold():
        return [], author or "-"
    reply_to = dict.fromkeys(one.address.casefold() for one in facts.reply_to if one.address)
    return (list(reply_to)[:_LOOKED_AT] or [author]) if author else [], author
