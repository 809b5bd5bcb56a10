"""Debian's Chromium on the patients' pages, and what is asked of every page that it shows.

:func:`visit` opens a browser window for somebody; :func:`check_page` holds the page in it to what all pages
must hold: axe-core finds nothing (WCAG 2.2 A and AA, and its best practices), the Content-Security-Policy
was not violated, nothing went to another origin, nothing was said on the console, one ``h1``, no sideways
scrolling at 320 px, less than 100 kB as sent. A picture is kept in ``artefacts/webmail``.

The page is tested under its own policy: axe comes in through the browser's debugger, which no policy binds.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    async_playwright,
)

from gateway.demo import cast
from tests.conftest import find_program

ROOT: Final = Path(__file__).resolve().parent.parent.parent
ARTEFACTS: Final = ROOT / "artefacts" / "webmail"
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 900}
NARROWEST: Final[ViewportSize] = {"width": 320, "height": 640}
#: Octets of a page with all its files, as sent.
WEIGHT: Final = 100_000
_TAGS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: Content of letters and documents: not of the page.
_ATTACHED: Final = ("/piece/", "/original", "/apercu", ".eml")
#: The demonstration's authority is no public one, and service workers are not fetched past that error.
_ARGUMENTS: Final = ("--no-sandbox", "--ignore-certificate-errors")
_LISTEN: Final = """
window.__violations = [];
document.addEventListener('securitypolicyviolation', e =>
  window.__violations.push(`${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`));
"""


class Place(Protocol):
    """``tests.webmail.web_kit.Site``, or whatever serves pages."""

    @property
    def url(self) -> str: ...

    async def session(self, who: cast.Patient) -> tuple[str, str]: ...

    def box(self, who: cast.Patient) -> int: ...


@dataclass
class _Watch:
    """What a page did since it was asked for. ``weight`` by request, in octets as sent."""

    origin: str
    foreign: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    weight: dict[str, tuple[str, int]] = field(default_factory=dict)
    scripts: bool = True
    sandboxed: bool = False
    shape: str = "desktop"


_WATCHES: WeakKeyDictionary[Page, _Watch] = WeakKeyDictionary()


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser without windows; skipped aloud where Debian's is missing."""
    async with browsing() as browser:
        yield browser


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """The same for tests that have it longer than one test's length."""
    program = find_program("chromium")
    if program is None:
        pytest.skip("chromium is missing (Debian package chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


@cache
def axe() -> str:
    """The source of axe-core, of the version that package-lock.json names; skipped aloud without npm."""
    for program in ("node", "npm"):
        if find_program(program) is None:
            pytest.skip(f"{program} is missing (Debian packages nodejs and npm)")
    words = [str(ROOT / "scripts" / "node-tools"), "browser"]
    run = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if run.returncode:
        pytest.skip(f"axe-core could not be installed: {run.stderr.strip()[-200:]}")
    return (ROOT / run.stdout.strip() / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@asynccontextmanager
async def visit(
    browser: Browser,
    site: Place,
    who: cast.Patient | None = cast.ALICE,
    *,
    space: cast.Patient | None = None,
    session: str = "",
    phone: bool = False,
    scripts: bool = True,
    dark: bool = False,
    large: bool = False,
    language: str = "fr",
    **more: Any,
) -> AsyncIterator[Page]:
    """A window of somebody's browser; closed at the end.

    :param who: signed in already; None: nobody. :param space: the child in whose space he is.
    :param session: the token of a session that is open already: nobody may sign in very often.
    :param phone: small, and touched; else a computer's. :param scripts: False: JavaScript is off.
    :param dark: how the device is set. :param large: text as ``/affichage`` sets it.
    :param more: for ``browser.new_context``.
    """
    context = await browser.new_context(
        base_url=site.url,
        viewport=PHONE if phone else DESKTOP,
        java_script_enabled=scripts,
        color_scheme="dark" if dark else "light",
        locale="fr-FR" if language == "fr" else "en-GB",
        timezone_id="Europe/Paris",
        reduced_motion="reduce",
        ignore_https_errors=True,
        **({"has_touch": phone, "is_mobile": phone} | more),
    )
    context.set_default_timeout(20_000)
    try:
        if who is not None:
            await sign_in(context, site, who, space, session)
        values = {"affichage": "grand" if large else "", "langue": language}
        for name, value in values.items():
            if value:
                await context.add_cookies([{"name": name, "value": value, "url": site.url}])
        await context.add_init_script(_LISTEN)
        page = await context.new_page()
        await _watch(page, site.url, scripts=scripts, shape="phone" if phone else "desktop")
        yield page
    finally:
        await context.close()


async def sign_in(
    context: BrowserContext,
    site: Place,
    who: cast.Patient,
    space: cast.Patient | None = None,
    session: str = "",
) -> None:
    """Give a browser the cookies of an open session."""
    token = session or (await site.session(who))[0]
    kept = {"__Host-session": token} | ({"__Host-profil": str(site.box(space))} if space else {})
    for name, value in kept.items():
        await context.add_cookies(
            [{"name": name, "value": value, "url": site.url, "secure": True, "httpOnly": True}]
        )


async def _watch(page: Page, origin: str, *, scripts: bool, shape: str) -> None:
    watch = _WATCHES[page] = _Watch(origin, scripts=scripts, shape=shape)

    def request(made: Request) -> None:
        if made.is_navigation_request() and made.frame == page.main_frame:
            watch.said.clear()
            watch.weight.clear()
        if urlsplit(made.url).scheme in ("http", "https") and not made.url.startswith(origin + "/"):
            watch.foreign.append(made.url)

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watch.said.append(f"{message.text} ({message.location.get('url', '')})")

    def answer(got: Response) -> None:
        if got.request.is_navigation_request() and got.frame == page.main_frame:
            policy = got.headers.get("content-security-policy", "")
            watch.sandboxed = "sandbox" in policy and "allow-scripts" not in policy

    page.on("request", request)
    page.on("response", answer)
    page.on("console", console)
    page.on("pageerror", lambda error: watch.said.append(str(error)))
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    # encodedDataLength of loadingFinished: header fields and body, as they came
    session.on(
        "Network.responseReceived", lambda e: watch.weight.update({e["requestId"]: (e["response"]["url"], 0)})
    )

    def finished(event: dict[str, Any]) -> None:
        url, _ = watch.weight.get(event["requestId"], ("", 0))
        if url:
            watch.weight[event["requestId"]] = (url, int(event["encodedDataLength"]))

    session.on("Network.loadingFinished", finished)


async def look(page: Page, path: str, name: str = "", *, status: int = 200, picture: bool = True) -> None:
    """Go to a page of the site, and check it: :func:`check_page`."""
    answer = await page.goto(path, wait_until="load")
    assert answer is not None and answer.status == status, (path, answer and answer.status)
    await check_page(
        page, name or path.strip("/").replace("/", "-") or "accueil", status=status, picture=picture
    )


async def check_page(
    page: Page, name: str, *, status: int = 200, rules: bool = True, picture: bool = True
) -> None:
    """Hold a page to what all pages hold; the module's docstring tells what. All faults are told at once.

    What is shown in a frame of ours (a stranger's document, in a sandbox) has no scripts, hence no axe here,
    and its own headings.

    :param name: of the picture. :param rules: run axe. :param status: the answer's, when it is no 200: the
        browser tells of that on its console.
    """
    watch = _WATCHES[page]
    await page.wait_for_load_state("load")
    await asyncio.sleep(0)  # what was received is told to the listeners
    faults = [f"asked another site: {url}" for url in watch.foreign]
    watch.foreign.clear()
    told = f"status of {status}"
    faults += [f"console: {said}" for said in watch.said if status == 200 or told not in said]
    watch.said.clear()
    weight = weight_of(page)
    if weight >= WEIGHT:
        heavy = sorted(watch.weight.values(), key=lambda one: -one[1])[:5]
        faults.append(f"weighs {weight} octets: {heavy}")
    runs = watch.scripts and not watch.sandboxed
    if runs:
        faults += [f"policy: {one}" for one in await page.evaluate("window.__violations || []")]
    headings = await page.locator("h1").count()
    if headings != 1 and not watch.sandboxed:
        faults.append(f"has {headings} h1")
    if picture:
        await picture_of(page, f"{name}-{watch.shape}")
    if watch.shape == "phone":
        before = page.viewport_size
        await page.set_viewport_size(NARROWEST)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        if wide > NARROWEST["width"]:
            faults.append(f"is {wide} px wide at 320 px: {await page.evaluate(_WIDE)}")
        if before is not None:
            await page.set_viewport_size(before)
    if rules and runs:
        faults += await violations(page)
    assert not faults, f"{page.url}:\n" + "\n".join(faults)


#: The elements that stick out, innermost first.
_WIDE: Final = """
[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > 321)
  .slice(-3).map(e => `<${e.tagName.toLowerCase()} class="${e.className.baseVal ?? e.className}">`)
"""


def weight_of(page: Page) -> int:
    """Octets of the page and its files as they were sent, without what is attached."""
    return sum(octets for url, octets in _WATCHES[page].weight.values() if not _attached(url))


def _attached(url: str) -> bool:
    path = urlsplit(url).path
    return any(part in path for part in _ATTACHED)


#: Bars that stay in sight cover what is just then scrolled under them, which axe takes for small targets:
#: they go along while it looks. That they cover nothing that has the focus is what ``scroll-padding`` is for.
_UNPINNED: Final = """
on => {
  if (!window.__unpinned) {
    window.__unpinned = new CSSStyleSheet();
    window.__unpinned.replaceSync('.side, .main-nav, .actions { position: relative !important }');
  }
  document.adoptedStyleSheets = on ? [window.__unpinned] : [];
}
"""


async def violations(page: Page) -> list[str]:
    """What axe-core finds in a page, a line for each rule. Frames are pages of their own, checked as such."""
    source = await asyncio.to_thread(axe)
    await page.evaluate(source + "; undefined")
    await page.evaluate(_UNPINNED, True)
    found: Any = await page.evaluate(
        """tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, iframes: false,
            resultTypes: ['violations'], rules: {'target-size': {enabled: true}}}).then(r => r.violations)""",
        _TAGS,
    )
    await page.evaluate(_UNPINNED, False)
    return [
        f"axe {one['id']}: {one['help']}: "
        + " | ".join(f"{' '.join(node['target'])} {node['html'][:160]}" for node in one["nodes"][:4])
        for one in found
    ]


async def picture_of(page: Page, name: str) -> Path:
    """Keep a picture of a page; all of it."""
    path = ARTEFACTS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=path, full_page=True)
    return path
