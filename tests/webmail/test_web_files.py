"""The files that pages are made with: where they come from, how they are sent and kept, what they weigh."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.webmail.web_kit import Browser, Site
from webmail.rendering import STATIC, static

ROOT = Path(__file__).resolve().parents[2]
WEBMAIL = ROOT / "webmail"
_SYMBOL = re.compile(r'<symbol id="([^"]+)"([^>]*)>(.*?)</symbol>', re.DOTALL)


@pytest.fixture(scope="session")
def packages() -> Path:
    """The npm packages of tests/browser, installed."""
    if shutil.which("npm") is None and os.environ.get("CI") != "true":
        pytest.skip("npm is missing (Debian packages nodejs and npm)")
    done = subprocess.run(
        [ROOT / "scripts" / "node-tools", "browser"], capture_output=True, text=True, check=True, timeout=300
    )
    return ROOT / done.stdout.strip() / "node_modules"


def symbols() -> dict[str, str]:
    """Our icons by name."""
    found = _SYMBOL.findall((STATIC / "icons.svg").read_text(encoding="utf-8"))
    return {name: " ".join(drawing.split()) for name, _, drawing in found}


def test_the_script_is_the_one_of_its_package(packages: Path) -> None:
    assert (STATIC / "htmx.min.js").read_bytes() == (packages / "htmx.org/dist/htmx.min.js").read_bytes()


def test_the_icons_are_those_of_their_package(packages: Path) -> None:
    for name, drawing in symbols().items():
        theirs = (packages / "lucide-static/icons" / f"{name}.svg").read_text(encoding="utf-8")
        inner = re.search(r"<svg[^>]*>(.*)</svg>", theirs, re.DOTALL)
        assert inner, name
        assert " ".join(inner[1].split()) == drawing, name


def test_the_licences_stand_beside_what_was_taken(packages: Path) -> None:
    for package, ours in (("htmx.org", "htmx.txt"), ("lucide-static", "lucide.txt")):
        theirs = (packages / package / "LICENSE").read_text(encoding="utf-8")
        assert theirs.split() == (WEBMAIL / "licences" / ours).read_text(encoding="utf-8").split()


def test_each_icon_is_there_and_each_is_used() -> None:
    sources = [*WEBMAIL.rglob("*.html"), *WEBMAIL.rglob("*.py"), *STATIC.glob("*.js")]
    text = "\n".join(one.read_text(encoding="utf-8") for one in sources if one.name != "htmx.min.js")
    quoted = set(re.findall(r"""["']([a-z0-9]+(?:-[a-z0-9]+)*)["']""", text))
    assert symbols().keys() - quoted == set()
    called = set(re.findall(r"""icon\(["']([a-z0-9-]+)["']""", text))
    assert called - symbols().keys() == set()


def test_the_icons_of_phones_are_drawn_by_our_script(tmp_path: Path) -> None:
    """Compared by what they show: another Pillow may pack the same picture otherwise."""
    kept = {path.name: path.read_bytes() for path in STATIC.glob("icon-*.png")}
    program = (ROOT / "scripts" / "app-icons").read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "icons", "__file__": str(ROOT / "scripts" / "app-icons")}
    exec(compile(program, "app-icons", "exec"), names)
    drawn = names["drawn"]
    assert callable(drawn)
    assert kept.keys() == names["ICONS"].keys()  # type: ignore[attr-defined]  # a mapping
    for name, (side, fills) in names["ICONS"].items():  # type: ignore[attr-defined]  # as above
        ours, made = Image.open(io.BytesIO(kept[name])), Image.open(io.BytesIO(drawn(side, fills)))
        assert ours.size == made.size == (side, side)
        assert ours.convert("RGB").tobytes() == made.convert("RGB").tobytes(), name


async def test_files_are_packed_and_kept_for_ever(site: Site) -> None:
    client = site.client()
    for name in sorted(path.name for path in STATIC.iterdir()):
        answer = await client.get(static(name))
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in answer.headers
        assert answer.content == (STATIC / name).read_bytes()
        packed = answer.headers.get("content-encoding") == "gzip"
        assert packed == (not name.endswith(".png")), name
        plain = await client.get(static(name), headers={"Accept-Encoding": "identity"})
        assert plain.content == answer.content
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"] == "Accept-Encoding"


async def test_a_file_of_another_version_is_asked_for_again(site: Site) -> None:
    for address in ("/statique/app.css", "/statique/app.css?v=000000000000"):
        answer = await site.client().get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["rien.css", "..%2fguards.py", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", ".%00css", ""]
)
async def test_nothing_else_is_served(site: Site, name: str) -> None:
    answer = await site.client().get(f"/statique/{name}")
    assert answer.status_code == 404


async def test_the_manifest_makes_the_pages_installable(site: Site) -> None:
    client = site.client()
    answer = await client.get("/manifeste.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    told = json.loads(answer.content)
    assert (told["start_url"], told["scope"], told["display"]) == ("/", "/", "standalone")
    sizes = set()
    for one in told["icons"]:
        icon = await client.get(one["src"])
        width, height = Image.open(io.BytesIO(icon.content)).size
        assert one["sizes"] == f"{width}x{height}"
        sizes.add((one["sizes"], one.get("purpose", "any")))
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= sizes
    assert f'href="{"/manifeste.webmanifest"}"' in (await client.get("/")).text


async def test_the_worker_keeps_the_shell_and_nothing_else(site: Site, alice: Browser) -> None:
    answer = await site.client().get("/service.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert "connect-src 'self'" in answer.headers["content-security-policy"]
    told = re.match(r"self\.KEPT = (\{.*?\});\n", answer.text)
    assert told
    kept = json.loads(told[1])
    assert kept["offline"] == "/hors-ligne"
    assert kept["shell"]
    for address in kept["shell"]:
        assert address.startswith("/statique/")
        assert (await site.client().get(address)).status_code == 200
    # Into the cache goes what `install` adds; there is no other call that puts anything into it.
    code = answer.text[told.end() :]
    assert code.count("addAll(") == 1 and "addAll([...shell, offline]" in code
    assert re.findall(r"\.(?:put|add)\(", code) == []
    assert 'credentials: "omit"' in code
    assert not re.search(r"localStorage|sessionStorage|indexedDB", code)


async def test_the_page_that_is_kept_is_nobodys(site: Site, alice: Browser) -> None:
    """The browser may send her cookies all the same: the page is drawn for nobody."""
    page = await alice.get("/hors-ligne")
    assert (
        page == (await site.client().get("/hors-ligne")).text.replace("\u00a0", " ") or "DUPONT" not in page
    )
    assert "DUPONT" not in page
    assert 'name="_cle"' not in page
    assert "Se déconnecter" not in page
    answer = await site.client().get("/hors-ligne")
    assert "set-cookie" not in answer.headers


def test_our_scripts_keep_nothing_on_the_device() -> None:
    for path in STATIC.glob("*.js"):
        if path.name == "htmx.min.js":
            continue
        text = path.read_text(encoding="utf-8")
        assert "use strict" in text, path.name
        found = re.findall(
            r"localStorage|sessionStorage(?!\.removeItem)|indexedDB|document\.cookie|\beval\b|new Function",
            text,
        )
        assert found == [], path.name


#: Documents of their own in a sandboxed frame, under a policy of their own.
FRAMES = {"templates/mail/letter_frame.html", "templates/record/frame.html"}
_INLINE = re.compile(
    r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|hx-on|hx-vals=.js|javascript:"
)
_ELSEWHERE = re.compile(r"""(?:src|href|action)=["'](?:https?:)?//[^"']*""")


@pytest.mark.parametrize("pattern", [_INLINE, _ELSEWHERE], ids=["inline", "elsewhere"])
def test_no_template_holds_what_the_policy_forbids(pattern: re.Pattern[str]) -> None:
    """It would not work, and nobody would see why."""
    pages = {path.relative_to(WEBMAIL).as_posix(): path for path in WEBMAIL.rglob("*.html")}
    assert len(pages) > 20
    texts = {name: path.read_text(encoding="utf-8") for name, path in pages.items() if name not in FRAMES}
    assert {name: found for name, text in texts.items() if (found := pattern.findall(text))} == {}


async def test_the_shell_is_light(site: Site, alice: Browser) -> None:
    """What a first look costs, as sent."""
    page = await alice.client.get("/")
    total = len(page.content)
    for address in set(re.findall(r'(?:href|src)="(/statique/[^"#]+)', page.text)):
        raw = (STATIC / address.partition("?")[0].rpartition("/")[2]).read_bytes()
        total += len(raw) if address.partition("?")[0].endswith(".png") else len(gzip.compress(raw, 9))
    assert 10_000 < total < 75_000
