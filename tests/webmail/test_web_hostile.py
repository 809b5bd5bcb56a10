"""Hostile mail renders harmless: by what a parser finds in what is sent, and in Chromium."""

from __future__ import annotations

import base64

import httpx
import lxml.html
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.async_api import Dialog, Request

from tests.browser.browser_kit import browsing, visit
from tests.webmail import hostile_mail as hostile
from tests.webmail.letter_kit import ids, newest
from tests.webmail.web_kit import Browser, Site, letter
from webmail.mail import css, html, kinds, plain
from webmail.mail.wording import shown, shown_name, web_address

_BAD_TAGS = {
    *(
        "script",
        "style",
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "button",
        "meta",
    ),
    *(
        "base",
        "link",
        "svg",
        "math",
        "template",
        "noscript",
        "video",
        "audio",
        "source",
        "track",
        "textarea",
        "select",
    ),
    *("portal", "picture", "title", "xmp", "plaintext", "bgsound", "isindex", "fencedframe"),
}
_IMAGE = "data:image/png;base64,AAAA"


def harmless(markup: str) -> None:
    """Whatever a parser makes of it: no element, attribute or address that runs, loads or sends."""
    root = lxml.html.fragment_fromstring(markup, create_parent="div")
    for element in root.iter():
        assert isinstance(element.tag, str), element  # a comment or a processing instruction
        assert element.tag not in _BAD_TAGS, element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on"), name
            assert name not in (
                "srcset",
                "background",
                "poster",
                "ping",
                "action",
                "formaction",
                "id",
                "class",
                "name",
                "srcdoc",
            ), name
            if name == "href":
                assert value.startswith(("https://", "http://", "tel:")), value
                assert "@" not in value.split("/")[2] if value.startswith("http") else True
                assert (
                    element.get("rel") == "noopener noreferrer nofollow" and element.get("target") == "_blank"
                )
            if name == "src":
                assert value == _IMAGE, value
            if name == "style":
                assert not any(
                    word in value.lower()
                    for word in ("url", "(/", "expression", "position", "@", "\\", "/*", "var(")
                )


@pytest.mark.parametrize("name", hostile.PAGES)
def test_what_is_left_of_a_page_is_harmless(name: str) -> None:
    made = html.clean(hostile.PAGES[name], lambda cid: _IMAGE)
    harmless(made.body)
    again = html.clean(made.body.replace(_IMAGE, "cid:x"), lambda cid: _IMAGE)
    harmless(again.body)
    assert "alert(1)" not in html.words_of(hostile.PAGES[name]) or name in _TEXT_STAYS


#: Where what would have run is shown as words, for it is words.
_TEXT_STAYS = {
    *(
        "script_broken",
        "script_nul",
        "utf7",
        "overlong",
        "conditional",
        "mutation_cdata",
        "mutation_comment",
        "nul_attributes",
    ),
    *("processing", "mutation_math", "mutation_svg", "onerror_backtick", "plaintext", "attribute_break"),
}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([*hostile.PAGES.values()]),
            st.sampled_from(
                [
                    "<svg>",
                    "</svg>",
                    "<math>",
                    "<style>",
                    "</style>",
                    "<!--",
                    "-->",
                    "<table>",
                    "<td>",
                    "<p title='",
                    "'>",
                    "<b>",
                    "</p>",
                    "\0",
                    "<template>",
                    "&lt;img src=x onerror=alert(1)&gt;",
                ]
            ),
            st.text(max_size=20),
        ),
        max_size=6,
    )
)
def test_pieces_put_together_are_harmless(pieces: list[str]) -> None:
    harmless(html.clean("".join(pieces), lambda cid: _IMAGE).body)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("abcurl(:;/*\\@#'\" \t\n0123456789-%.,)!expression")))
def test_styles_hold_nothing_that_loads(style: str) -> None:
    made = css.safe_style(style)
    assert not any(word in made for word in ("url(", "\\", "/*", "@", "expression("))
    assert css.safe_style(made) == made


def test_remote_content_is_counted() -> None:
    made = html.clean("<img src=https://a.example/1><img src=//a.example/2><b style='background:url(x)'>")
    assert made.remote == 3
    assert html.clean("<p>rien").remote == 0


@pytest.mark.parametrize("text", ["<div>" * 5_000, "<b><p>" * 5_000, "<p " + "a=1 " * 70_000 + ">"])
def test_what_is_too_deep_is_shown_as_words(text: str) -> None:
    assert html.clean(text + "x").tangled
    assert "x" in html.words_of(text + "x")


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000_000,
        ">" * 1_000_000,
        "https://a.example/" * 60_000,
        "> a\n" * 300_000,
        "0102030405" * 100_000,
        "-- \n" * 100_000,
    ],
)
def test_long_texts_are_cut(text: str) -> None:
    made, cut = plain.as_html(text, "cité", "signature")
    assert cut and len(made) < 3_000_000


def test_names_cannot_lie() -> None:
    assert shown_name("compte\u202efdp.exe") == "compte\ufffdfdp.exe"
    assert shown_name("a\r\nSet-Cookie: x.pdf") == "a Set-Cookie_ x.pdf"
    assert shown_name("..\\..\\x.txt") == "x.txt" and shown_name("../../etc/passwd") == "passwd"
    assert shown_name("...") == "" and shown_name("a" * 5000 + ".pdf").endswith(".pdf")
    assert shown("Bonjour\u202e riojnoB\u200b") == "Bonjour\ufffd riojnoB"
    assert web_address("https://\u0430meli.example/")[1].startswith("xn--")
    assert web_address("https://ameli.example@evil.example/") == ("", "")
    assert web_address("https:evil") == ("", "") and web_address("https://a\\@b/") == ("", "")


@pytest.mark.parametrize(
    "name",
    ["double", "renamed", "reversed", "page", "page_as_image", "page_as_pdf", "svg", "shortcut", "shell"],
)
def test_files_that_are_not_what_they_say_are_told(name: str) -> None:
    called, media, content = hostile.FILES[name]
    kind = kinds.kind_of(content, shown_name(called), media)
    assert kind.danger or kinds.pretends(shown_name(called), kind)
    assert kind.look == ""


def test_pictures_that_exhaust_are_not_opened() -> None:
    assert kinds.raster(hostile.picture_bomb()) is None
    assert kinds.raster(b"GIF89a" + b"\0" * 100) is None


async def test_every_file_is_given_as_a_download(site: Site, alice: Browser) -> None:
    files = tuple(hostile.FILES.values())
    await site.deliver(_with_files(files))
    number = newest(site)
    page = await alice.get(f"/messages/{number}")
    assert "<img src=x" not in page and "\u202e" not in page
    for place in range(2, len(files) + 2):
        answer = await alice.client.get(f"/messages/{number}/piece/{place}")
        _is_download(answer)
        assert (await alice.client.get(f"/messages/{number}/piece/{place}?voir")).headers["content-type"] in (
            "application/octet-stream",
            "application/pdf",
        )


def _with_files(files: tuple[tuple[str, str, bytes], ...]) -> bytes:
    """RFC 2231 names, octet by octet as a sender who lies would write them."""
    lines = [*hostile.head("Fichiers", Content_Type='multipart/mixed; boundary="b"'), ""]
    lines += ["--b", "Content-Type: text/plain", "", "Voici."]
    for name, media, content in files:
        coded = "".join(f"%{octet:02X}" for octet in name.encode())
        lines += [
            "--b",
            f"Content-Type: {media}",
            f"Content-Disposition: attachment; filename*=UTF-8''{coded}",
        ]
        lines += [
            "Content-Transfer-Encoding: base64",
            "",
            base64.encodebytes(content).decode().replace("\n", "\r\n").strip(),
        ]
    return "\r\n".join([*lines, "--b--", ""]).encode()


def _is_download(answer: httpx.Response) -> None:
    headers = answer.headers
    assert answer.status_code == 200
    assert headers["content-disposition"].startswith("attachment; "), headers
    assert "sandbox" in headers["content-security-policy"] and headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].partition(";")[0] in (
        "application/octet-stream",
        "application/pdf",
        "image/png",
    ), headers
    assert (
        "\r" not in headers["content-disposition"]
        and "/" not in headers["content-disposition"].partition("filename*")[0]
    )


@pytest.mark.parametrize(
    "raw",
    [
        hostile.many_parts(5_000),
        hostile.deep_parts(100),
        hostile.deep_parts(400),
        hostile.nested_messages(99),
        hostile.html_letter("<p>" + "x" * 10_000_000),
        hostile.html_letter("<div>" * 100_000),
        hostile.html_letter("<p>ok", charset="utf-7"),
        hostile.html_letter("<p>ok", charset="x-nothing"),
        hostile.html_letter("<p>ok", charset="rot13"),
    ],
    ids=["parts", "deep", "deeper", "dolls", "huge", "tangled", "utf7", "unknown", "rot13"],
)
async def test_sizes_that_exhaust_are_answered(site: Site, alice: Browser, raw: bytes) -> None:
    await site.deliver(raw)
    number = newest(site)
    page = await alice.get(f"/messages/{number}")
    assert len(page) < 1_500_000
    harmless_frame = await alice.client.get(f"/messages/{number}/contenu")
    assert harmless_frame.status_code == 200 and len(harmless_frame.content) < 3_000_000
    await alice.get(f"/messages/{number}/imprimer")


async def test_archives_that_exhaust_are_refused_in_words(site: Site, alice: Browser) -> None:
    await site.deliver(letter(attachments=(("IHE_XDM.ZIP", "application/zip", hostile.zip_bomb()),)))
    number = newest(site)
    page = await alice.get(f"/messages/{number}/piece/2/apercu")
    assert "faite pour nuire" in page
    assert (await alice.client.get(f"/messages/{number}/piece/2/contenu?document=1")).status_code in (
        404,
        422,
    )


@pytest.mark.package("chromium")
async def test_the_corpus_would_do_harm_elsewhere() -> None:
    """Without this, a corpus that does nothing would pass."""
    fired = 0
    async with browsing() as browser:
        context = await browser.new_context()
        page = await context.new_page()
        asked: list[str] = []
        await context.route("https://evil.example/**", lambda route: route.abort())
        page.on("request", lambda request: asked.append(request.url))

        async def dismiss(dialog: Dialog) -> None:
            nonlocal fired
            fired += 1
            await dialog.dismiss()

        page.on("dialog", dismiss)
        for name in (
            "script",
            "onerror",
            "svg",
            "tracker",
            "css_background",
            "mutation_noscript",
            "ontoggle",
        ):
            await page.set_content(hostile.PAGES[name])
        assert fired >= 3 and any("evil.example" in url for url in asked)
        await context.close()


@pytest.mark.package("chromium")
async def test_nothing_runs_loads_or_leaves_in_chromium(site: Site) -> None:
    """What is left of each page, with no policy or sandbox around it; then real letters in their frames."""
    harm: list[str] = []
    pages = {name: html.clean(page) for name, page in hostile.PAGES.items()}
    for one in _TOGETHER:
        together = "".join(hostile.PAGES[name] for name in hostile.PAGES if name.startswith(one))
        await site.deliver(hostile.html_letter(together, subject=one))
    async with browsing() as browser, visit(browser, site) as page:
        await page.context.route("https://evil.example/**", lambda route: route.abort())
        page.on("dialog", lambda dialog: harm.append(f"dialog on {page.url}"))
        page.context.on("page", lambda opened: harm.append(f"window {opened.url}"))

        def asked(request: Request) -> None:
            if not request.url.startswith((site.url, "data:", "about:")):
                harm.append(request.url)

        page.context.on("request", asked)
        await page.goto("about:blank")
        await page.set_content("".join(f"<section>{one.body}</section>" for one in pages.values()))
        assert await page.locator("section").count() == len(pages)
        assert await page.evaluate(_ACTIVE) == 0
        for number in ids(site):
            await page.goto(f"/messages/{number}", wait_until="load")
            assert page.url.endswith(f"/messages/{number}")
            assert await page.evaluate("typeof window.ran") == "undefined"
            assert await page.frame_locator("iframe.letter-frame").locator("main").count() == 1
    assert harm == []


_TOGETHER = ("on", "script", "javascript", "css", "tracker", "svg", "mutation", "m")
#: Elements and attributes that could act, as the browser itself sees them.
_ACTIVE = """
[...document.querySelectorAll('script,style,iframe,form,base,meta,object,embed,svg,math,link')].length
  + [...document.querySelectorAll('*')].flatMap(e => [...e.attributes])
    .filter(a => /^on/i.test(a.name)).length
"""
