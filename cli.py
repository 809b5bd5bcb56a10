"""``passerelle``: the administrator's command line. The verbs stand in ``commands/``, one group a room."""

from __future__ import annotations

import sys

import typer

from commands import (
    agenda,
    annuaire,
    catalogue,
    certs,
    dispensation,
    dmp,
    dossier,
    evidence,
    explain,
    gateway,
    mailbox,
    patient,
    patient_guardian,
    patient_signin,
    portability,
    queue,
    stats,
)

app = typer.Typer(
    name="passerelle",
    help="Secure health-messaging gateway between MSSanté and Mon espace santé.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)
for verb in (
    gateway.init,
    gateway.serve,
    gateway.reload,
    gateway.doctor,
    gateway.demo,
    explain.explain,
    evidence.trace,
    stats.stats,
):
    app.command()(verb)
app.add_typer(annuaire.app, name="annuaire", help="The directory and the list of authorised domains.")
app.add_typer(certs.app, name="certs", help="Certificates, what is trusted, revocation lists.")
patient.app.add_typer(dispensation.app, name="dispensation")
patient.app.add_typer(patient_guardian.app, name="guardian")
patient.app.add_typer(patient_signin.app, name="access")
app.add_typer(patient.app, name="patient", help="Profiles of patients and their mailboxes.")
app.add_typer(mailbox.app, name="mailbox", help="Mailboxes served here, and their app passwords.")
app.add_typer(queue.app, name="queue", help="Mail that leaves for other operators.")
app.add_typer(dmp.app, name="dmp", help="Filing of attachments into the record.")
app.add_typer(dossier.app, name="dossier", help="Documents of the record.")
app.add_typer(agenda.app, name="agenda", help="Appointments, subscriptions, preventive care.")
app.add_typer(catalogue.app, name="catalogue", help="Services referenced by the State; consents.")
app.add_typer(portability.app, name="portability", help="One person's archive: export, import.")
app.add_typer(evidence.app, name="evidence", help="Signed evidence of how each message ended.")


def main() -> None:
    """Entry point of ``passerelle``: answers go to standard output, what rooms log to standard error."""
    if "--help" not in sys.argv:
        from gateway import logs

        logs.set_up("warning")
    app()


if __name__ == "__main__":
    main()
