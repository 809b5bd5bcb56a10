"""The plain text of a letter as a page shows it: quotes folded, signatures apart, links to be followed."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

from markupsafe import Markup

from webmail.mail.wording import phone, web_address

#: Characters and lines of a text that a page shows.
SHOWN: Final = 300_000
_SHOWN_LINES: Final = 8_000
_QUOTE: Final = re.compile(r"(?:> ?)+|>+")
_LINK: Final = re.compile(
    r"(?P<web>https?://[^\s<>\"'`{}|\\^\[\]]{1,2000})"
    r"|(?<![\w+.,/-])(?P<phone>(?:\+33[ .]?|0)[1-9](?:[ .-]?[0-9]{2}){4})(?![\w/-])"
)
_FOLD: Final = Markup('<details class="letter-more"><summary>{}</summary>{}</details>')
_TAIL: Final = ".,;:!?)»"


def unflowed(text: str, *, del_space: bool = False) -> str:
    """Lines that a mailer broke put together again (RFC 3676 §4). Quotes keep their depth."""
    made: list[str] = []
    held, depth_held = "", -1
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        rest = line[depth:]
        rest = rest[1:] if rest.startswith(" ") else rest  # RFC 3676 §4.4: space-stuffing
        signature = rest == "-- "  # RFC 3676 §4.3: never flowed
        if depth_held >= 0 and (depth != depth_held or signature):
            made.append(_quoted(depth_held, held))
            held, depth_held = "", -1
        if rest.endswith(" ") and not signature:
            held += rest[:-1] if del_space else rest  # RFC 3676 §4.2
            depth_held = depth
        else:
            made.append(_quoted(depth, held + rest))
            held, depth_held = "", -1
    if depth_held >= 0:
        made.append(_quoted(depth_held, held))
    return "\n".join(made)


def _quoted(depth: int, text: str) -> str:
    return f"{'>' * depth} {text}" if depth else text


def as_html(text: str, quoted: str, signature: str) -> tuple[Markup, bool]:
    """A text as HTML, and whether it was cut. Runs in linear time whatever the text is.

    :param quoted: what the fold of a quotation is called. :param signature: as above.
    """
    rows = text[:SHOWN].split("\n")
    cut = len(text) > SHOWN or len(rows) > _SHOWN_LINES
    made: list[Markup] = []
    run: list[str] = []
    in_quote = False
    rows, last = _without_signature(rows[:_SHOWN_LINES])
    for row in rows:
        quote = row.startswith(">")
        if quote != in_quote and run:
            made.append(_block(run, in_quote, quoted))
            run = []
        in_quote = quote
        run.append(_QUOTE.sub("", row, count=1) if quote else row)
    if run:
        made.append(_block(run, in_quote, quoted))
    if last:
        made.append(
            _FOLD.format(
                signature, Markup('<div class="letter-text">{}</div>').format(_linked("\n".join(last)))
            )
        )
    return Markup("").join(made), cut


def _without_signature(rows: list[str]) -> tuple[list[str], list[str]]:
    """The lines before and after the last signature mark (RFC 3676 §4.3); a short signature stays open."""
    at = next((place for place in range(len(rows) - 1, -1, -1) if rows[place].rstrip() == "--"), -1)
    if at <= 0 or len(rows) - at < 12:
        return rows, []
    return rows[:at], rows[at + 1 :]


def _block(rows: list[str], quote: bool, quoted: str) -> Markup:
    text = "\n".join(rows).strip("\n")
    if not text.strip():
        return Markup("")
    if not quote:
        return Markup('<div class="letter-text" dir="auto">{}</div>').format(_linked(text))
    inside = Markup('<blockquote class="letter-text" dir="auto">{}</blockquote>').format(_linked(text))
    return _FOLD.format(quoted, inside)


def _linked(text: str) -> Markup:
    """Escaped, with links for addresses of the web and French telephone numbers.

    Mail addresses are no links: a mail programme outside the trust space would open, and the rules would
    never see the message.
    """
    made: list[Markup] = []
    place = 0
    for found in _LINK.finditer(text):
        whole = found[0]
        if found["web"]:
            while whole and whole[-1] in _TAIL and not (whole[-1] == ")" and "(" in whole):
                whole = whole[:-1]
            link = _web(whole)
        else:
            number = phone("tel:" + whole)
            link = Markup('<a href="{}">{}</a>').format(number, whole) if number else None
        if link is None:
            continue
        made += [Markup.escape(text[place : found.start()]), link]
        place = found.start() + len(whole)
    made.append(Markup.escape(text[place:]))
    return Markup("").join(made)


def _web(address: str) -> Markup | None:
    where, host = web_address(address)
    if not where:
        return None
    plainly = address.lower().split("//", 1)[1].startswith(host)
    link = Markup('<a href="{}" target="_blank" rel="noopener noreferrer nofollow">{}</a>').format(
        where, address
    )
    return link if plainly else link + Markup(' <span class="muted">({})</span>').format(host)


_BREAKS: Final = frozenset(
    str.split(
        """
        address article aside blockquote br center dd div dl dt fieldset figure footer form h1 h2 h3
        h4 h5 h6 header hr li main nav ol p pre section table tr ul
        """
    )
)
_HIDDEN: Final = frozenset(
    str.split(
        """
        script style title head template noscript svg math iframe object textarea select
        """
    )
)


class _Words(HTMLParser):
    """What an HTML text says, in lines."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.made: list[str] = []
        self._hidden: list[str] = []
        self._quotes = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag == "blockquote":
            self._quotes += 1
        if tag in _BREAKS:
            self.made.append("\n")
        elif tag in ("td", "th"):
            self.made.append(" ")
        if tag == "li":
            self.made.append("- ")
        if tag == "img" and not self._hidden:
            alt = dict(attrs).get("alt") or ""
            if alt.strip():
                self.made.append(f"[{' '.join(alt.split())[:200]}]")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        if tag == "blockquote":
            self._quotes = max(0, self._quotes - 1)
        if tag in _BREAKS and tag != "br":
            self.made.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.made.append(re.sub(r"\s+", " ", data))


def words_of(clean: str) -> str:
    """The words of HTML that was made harmless before: well formed, so reading it is linear. Blocking."""
    parser = _Words()
    parser.feed(clean)
    parser.close()
    text = "".join(parser.made)
    rows = [" ".join(row.split()) for row in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(rows)).strip()
