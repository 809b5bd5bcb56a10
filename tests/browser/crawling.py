"""Every page that links lead to, from the first one: the routes that they show, and what is broken."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx
from starlette.applications import Starlette
from starlette.routing import Match, Route

#: Addresses of one route that are looked at (a list may have thousands of rows), and asked for in a browser.
_OF_ROUTE: Final = 3
_FOLLOWED: Final = {"a": "href", "iframe": "src", "img": "src", "link": "href", "script": "src"}


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.forms: list[str] = []  # what they are sent to, GET or POST

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        value = given.get(_FOLLOWED.get(tag, ""), "")
        if value:
            self.found.append(value)
        if tag == "form" and given.get("action"):
            self.forms.append(f"{(given.get('method') or 'get').upper()} {given['action']}")


@dataclass
class Crawl:
    """``pages``: addresses of HTML pages by route; ``others``: of all else that is given; ``moved``: of
    what leads elsewhere; ``broken``: what leads nowhere, with the page that has the link."""

    pages: dict[str, list[str]] = field(default_factory=dict)
    others: dict[str, list[str]] = field(default_factory=dict)
    moved: dict[str, list[str]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def met(self) -> set[str]:
        return {*self.pages, *self.others, *self.moved}


def routes(app: Starlette) -> list[str]:
    """The paths of all that can be got."""
    return [one.path for one in app.routes if isinstance(one, Route) and "GET" in (one.methods or ())]


def route_of(app: Starlette, path: str, method: str = "GET") -> str:
    """The route that answers for a path; "" when none does."""
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    for one in app.routes:
        if isinstance(one, Route) and one.matches(scope)[0] is Match.FULL:
            return one.path
    return ""


async def crawl(
    app: Starlette, client: httpx.AsyncClient, begin: list[str], *, leave: frozenset[str] = frozenset()
) -> Crawl:
    """Follow the links of pages from ``begin``.

    :param leave: routes that are not asked for (streams that never end).
    """
    done = Crawl()
    waiting: deque[tuple[str, str]] = deque((one, "") for one in begin)
    seen: set[str] = set()
    asked: dict[str, int] = {}
    base = str(client.base_url)
    while waiting:
        link, of = waiting.popleft()
        path = urldefrag(link).url
        if path in seen:
            continue
        seen.add(path)
        route = route_of(app, urlsplit(path).path)
        if not route:
            done.broken.append(f"{of}: {path} is nobody's")
        if not route or route in leave or asked.get(route, 0) >= _OF_ROUTE:
            continue
        asked[route] = asked.get(route, 0) + 1
        answer = await client.get(path)
        kind = answer.headers.get("content-type", "")
        if answer.status_code in (302, 303):
            done.moved.setdefault(route, []).append(path)
            following = [answer.headers["location"]]
        elif answer.status_code != 200:
            done.broken.append(f"{of}: {path} is answered with {answer.status_code}")
            continue
        elif kind.startswith("text/html"):
            done.pages.setdefault(route, []).append(path)
            links = _Links()
            links.feed(answer.text)
            following = links.found
            for form in links.forms:
                method, _, action = form.partition(" ")
                if not route_of(app, urlsplit(urljoin(path, action)).path, method):
                    done.broken.append(f"{path}: the form {form} is nobody's")
        else:
            done.others.setdefault(route, []).append(path)
            following = []
        for one in following:
            target = urljoin(urljoin(base, path), one)
            if target.startswith((base, base.rstrip("/") + "/")):
                waiting.append(("/" + target[len(base.rstrip("/")) :].lstrip("/"), path))
            elif not re.match(r"(?:mailto|tel|data|https?):", target):
                done.broken.append(f"{path}: {one} is no address")
    return done
