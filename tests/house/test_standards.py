"""docs/standards.md against the code: citations, files, and what is announced to clients."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from house_source import ROOT, modules

from gateway.imap.capabilities import capabilities

# Items of référentiels and registers as the code writes them; RFCs are found by their number.
_ITEM = re.compile(
    r"ECO[. ]\d+\.\d+\.\d+|R\.1111-\d+ CSP|JDV_J\d+|ASS_X\d+|NIST SP [\d-]+[A-Z]?|IHE ITI TF-\d|ITU-T X\.\d+"
)
_RFC = re.compile(r"\bRFC (\d{3,5})\b")


@dataclass(frozen=True)
class Row:
    """One line of the page."""

    standard: str
    what: str
    status: str
    where: tuple[str, ...]
    announced: tuple[str, ...]
    remark: str


def rows() -> list[Row]:
    found = []
    for line in (ROOT / "docs" / "standards.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or cells[0] == "standard":
            continue
        assert len(cells) == 6, line
        standard, what, status, where, announced, remark = cells
        words = tuple(word.strip() for word in announced.split(",") if word.strip())
        found.append(Row(standard, what, status, tuple(re.findall(r"`([^`]+)`", where)), words, remark))
    return found


def _folded(text: str) -> str:
    return re.sub(r"(?<=ECO)[. ]", ".", text)


def cited() -> dict[str, set[str]]:
    """What the product's files cite → the files."""
    found: dict[str, set[str]] = {}
    for module in modules().values():
        text = _folded(module.text)
        for name in {f"RFC {number}" for number in _RFC.findall(text)} | set(_ITEM.findall(text)):
            found.setdefault(name, set()).add(module.where)
        # "RFC 3462/6522": the second of a pair
        for pair in re.findall(r"\bRFC \d{3,5}/(\d{3,5})\b", text):
            found.setdefault(f"RFC {pair}", set()).add(module.where)
    return found


def test_rows_are_well_formed() -> None:
    table = rows()
    assert len(table) > 60
    assert {row.status for row in table} == {"Yes", "Partial", "No"}
    names = [row.standard for row in table]
    assert len(names) == len(set(names)), "a standard has two rows"
    for row in table:
        assert row.what, row
        assert row.where or row.status == "No", f"{row.standard}: where?"
        assert row.remark or row.status != "Partial", f"{row.standard}: what is missing?"


def test_everything_cited_has_a_row() -> None:
    names = {row.standard for row in rows()}
    assert {name: sorted(where) for name, where in cited().items() if name not in names} == {}


def test_no_row_names_a_missing_file() -> None:
    missing = [
        f"{row.standard}: {path}"
        for row in rows()
        for path in (*row.where, *re.findall(r"`([^`]+\.py)`", row.remark))
        if not (ROOT / path).is_file()
    ]
    assert missing == []


def test_every_file_of_a_row_cites_it() -> None:
    """Who reads a row and opens its files finds the standard named there."""
    wrong = []
    for row in rows():
        texts = [(ROOT / path).read_text(encoding="utf-8") for path in row.where if path]
        key = row.standard.removeprefix("SASL ")
        if row.where and not any(key in _folded(text) for text in texts):
            wrong.append(row.standard)
        if row.standard.startswith("RFC "):
            number = row.standard.removeprefix("RFC ")
            wrong += [
                f"{row.standard}: {path}"
                for path, text in zip(row.where, texts, strict=True)
                if not re.search(rf"RFC (\d+/)?{number}\b", text)
            ]
    assert wrong == []


def ehlo_words() -> set[str]:
    """The keywords that EHLO answers with, and the SASL mechanisms, read from the code."""
    found = set()
    for name, function in (
        ("gateway.smtp.session", "smtp_EHLO"),
        ("gateway.smtp.auth", "offered"),
    ):
        (node,) = (
            node
            for node in ast.walk(modules()[name].tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function
        )
        for literal in ast.walk(node):
            if isinstance(literal, ast.Constant) and isinstance(literal.value, str):
                word = literal.value.strip()
                if re.fullmatch(r"[A-Z0-9]*[A-Z][A-Z0-9]*", word):
                    found.add(word)
    return found


def imap_words() -> set[str]:
    """Every capability of every state of a session."""
    states = [
        {"encrypted": encrypted, "starttls": starttls, "logged_in": logged_in}
        for encrypted in (False, True)
        for starttls in (False, True)
        for logged_in in (False, True)
    ]
    return {word for state in states for word in capabilities(**state).split()}


def test_what_is_announced_is_done() -> None:
    assert {"SIZE", "PIPELINING", "CHUNKING", "AUTH", "EXTERNAL", "STARTTLS"} <= ehlo_words()
    announced = {f"SMTP {word}" for word in ehlo_words()} | {f"IMAP {word}" for word in imap_words()}
    kept = {word for row in rows() if row.status == "Yes" for word in row.announced}
    assert announced - kept == set(), "announced without a row that says Yes"


def test_nothing_is_claimed_that_is_not_announced() -> None:
    announced = {f"SMTP {word}" for word in ehlo_words()} | {f"IMAP {word}" for word in imap_words()}
    claimed = {word for row in rows() for word in row.announced}
    assert claimed - announced == set()
    assert [row.standard for row in rows() if row.announced and row.status != "Yes"] == []
