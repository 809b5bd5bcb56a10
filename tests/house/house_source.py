"""The product's source as the house tests see it: modules, syntax trees, imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = (
    "activity",
    "agenda",
    "annuaire",
    "catalogue",
    "certs",
    "commands",
    "dossier",
    "evidence",
    "gateway",
    "patients",
    "store",
    "webmail",
    "cli.py",
)
_NOT_OURS = {".git", ".venv", "build", "dist", "artefacts", "demo-home", ".demo", "__pycache__"}


@dataclass(frozen=True)
class Module:
    """One file of the product."""

    name: str  # dotted; a package's __init__ has the package's name
    path: Path
    text: str

    @property
    def where(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.path)


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def modules() -> dict[str, Module]:
    """Every module of the product by its name; migrations are generated and left out."""
    found = {}
    for top in PRODUCT:
        base = ROOT / top
        for path in [base] if base.is_file() else sorted(base.rglob("*.py")):
            parts = list(path.relative_to(ROOT).with_suffix("").parts)
            if "migrations" in parts or "__pycache__" in parts:
                continue
            if parts[-1] == "__init__":
                parts.pop()
            name = ".".join(parts)
            found[name] = Module(name, path, path.read_text(encoding="utf-8"))
    return found


def files(*suffixes: str) -> Iterator[Path]:
    """Files of the working copy with one of these suffixes (all without), ours only, text or not."""

    def walk(folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.name in _NOT_OURS or path.name.endswith(("_cache", ".egg-info", ".pyc")):
                continue
            if path.name == ".hypothesis":
                continue
            if path.is_dir():
                yield from walk(path)
            elif not suffixes or path.suffix in suffixes:
                yield path

    return walk(ROOT)


@dataclass(frozen=True)
class Import:
    """One imported name: ``module`` is the module it is taken from, ``name`` "" for a plain import."""

    importer: str
    line: int
    module: str
    name: str
    in_function: bool
    typing_only: bool

    @property
    def target(self) -> str:
        """The module that is loaded: ``from a import b`` loads ``a.b`` where that is a module."""
        inner = f"{self.module}.{self.name}"
        return inner if self.name and inner in modules() else self.module

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.module}{':' + self.name if self.name else ''}"


@cache
def imports() -> tuple[Import, ...]:
    """Every import of every product module, wherever it stands."""
    return tuple(found for module in modules().values() for found in _imports(module.name, module.tree))


def _imports(
    importer: str, node: ast.AST, *, in_function: bool = False, typing_only: bool = False
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(importer, child.lineno, alias.name, "", in_function, typing_only)
        elif isinstance(child, ast.ImportFrom):
            for alias in child.names:
                module = child.module or ""
                yield Import(importer, child.lineno, module, alias.name, in_function, typing_only)
        else:
            inside = in_function or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            typing = typing_only or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test))
            yield from _imports(importer, child, in_function=inside, typing_only=typing)


@cache
def exported(module: str) -> frozenset[str]:
    """The names in a module's ``__all__``."""
    for node in modules()[module].tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return frozenset(ast.literal_eval(node.value))
    return frozenset()


def public_definitions(module: Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Functions and classes at the top of a module whose names do not start with an underscore."""
    for node in module.tree.body:
        if isinstance(
            node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        ) and not node.name.startswith("_"):
            yield node
