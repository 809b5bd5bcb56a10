"""Templates made into pages: the environment, its filters, and the head that every page is sent with."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.requests import Request

from webmail import cookies, formats
from webmail.kit import Kit
from webmail.languages import LANGUAGES, Language, translations
from webmail.visit import Visit

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"


class Drawn(Protocol):
    """What a page is drawn for: see :class:`webmail.turn.Turn`."""

    request: Request
    kit: Kit
    found: Visit | None

    @property
    def language(self) -> Language: ...

    @property
    def form_key(self) -> str: ...


PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",  # RFC 9111 §5.2.2.5: nothing of a page stays in a browser
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; frame-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)


def page_policy(elsewhere: tuple[str, ...] = ()) -> str:
    """The Content-Security-Policy of pages; a form may lead to ``elsewhere`` (FranceConnect) besides."""
    return " ".join((_POLICY, *elsewhere))


@cache
def version(name: str) -> str:
    """A name for the content of a static file, so that it can be kept for ever."""
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]


def static(name: str) -> str:
    """The address of a file of ours."""
    return f"/statique/{name}?v={version(name)}"


@cache
def icon(name: str, label: str = "") -> Markup:
    """A symbol of ``static/icons.svg``; without a label it is decoration, and not read out."""
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {} focusable="false"><use href="{}#{}"></use></svg>').format(
        told, static("icons.svg"), name
    )


@cache
def _environment(language: Language) -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.add_extension("jinja2.ext.do")
    made.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # of the i18n extension
    made.globals.update(static=static, icon=icon, language=language, languages=LANGUAGES)
    for name, function in formats.FILTERS.items():
        made.filters[name] = _in_language(function, language)
    made.globals["form_key"] = _form_key
    return made


def _in_language(function: Any, language: Language) -> Any:
    return lambda value, *args, **kwargs: function(value, *args, language=language, **kwargs)


@pass_context
def _form_key(context: Context) -> Markup:
    """The hidden field that every form needs."""
    turn: Drawn = context["turn"]
    return Markup('<input type="hidden" name="_cle" value="{}">').format(turn.form_key)


def fill(language: Language, template: str, values: dict[str, Any]) -> str:
    """A template of pages that have no visit: those of the professionals' corner."""
    return _environment(language).get_template(template).render(values)


def draw(turn: Drawn, template: str, block: str, values: dict[str, Any]) -> str:
    """A template (or one of its blocks) as HTML."""
    found = _environment(turn.language).get_template(template)
    shown = turn.request.cookies.get(cookies.DISPLAY, "").split(".")
    context = {
        "turn": turn,
        "visit": turn.found,
        "wants": turn.kit.wants,
        "guests": turn.kit.guests is not None,
        "path": turn.request.url.path,
        "theme": next((one for one in shown if one in ("clair", "sombre")), ""),
        "large": "grand" in shown,
        "unread": 0,
        "said": {},
        **values,
    }
    if not block:
        return found.render(context)
    made = found.new_context(context)
    return "".join(found.blocks[block](made))
