"""One request on its way through a page: who asks, what was given, and how to answer."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeVar

import msgspec
from sqlalchemy import Connection
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from store import PasserelleError, Store
from webmail import cookies
from webmail.kit import Kit
from webmail.languages import Language, chosen, translations
from webmail.rendering import PAGE_HEADERS, draw, page_policy
from webmail.sentences import sentence
from webmail.visit import Visit, form_key

P = ParamSpec("P")
T = TypeVar("T")
_LONGEST_SAID: Final = 2_000
_Kind = Literal["ok", "info", "warn", "error"]


class Missing(Exception):  # noqa: N818  # not an error of ours: the page is not there (for this person)
    """There is no such page or thing, or not for who asks: both are answered alike, with 404."""


class Refused(Exception):  # noqa: N818  # as above
    """What was asked is not done; ``text`` is said to the person, in French (a msgid)."""

    def __init__(self, text: str, status: int = 403) -> None:
        super().__init__(text)
        self.text = text
        self.status = status


class Page(HTMLResponse):
    """A whole page that is drawn when the handler is done: its shell tells how many messages are unread, and
    that is asked for afterwards (the page may be what reads one), where one may wait."""

    def __init__(self, draws: Callable[[int], str], status: int, headers: Mapping[str, str]) -> None:
        super().__init__("", status, headers)
        self._draws = draws

    def draw(self, unread: int) -> None:
        self.body = self.render(self._draws(unread))
        self.headers["Content-Length"] = str(len(self.body))


@dataclass
class Turn:
    """``form`` is empty unless the page was posted to. ``visit`` is None where nobody is signed in."""

    request: Request
    kit: Kit
    found: Visit | None = None
    form: FormData = field(default_factory=FormData)
    visitor: str = ""  # of who is not signed in: what his forms are bound to
    fresh: bool = False  # whether ``visitor`` is to be set as a cookie

    # -- who asks

    @property
    def visit(self) -> Visit:
        """Who is signed in; only on pages that are not open."""
        assert self.found is not None
        return self.found

    @property
    def source(self) -> str:
        """The address that the request came from, as the listening side saw it."""
        return self.request.client.host if self.request.client is not None else ""

    @cached_property
    def language(self) -> Language:
        cookie = self.request.cookies.get(cookies.LANGUAGE, "")
        return chosen(cookie, self.request.headers.get("accept-language", ""))

    @property
    def fragment(self) -> bool:
        """Whether a script asks for a piece of the page."""
        return self.request.headers.get("hx-request") == "true"

    @property
    def form_key(self) -> str:
        return self.found.form_key if self.found is not None else form_key(self.visitor, "")

    # -- what was given

    def text(self, name: str, default: str = "") -> str:
        """A field of the form, without blanks around it."""
        value = self.form.get(name, default)
        return value.strip() if isinstance(value, str) else default

    def secret(self, name: str) -> str:
        """A password as typed, blanks included."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """All values of a field (boxes that were ticked)."""
        return [one for one in self.form.getlist(name) if isinstance(one, str)]

    def files(self, name: str) -> list[UploadFile]:
        """Files that were chosen; a field that was left empty gives none."""
        return [one for one in self.form.getlist(name) if isinstance(one, UploadFile) and one.filename]

    def asked(self, name: str, default: str = "") -> str:
        """A value of the query, without blanks around it."""
        return self.request.query_params.get(name, default).replace("\0", "").strip()

    # -- the rooms

    @property
    def store(self) -> Store:
        """Of who is signed in (a guest has his own)."""
        return self.found.store if self.found is not None else self.kit.store

    def read(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Awaitable[T]:
        """Run a read (it gets a connection first) off the event loop."""
        return self.store.aread(function, *args, **kwargs)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """Run blocking work off the event loop."""
        return self.store.in_thread(function, *args, **kwargs)

    # -- answers

    def say(self, text: str, **values: object) -> str:
        """A text (its French is its name) in the person's language, ``%(name)s`` filled in."""
        said = translations(self.language).gettext(text)
        return said % values if values else said

    def count(self, one: str, many: str, number: int) -> str:
        """A text that depends on ``%(num)s``."""
        return translations(self.language).ngettext(one, many, number) % {"num": number}

    def page(self, template: str, status: int = 200, *, block: str = "", **values: Any) -> Response:
        """A page, or one block of its template (a fragment for htmx)."""
        said = {} if block else self._said()
        answer: HTMLResponse
        if block:
            answer = HTMLResponse(draw(self, template, block, values), status, headers=PAGE_HEADERS)
        else:
            shell = {"said": said, **values}
            answer = Page(
                lambda unread: draw(self, template, "", {"unread": unread, **shell}), status, PAGE_HEADERS
            )
        answer.headers["Content-Security-Policy"] = page_policy(self.kit.wants.identity_origins)
        answer.headers["Content-Language"] = self.language
        if said:
            cookies.drop(answer, cookies.SAID)
        if self.fresh:
            cookies.put(answer, cookies.VISIT, self.visitor)
        return answer

    def go(self, path: str, said: str = "", *, kind: _Kind = "ok", undo: str = "") -> Response:
        """Look at another page after something was done (RFC 9110 §15.4.4).

        :param said: a text (msgid) that this page shows; nothing of health may stand in it.
        :param undo: where to post to undo it.
        """
        answer = RedirectResponse(path, 303)
        if said:
            kept = msgspec.json.encode((self.say(said), kind, undo))
            cookies.put(answer, cookies.SAID, base64.urlsafe_b64encode(kept).decode(), 60)
        return answer

    def sentence(self, error: PasserelleError) -> str:
        """What a refusal of ours says to the person."""
        return sentence(error, self.language)

    def _said(self) -> dict[str, str]:
        """What the page before wanted said. The prefix ``__Host-`` keeps other hosts from writing it; it is
        shown as text, and what undoes needs this site's form key."""
        kept = self.request.cookies.get(cookies.SAID, "")
        if not kept or len(kept) > _LONGEST_SAID:
            return {}
        try:
            found = msgspec.json.decode(base64.urlsafe_b64decode(kept), type=tuple[str, _Kind, str])
        except (ValueError, msgspec.DecodeError):
            return {}
        text, kind, undo = found
        return {"text": text, "kind": kind, "undo": undo if local(undo) else ""}


_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def local(path: str) -> bool:
    """Whether a path that came from outside stays on this site: printable ASCII (browsers drop tabs and line
    ends out of addresses), one slash at its begin, no backslash (browsers take it for a slash)."""
    return _LOCAL.fullmatch(path) is not None
