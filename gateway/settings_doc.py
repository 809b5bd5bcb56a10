"""The page ``docs/settings.md``, from the settings: ``python -m gateway.settings_doc > docs/settings.md``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

from annotated_types import Ge, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.settings import FILE_NAME, Settings

_INTRODUCTION = f"""# Settings: `{FILE_NAME}`

One TOML file in the home directory, read and checked before anything starts: an unknown key or a value that
cannot be stops the start, and the message names the key. Paths are relative to the home. `passerelle init`
writes the first one; after a change, start the gateway again.

This page is generated: `python -m gateway.settings_doc > docs/settings.md`; a test keeps it up to date."""

_RULES = """## What is checked beyond single values

- `gateway.patient_domain` or `gateway.hosted_domains` must be given: without them there is nobody to serve.
- A domain is the patients' or the professionals', not both.
- `whitelist.warn_days` cannot be more than `whitelist.max_age_days`: the warning would never come.
- `signin.sender = "smtp"` needs `signin.relay` and `signin.from_address`; without TLS the relay must be on a
  loopback address; `signin.relay_user` and `signin.relay_password_file` go together.
- `franceconnect.issuer` needs `client_id`, `secret_file` and `redirect_uri`.
- Two services cannot listen on one address (port 0, "any free one", excepted)."""


def settings_page() -> str:
    """The page, as Markdown."""
    parts = [_INTRODUCTION]
    for name, field in Settings.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        parts.append("\n".join(_section(name, section)))
    return "\n\n".join([*parts, _RULES]) + "\n"


def _section(name: str, section: type[BaseModel]) -> Iterator[str]:
    yield f"## [{name}]"
    yield ""
    yield (section.__doc__ or "").strip()
    yield ""
    yield "| key | meaning | default | values |"
    yield "|---|---|---|---|"
    for key, field in section.model_fields.items():
        yield f"| `{key}` | {field.description or ''} | {_default(field)} | {_values(field)} |"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be given"
    return "empty" if field.default in ("", [], {}) else f"`{json.dumps(field.default)}`"


def _values(field: FieldInfo) -> str:
    words = [f"`{json.dumps(one)}`" for one in get_args(field.annotation) if isinstance(one, str)]
    text = " or ".join(words) or _kind(field.annotation)
    least = [str(one.ge) for one in field.metadata if isinstance(one, Ge)]
    most = [str(one.le) for one in field.metadata if isinstance(one, Le)]
    return text + (f", at least {least[0]}" if least else "") + (f", at most {most[0]}" if most else "")


def _kind(annotation: Any) -> str:
    if annotation is int:
        return "number"
    if annotation is str:
        return "text"
    return "list" if "list" in str(annotation) else "table"


if __name__ == "__main__":
    print(settings_page(), end="")
