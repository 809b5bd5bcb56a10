"""Lines of lists, worded: templates only set them, which is most of what a list costs."""

from __future__ import annotations

import msgspec

from webmail.languages import N_
from webmail.mail.views import Conversation, Item, View
from webmail.people import Contact
from webmail.turn import Turn

_MDN, _DSN = N_("Accusé de lecture :"), N_("Avis de remise :")
_NO_SUBJECT = N_("(sans objet)")


class Row(msgspec.Struct, frozen=True):
    """``field`` and ``value`` are sent when it is ticked; ``symbol`` or else ``initials`` stand in the
    round mark, whose ``tone`` is pharmacy, unlisted or ""; ``at`` in ms; ``note`` names a folder, or ""."""

    field: str
    value: str
    path: str
    label: str
    about: str
    subject: str
    initials: str
    symbol: str
    tone: str
    at: int
    sent: bool
    files: bool
    unread: int
    many: int = 1
    note: str = ""
    fading: bool = False


def conversation_row(turn: Turn, one: Conversation) -> Row:
    """A conversation: who, and its newest letter."""
    contact, newest = one.contact, one.newest
    return Row(
        "conversation",
        one.path.rpartition("/")[2],
        one.path,
        contact.label(turn.language),
        about_of(turn, contact),
        subject_of(turn, newest),
        contact.initials,
        contact.symbol,
        _tone(contact),
        newest.at,
        newest.sent,
        bool(newest.files),
        one.unread,
        len(one.items),
    )


def item_row(turn: Turn, view: View, item: Item, *, note: str = "", path: str = "/messages/") -> Row:
    """A message; ``path`` is where it is shown, without its id."""
    people = view.people(item)
    first = people[0] if people else None
    return Row(
        "message",
        str(item.message_id),
        f"{path}{item.message_id}",
        _people(turn, item, people),
        about_of(turn, first) if first is not None and not item.sent else "",
        subject_of(turn, item),
        first.initials if first is not None else "",
        first.symbol if first is not None else "mail",
        _tone(first) if first is not None else "",
        item.at,
        False,
        bool(item.files),
        int(not item.seen),
        1,
        note,
        item.fading,
    )


def about_of(turn: Turn, contact: Contact) -> str:
    """What is known of who writes: the annuaire's words, or that it does not know him."""
    if contact.listed:
        return contact.about(turn.language) or turn.say("Professionnel de santé")
    if contact.system:
        return turn.say("Avis automatiques")
    if contact.name:
        return turn.say("Nom donné par l'expéditeur · %(domain)s", domain=contact.domain)
    return contact.domain


def subject_of(turn: Turn, item: Item) -> str:
    """The subject, and before it what kind of notice it is."""
    subject = item.subject or turn.say(_NO_SUBJECT)
    if item.auto in ("mdn", "dsn"):
        return f"{turn.say(_MDN if item.auto == 'mdn' else _DSN)} {subject}"
    return subject


def _people(turn: Turn, item: Item, people: list[Contact]) -> str:
    if not people:
        return turn.say("Sans destinataire") if item.sent else turn.say("Expéditeur inconnu")
    text = people[0].label(turn.language)
    if item.sent:
        text = f"{turn.say('À :')} {text}"
    if len(people) > 1:
        text += " " + turn.count("et %(num)s autre", "et %(num)s autres", len(people) - 1)
    return text


def _tone(contact: Contact) -> str:
    return "pharmacy" if contact.pharmacy else "" if contact.listed or contact.system else "unlisted"
