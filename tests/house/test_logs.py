"""Logs name no person: what is passed to a log call is looked at, in every product file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from house_source import Module, modules

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
# Fields and attributes that hold who somebody is, or what somebody wrote.
TELLING = {
    "address",
    "birth_date",
    "birth_name",
    "family",
    "given",
    "given_names",
    "ins",
    "mail_from",
    "name",
    "password",
    "rcpt",
    "recipient",
    "recipients",
    "secret",
    "sender",
    "subject",
    "subject_key",
    "title",
    "user",
}
# `….name` of things that are no persons
THINGS = {"path", "file", "figure", "certificate", "key", "operation", "process", "layout"}


def log_calls(module: Module) -> Iterator[ast.Call]:
    """Calls of ``log.info`` and its kin."""
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in LEVELS
            and ast.unparse(node.func.value) == "log"
        ):
            yield node


def telling(value: ast.expr) -> bool:
    """Whether an expression's last step is a field that tells of a person."""
    for node in ast.walk(value):
        if isinstance(node, ast.Attribute) and node.attr in TELLING:
            owner = ast.unparse(node.value).split(".")[-1].lstrip("_")
            if node.attr != "name" or owner not in THINGS:
                return True
        if isinstance(node, ast.Name) and node.id in TELLING - {"name"}:
            return True
    return False


def test_there_are_logs_to_look_at() -> None:
    assert sum(1 for module in modules().values() for _ in log_calls(module)) > 20


def test_events_are_named_in_snake_case() -> None:
    wrong = []
    for module in modules().values():
        for call in log_calls(module):
            texts = [node.value for node in ast.walk(call.args[0]) if isinstance(node, ast.Constant)]
            if not texts or not all(re.fullmatch(r"[a-z][a-z0-9_]*", str(text)) for text in texts):
                wrong.append(f"{module.where}:{call.lineno}")
    assert wrong == []


def test_no_log_tells_who() -> None:
    found = [
        f"{module.where}:{call.lineno} {keyword.arg}={ast.unparse(keyword.value)}"
        for module in modules().values()
        for call in log_calls(module)
        for keyword in call.keywords
        if keyword.arg in TELLING - {"name"} or telling(keyword.value)
    ]
    assert found == []
