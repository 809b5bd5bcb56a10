"""docs/rules.md and rules-record.md say what every rule id means; the code and the pages may not part."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from collections.abc import Iterator

from house_source import ROOT, Module, modules

from store import PasserelleError

_ID = re.compile(r"[a-z_]+\.[a-z0-9_]+")
_ROW = re.compile(r"^\| `([a-z_]+\.[a-z0-9_]+)` \|(.*)\|$", re.MULTILINE)
_ANSWER = re.compile(r"\b([2-5]\d\d) ([245]\.\d+\.\d+)")

# Made of parts at run time: the file that makes them, and all values they take.
COMPOSED = {
    "gateway/dmp_bridge/identity.py": {
        f"identity.{trait}"
        for trait in ("birth_name", "given", "given_names", "sex", "birth_date", "birth_place")
    }
}
# The id's family is also one of file names, header properties and the like; these are no rules.
NO_RULES = {
    "store.db",
    "evidence.pub",
    "mail.log",
    "codes.tsv",
    "plan.csv",
    "gateway.worker",
    "patient.identifier",
}


def documented() -> dict[str, str]:
    pages = [ROOT / "docs" / name for name in ("rules.md", "rules-record.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    rows = _ROW.findall(text)
    assert len(rows) == len(dict(rows)), "a rule has two rows"
    return dict(rows)


def _named_in_calls(tree: ast.Module) -> set[str]:
    """Names of operations and of points: dotted like rules, but none."""
    return {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("operation", "faults.point")
        and isinstance(node.args[0], ast.Constant)
    }


def used() -> dict[str, set[str]]:
    """Rule ids of the code → the files that hold them: any literal whose family has rules."""
    families = {rule.split(".")[0] for rule in documented()} | {rule.split(".")[0] for rule in constructed()}
    found: dict[str, set[str]] = defaultdict(set)
    for module in modules().values():
        names = _named_in_calls(module.tree) | NO_RULES
        for node in ast.walk(module.tree):
            text = _literal(node)
            if not isinstance(text, str) or not _ID.fullmatch(text) or text in names:
                continue
            if text.split(".")[0] in families:
                found[text].add(module.where)
        for rule in COMPOSED.get(module.where, set()):
            found[rule].add(module.where)
    return found


def _error_class(module: Module, name: str) -> type[PasserelleError] | None:
    found = getattr(importlib.import_module(module.name), name, None)
    return found if isinstance(found, type) and issubclass(found, PasserelleError) else None


def _literal(node: ast.AST | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _answers() -> Iterator[tuple[str, str, str]]:
    """(rule, "550 5.7.1", where) of every refusal whose rule is written where it is made."""
    for module in modules().values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            keywords = {one.arg: one.value for one in node.keywords if one.arg}
            rule = _literal(keywords.get("rule")) or _literal(node.args[0] if node.args else None)
            if not isinstance(rule, str) or not _ID.fullmatch(rule):
                continue
            place = f"{module.where}:{node.lineno}"
            if node.func.id == "Check" and module.name == "gateway.routing.rules":
                code = _literal(node.args[3]) if len(node.args) > 3 else 550
                enhanced = _literal(node.args[4]) if len(node.args) > 4 else "5.7.1"
                if _literal(node.args[1]) is not True:
                    yield rule, f"{code} {enhanced}", place
            elif node.func.id == "Verdict":
                yield rule, f"{_literal(keywords.get('code'))} {_literal(keywords.get('enhanced'))}", place
            elif error := _error_class(module, node.func.id):
                code = _literal(keywords.get("code")) or error.code
                yield rule, f"{code} {_literal(keywords.get('enhanced')) or error.enhanced}", place


def constructed() -> set[str]:
    """Rules given to an error, a check or a verdict."""
    return {rule for rule, _, _ in _answers()}


def test_every_rule_of_the_code_is_documented() -> None:
    missing = {rule: sorted(where) for rule, where in used().items() if rule not in documented()}
    assert missing == {}


def test_every_documented_rule_is_in_the_code() -> None:
    assert sorted(documented().keys() - used().keys()) == []


def test_a_refusal_is_recognised() -> None:
    """The reader of this file sees what the code holds, not nothing."""
    assert {"sender.whitelist", "recipient.opposed", "gateway.error", "settings.value"} <= constructed()


def test_the_answers_are_those_of_the_code() -> None:
    rows = documented()
    said = {rule: {" ".join(pair) for pair in _ANSWER.findall(row)} for rule, row in rows.items()}
    wrong = [
        f"{rule}: {answer} ({where}) is not in {sorted(said[rule])}"
        for rule, answer, where in _answers()
        if said.get(rule) and answer not in said[rule] and "None" not in answer
    ]
    assert wrong == []


def test_refusals_over_smtp_have_an_answer_in_the_table() -> None:
    wire = ("sender.", "recipient.", "reply.", "address.", "store.", "mailbox.")
    silent = [
        rule
        for rule, row in documented().items()
        if rule.startswith(wire) and not _ANSWER.search(row) and "never:" not in row
    ]
    assert silent == []
