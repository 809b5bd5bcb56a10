"""Makes a home directory: settings file, keys, database, the gateway's own mailbox."""

from __future__ import annotations

from pathlib import Path

import gateway.rooms  # noqa: F401  # the schema needs every room
from certs import trust_settings_text
from evidence import create_key
from gateway.settings import FILE_NAME, Settings, SettingsError, load_settings
from store import Store, mail, write_private


def settings_text(values: dict[str, dict[str, object]]) -> str:
    """TOML of plain values: strings, numbers, lists of strings, and one level of tables below a section."""
    lines: list[str] = []
    for section, entries in values.items():
        lines.append(f"[{section}]")
        tables = {name: value for name, value in entries.items() if isinstance(value, dict)}
        lines += [f"{name} = {_toml(value)}" for name, value in entries.items() if name not in tables]
        for name, table in tables.items():
            lines.append(f"[{section}.{name}]")
            lines += [f"{_toml(key)} = {_toml(value)}" for key, value in table.items()]
        lines.append("")
    return "\n".join(lines)


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def create_home(
    home: Path,
    *,
    hostname: str,
    patient_domain: str = "",
    hosted: list[str] | None = None,
    more: dict[str, dict[str, object]] | None = None,
) -> dict[str, str]:
    """Make ``home`` ready to serve; returns what was made and what is still to be put there.

    :param more: further values of ``passerelle.toml``, by section.
    :raises SettingsError: the values cannot work, or there is a settings file already.
    """
    home.mkdir(parents=True, exist_ok=True)
    for folder in ("tls", "trust/roots", "trust/intermediates", "trust/crls"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    path = home / FILE_NAME
    if path.exists():
        raise SettingsError("settings.exists", f"{path} exists already: nothing was changed")
    values: dict[str, dict[str, object]] = {"gateway": {"hostname": hostname}}
    if patient_domain:
        values["gateway"]["patient_domain"] = patient_domain
    if hosted:
        values["gateway"]["hosted_domains"] = hosted
    for section, entries in (more or {}).items():
        values.setdefault(section, {}).update(entries)
    text = settings_text(values)
    write_private(path, text.encode())
    try:
        settings = load_settings(home)
    except SettingsError:
        path.unlink()
        raise
    demands = home / "trust" / "trust.toml"
    if not demands.exists():
        demands.write_text(trust_settings_text(), encoding="utf-8")
    with Store.open(home, url=settings.run.database) as store:
        create_key(home)  # after the master key, which seals it
        make_system_box(store, settings)
    return {
        "home": str(home),
        "settings": str(path),
        "next": "put certificates in tls/ and trust/, import annuaire and whitelist, then `passerelle serve`",
    }


def make_system_box(store: Store, settings: Settings) -> None:
    """The mailbox that the gateway's own notifications come from."""
    if store.read(mail.box_by_address, settings.system_address) is None:
        store.create_box(address=settings.system_address, kind="system", owner="")
