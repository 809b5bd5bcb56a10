"""Tells the sender of a message what became of it: delivered, documents filed or refused."""

from __future__ import annotations

from collections.abc import Iterator

from certs import Signing
from gateway.dmp_bridge import FilingReport
from gateway.message import MessageIndex, decode_meta
from gateway.routing import (
    DeliveryReport,
    Envelope,
    Recipient,
    RelayJob,
    domain_of,
    prepare,
    relay_job,
    send_notice,
)
from gateway.settings import Settings
from gateway.smtp import DsnRecipient, build_dsn, build_mdn, signed_or_not
from gateway.smtp.reports import encoded, one_line, rfc_date, seven_bit
from store import Store, mail, now_ms

_DONE = {
    "filed": "déposé",
    "replaced": "déposé, remplace la version précédente",
    "duplicate": "déjà présent dans le dossier",
    "deleted": "retiré du dossier",
}


class Reporter:
    """Sends filing reports from the gateway's own mailbox, each once (by ``FilingReport.key``).

    The receipt carries the code and its label, never the original: its sender has it.

    :param signing: signs the reports; None: they are not signed.
    """

    def __init__(self, store: Store, settings: Settings, signing: Signing | None = None) -> None:
        self._store = store
        self._signing = signing
        self._hostname = settings.gateway.hostname
        self._address = settings.system_address
        self._hosted = set(settings.gateway.hosted_domains)

    async def __call__(self, report: FilingReport) -> None:
        """Queue the report. Durable when it returns."""
        system, local, message, job = await self._store.in_thread(self._prepare, report)
        await self._store.awrite(
            send_notice, key=report.key, box_id=system, message=message, job=job, local_box=local
        )

    def _prepare(self, report: FilingReport) -> tuple[int, int, mail.NewMessage, RelayJob | None]:
        """(our box, the sender's box when it is here, the message, the relay otherwise). Blocking."""
        system = self._store.read(mail.box_by_address, self._address)
        assert system is not None, "the system box is made by init"
        to = report.report_to or report.sender
        raw = b"".join(self._receipt(report, to) if report.report_to else self._letter(report, to))
        local = self._store.read(mail.box_by_address, to) if domain_of(to) in self._hosted else None
        box_id = local.box_id if local else system.box_id
        message, index = prepare(self._store, box_id, signed_or_not(raw, self._signing))
        if local:
            return system.box_id, local.box_id, message, None
        mail_from = "" if report.report_to else self._address
        return system.box_id, 0, message, relay_job(message, index, to, report.trace_id, mail_from)

    def _detail(self, report: FilingReport) -> str:
        sentences = []
        for line in report.lines:
            if line.outcome == "refused":
                sentences.append(f"{line.place} : non déposé, code {line.code} [{line.rule}] {line.reason}")
            elif line.outcome == "passed":
                sentences.append(f"{line.place} : rien à déposer ({line.reason})")
            else:
                sentences.append(f"{line.place} : {_DONE[line.outcome]}")
        return "\r\n".join(sentences)

    def _receipt(self, report: FilingReport, to: str) -> Iterator[bytes]:
        return build_mdn(
            hostname=self._hostname,
            sender=self._address,
            to=to,
            report_id=report.key.replace(":", "."),
            now=now_ms(),
            subject=self._subject(report),
            message_id=report.header_message_id,
            original_recipient=report.recipient,
            code=report.code,
            label=report.label,
            detail=self._detail(report),
        )

    def _subject(self, report: FilingReport) -> str:
        """The original's subject where it is the machines' one (ECO.2.1.3), else a neutral one."""
        found = self._store.read(
            lambda conn: self._store.messages(conn, report.box_id, [report.message_id])
        ).get(report.message_id)
        subject = decode_meta(found.meta).index.facts.subject if found else ""
        return subject if subject.startswith("XDM/1.0/DDM") else "Dépôt de documents"

    def _letter(self, report: FilingReport, to: str) -> Iterator[bytes]:
        """Nobody asked for a receipt: a refusal is told by mail all the same."""
        subject = f"[KO Intégration système !][{report.code}] Dépôt de documents"
        fields = [
            f"From: Passerelle <{self._address}>",
            f"To: <{to}>",
            f"Subject: {encoded(subject)}",
            f"Date: {rfc_date(now_ms())}",
            f"Message-ID: <{report.key.replace(':', '.')}@{self._hostname}>",
            "Auto-Submitted: auto-replied",  # RFC 3834 §5
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
        ]
        if report.header_message_id:
            fields.append(f"In-Reply-To: {one_line(report.header_message_id)}")
        text = [
            "Votre message a été remis au patient. Le dépôt dans son dossier a échoué :",
            "",
            self._detail(report),
            "",
            f"{report.code} {report.label}",
        ]
        yield ("\r\n".join([*fields, "", ""])).encode() + seven_bit(("\r\n".join(text) + "\r\n").encode())


def delivery_report(settings: Settings, signing: Signing | None = None) -> DeliveryReport:
    """What the router calls to write the report of a delivery that NOTIFY=SUCCESS asked for. Blocking."""

    def write(envelope: Envelope, delivered: list[Recipient], index: MessageIndex) -> bytes:
        raw = build_dsn(
            hostname=settings.gateway.hostname,
            sender=settings.system_address,
            mail_from=envelope.mail_from,
            report_id=f"{envelope.trace_id}.delivered",
            now=now_ms(),
            arrival=envelope.received_at,
            recipients=[
                DsnRecipient(address=one.address, action="delivered", status="2.0.0", orcpt=one.orcpt)
                for one in delivered
            ],
            header=index.header,
            envid=envelope.envid,
            message_id=index.facts.message_id,
        )
        return signed_or_not(raw, signing)

    return write
