"""Habits of the house that a reader relies on: size of files, docstrings, nothing of one machine."""

from __future__ import annotations

import re

import pytest
from house_source import ROOT, files, modules, public_definitions

MOST_LINES = 600
_TEXT = (".py", ".md", ".toml", ".ini", ".sh", ".txt", ".yml", ".yaml", "")
_GENERATED = {"requirements.lock", "LICENSE"}

# One letter of each stands in brackets, so that this file does not hold what it looks for.
_MARKS = re.compile(r"\b([T]ODO|[F]IXME|[X]XX|[H]ACK)\b")
_MACHINE = re.compile(r"/[w]ork/|/[h]ome/[a-z]|/[r]oot/|/[t]mp/team|/[U]sers/|\.[l]ibrary/")
_REGISTRY = re.compile(
    r"[p]ypi\.org|[p]ythonhosted\.org|[n]pmjs\.(org|com)|[c]rates\.io|[p]roxy\.golang\.org|[i]ndex-url"
)


def _texts(*suffixes: str) -> list[tuple[str, str]]:
    found = []
    for path in files(*suffixes):
        try:
            found.append((path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:  # an archive or a message of the corpus
            continue
    return found


def test_files_are_short() -> None:
    long = {
        where: lines
        for where, text in _texts(*_TEXT)
        if where not in _GENERATED and (lines := text.count("\n")) > MOST_LINES
    }
    assert long == {}


def test_nothing_is_left_to_do_in_the_code() -> None:
    found = [
        f"{where}: {match[0]}"
        for where, text in _texts(".py", ".md", ".toml", ".sh")
        for match in _MARKS.finditer(text)
    ]
    assert found == []


def test_nothing_raises_that_it_is_not_written_yet() -> None:
    unwritten = re.compile(r"raise\s+[N]otImplemented")
    assert [where for where, text in _texts(".py") if unwritten.search(text)] == []


@pytest.mark.parametrize("pattern", [_MACHINE, _REGISTRY], ids=["machine", "registry"])
def test_no_file_names_a_machine_or_a_registry(pattern: re.Pattern[str]) -> None:
    found = [f"{where}: {match[0]}" for where, text in _texts() for match in pattern.finditer(text)]
    assert found == []


def test_the_product_knows_nothing_of_what_lies_beside_the_repository() -> None:
    """Only tests and benchmarks may look there, and they do without."""
    beside = re.compile(r"(\.\./|\"|'|/)[s]hared(/|\"|')")
    found = [
        where
        for where, text in _texts()
        if not where.startswith(("tests/", "bench/")) and beside.search(text)
    ]
    assert found == []


def test_every_module_says_what_it_is() -> None:
    assert [one.where for one in modules().values() if not one.text.lstrip().startswith('"""')] == []


def test_every_public_function_and_class_has_a_docstring() -> None:
    silent = [
        f"{module.where}:{node.lineno} {node.name}"
        for module in modules().values()
        for node in public_definitions(module)
        if not (node.body and _is_text(node.body[0]))
    ]
    assert silent == []


def _is_text(node: object) -> bool:
    value = getattr(node, "value", None)
    return isinstance(getattr(value, "value", None), str)


def test_skips_say_why() -> None:
    bare = re.compile(r"pytest\.skip\(\s*\)|mark\.(skip|xfail)\b(?!\()")
    assert [where for where, text in _texts(".py") if bare.search(text) and "test_house" not in where] == []
