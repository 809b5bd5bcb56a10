"""The pages name files, verbs and targets that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer
from house_source import ROOT, modules
from typer.core import TyperGroup

from cli import app

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
_LINK = re.compile(r"\]\(([^)#]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_BLOCK = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_VERB = re.compile(r"\bpasserelle ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)*)")
# what a home holds, and what `make` makes, is not in the repository
_ELSEWHERE = ("segments/", "spool/", "run/", "tls/", "trust/", "demo-home", "roots/", "trust/roots")


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_links_lead_somewhere(page: Path) -> None:
    targets = [one for one in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in one]
    assert [one for one in targets if not (page.parent / one).exists()] == []


def test_files_exist(page: Path) -> None:
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    names = {Path(module.where).name for module in modules().values()}
    quoted = _CODE.findall(text)
    modules_named = [one for one in quoted if re.fullmatch(r"[a-z_]+\.py", one)]
    paths = [
        one
        for one in quoted
        if re.fullmatch(r"[a-z_.]+(/[A-Za-z_.-]+)+/?", one) and not one.startswith(_ELSEWHERE)
    ]
    wrong = [one for one in modules_named if one not in names]
    wrong += [one for one in paths if not (ROOT / one).exists()]
    assert wrong == []


def test_verbs_exist(page: Path) -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    text = page.read_text(encoding="utf-8")
    quoted = " ; ".join([*_CODE.findall(text), *_BLOCK.findall(text)])
    wrong = []
    for words in _VERB.findall(quoted):
        verb, *rest = words.split()
        command = root.commands.get(verb)
        if command is None or (rest and isinstance(command, TyperGroup) and rest[0] not in command.commands):
            wrong.append(words)
    assert wrong == []


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {
        target
        for path in PAGES
        for target in re.findall(r"(?:`|^)make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"demo", "test", "serve"} <= named
    assert [target for target in named if f"\n{target}:" not in makefile] == []


def test_the_readme_leads_to_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in PAGES if path.parent.name == "docs" and path.name not in readme] == []
