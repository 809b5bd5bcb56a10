"""What somebody learns on the operators' port who has not shown a certificate of the trust space: nothing."""

from __future__ import annotations

import smtplib

from wire_support import Owner, Space

from gateway.demo.cast import BASILE, DOCTOR
from patients import ins_key

#: Somebody who has no profile, and no INS at all.
_BODY = "2990199999999"
NOBODY, NONSENSE = f"{_BODY}{ins_key(_BODY)}@patient.mssante.test", "1@patient.mssante.test"


def told(client: smtplib.SMTP, recipient: str) -> list[tuple[int, bytes]]:
    """What a session says of a recipient, by every command that could tell."""
    return [
        client.mail(DOCTOR.address),
        client.docmd("RCPT", f"TO:<{recipient}>"),
        client.docmd("VRFY", recipient),
        client.docmd("EXPN", recipient),
    ]


def test_strangers_are_told_alike_of_everybody(space: Space, patient: Owner) -> None:
    everybody = [patient.address, BASILE.address, NOBODY, NONSENSE]
    with smtplib.SMTP("localhost", space.port("operators")) as client:
        client.ehlo()
        in_clear = [told(client, one) for one in everybody]
        client.starttls(context=space.context())
        client.ehlo()
        without = [told(client, one) for one in everybody]
    for answers in (in_clear, without):
        assert all(one == answers[0] for one in answers)
        assert answers[0][0][0] in (530, 550)
    assert b"[sender.certificate]" in without[0][0][1]
    assert without[0][1][0] == 503  # RFC 5321 §3.3: no recipient without a sender


def test_operators_are_told_the_cause(space: Space, patient: Owner) -> None:
    with space.operators() as client:
        assert client.mail(DOCTOR.address)[0] == 250
        causes = [client.rcpt(one)[1] for one in (BASILE.address, NOBODY, NONSENSE)]
        assert client.rcpt(patient.address)[0] == 250
    assert [cause.rpartition(b"[")[2] for cause in causes] == [
        b"recipient.opposed]", b"recipient.unknown]", b"recipient.invalid]",
    ]  # fmt: skip
