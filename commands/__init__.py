"""The verbs of ``passerelle``: one Typer group per room, no logic, heavy imports inside the verbs."""
