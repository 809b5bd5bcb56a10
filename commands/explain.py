"""``passerelle explain``: who may write to whom, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from commands.common import DEFAULT_HOME, Home, Json, fail, open_store, reported, settings, show


@reported
def explain(
    sender: Annotated[str, typer.Option("--from", help="The sender's address.")],
    recipient: Annotated[str, typer.Option("--to", help="The recipient's address.")],
    at: Annotated[str, typer.Option(help="As everything stood then, ISO 8601.")] = "",
    french: Annotated[bool, typer.Option("--french", help="In the words that a patient reads.")] = False,
    home: Home = DEFAULT_HOME,
    json: Json = False,
) -> None:
    """The verdict for a pair of addresses, rule by rule, now or in the past."""
    from datetime import datetime

    from gateway import routing
    from store import InvalidInputError

    try:
        moment = int(datetime.fromisoformat(at).astimezone().timestamp() * 1000) if at else None
    except (ValueError, OverflowError):
        fail(InvalidInputError("explain.at", "a time is written 2026-11-21 or 2026-11-21T14:00"))
    if "@" not in sender or "@" not in recipient:
        fail(InvalidInputError("explain.address", "give two mail addresses"))
    policy = settings(home).policy()
    with open_store(home) as store:
        told = store.read(routing.explain, policy, sender, recipient, moment)
    if json:
        show(routing.as_data(told), True)
    else:
        marks = {True: "✓", False: "✗"}
        show(
            [
                {
                    "": "!" if c.warning else marks[c.ok],
                    "rule": c.rule,
                    "because": c.french if french else c.text,
                }
                for c in told.checks
            ],
            False,
        )
        typer.echo(f"{told.verdict.action}: {told.french if french else told.verdict.reply}")
    if not told.verdict.accepted:
        raise typer.Exit(1)
