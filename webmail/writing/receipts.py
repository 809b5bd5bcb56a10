"""Receipts for reading: sent when the person says so, and never otherwise (RFC 8098 §2.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response
from starlette.routing import BaseRoute

import dossier
from gateway.routing import RelayJob, domain_of, explain_all, prepare, relay_job, send_receipt
from store import mail, new_id, now_ms
from webmail.guards import post
from webmail.languages import N_
from webmail.mail.letters import Letter, letter_of
from webmail.turn import Refused, Turn
from webmail.writing.answers import told as told_of
from webmail.writing.answers import writer
from webmail.writing.building import SUBJECT, known_ids, message_id_of, octets, plain_value
from webmail.writing.receipts_asked import DECLINED, SETTLED, receipt_address, receipt_state

_SETTLED: Final = N_("Vous avez déjà répondu à cette demande.")
_ELSEWHERE: Final = N_(
    "L'accusé de lecture n'irait pas à l'auteur du message, mais à une autre adresse : il n'est pas envoyé."
)
_SAID: Final = (
    "Votre message a été affiché par son destinataire le {day}. Cela ne dit pas qu'il a été compris.\n\n"
    "Your message was displayed by its recipient on {day}. This does not say that it was understood.\n"
)


async def answer(turn: Turn) -> Response:
    """``POST /messages/{id}/accuse``: ``reponse`` is ``oui`` or ``non``."""
    letter = await letter_of(turn, turn.request.path_params["message_id"])
    path = f"/messages/{letter.message_id}"
    state = receipt_state(letter)
    if state == "elsewhere":
        raise Refused(_ELSEWHERE, 422)
    if state != "asked":
        return turn.go(path, _SETTLED, kind="info")
    if turn.text("reponse") != "oui":
        await _settle(turn, letter)
        return turn.go(path, N_("Aucun accusé de lecture n'est envoyé."))
    done = await _send(turn, letter)
    return turn.go(path, N_("Accusé de lecture envoyé.") if done else _SETTLED)


async def _settle(turn: Turn, letter: Letter) -> None:
    """Remember the refusal where every mail client finds it (RFC 3503 §3.1)."""
    for one in letter.places:
        await turn.store.awrite(
            mail.change_flags,
            box_id=turn.visit.box_id,
            folder_id=one.folder.folder_id,
            uids=[one.entry.uid],
            mode="add",
            flags=0,
            keywords=f"{SETTLED} {DECLINED}",
        )


async def _send(turn: Turn, letter: Letter) -> bool:
    visit, address = turn.visit, receipt_address(letter)
    told = (await turn.read(explain_all, turn.kit.router.policy, writer(visit), [address]))[0]
    if not told.verdict.accepted:
        decides = next(one for one in told.checks if not one.ok)
        raise Refused(told_of(decides, turn.language), 422)
    local = await turn.read(_local_box, turn, address)
    message, job = await turn.run(_prepared, turn, letter, address, local)
    return await turn.store.awrite(
        send_receipt,
        box_id=visit.box_id,
        key=f"{visit.box_id}/{letter.message_id}",
        places=[(one.folder.folder_id, one.entry.uid) for one in letter.places],
        keywords=SETTLED,
        message=message,
        job=job,
        local_box=local,
        detail={"by": "app-password" if visit.own else f"patient:{visit.ins}", "kind": "displayed"},
        rule=told.verdict.rule,
        reader=visit.address,
        original=letter.meta.index.facts.message_id,
    )


def _local_box(conn: Connection, turn: Turn, address: str) -> int:
    if domain_of(address) not in turn.kit.router.policy.hosted:
        return 0
    box = mail.box_by_address(conn, address)
    return box.box_id if box is not None and box.state == "open" else 0


def _prepared(turn: Turn, letter: Letter, address: str, local: int) -> tuple[mail.NewMessage, RelayJob]:
    raw = receipt_bytes(
        reader=turn.visit.address,
        name=turn.visit.profile.name,
        to=address,
        subject=letter.meta.index.facts.subject,
        original=letter.meta.index.facts.message_id,
        hostname=turn.kit.wants.hostname,
        ident=f"{new_id():x}",
        at=now_ms(),
    )
    message, index = prepare(turn.store, local or turn.visit.box_id, raw)
    return message, relay_job(message, index, address, f"{new_id():x}")


def receipt_bytes(
    *, reader: str, name: str, to: str, subject: str, original: str, hostname: str, ident: str, at: int
) -> bytes:
    """A receipt that says ``displayed``, as the person wanted (RFC 8098 §3). ``at``: ms."""
    made = EmailMessage(policy=SMTP)
    made["From"] = Address(plain_value(name, 80), addr_spec=reader)
    made["To"] = Address(addr_spec=to)
    made["Subject"] = plain_value(f"Lu : {subject}", SUBJECT)
    moment = datetime.fromtimestamp(at // 1000, UTC)
    made["Date"] = format_datetime(moment)
    made["Message-ID"] = message_id_of(f"{ident}.mdn", hostname)
    if threaded := known_ids([original]):
        made["In-Reply-To"] = made["References"] = threaded[0]
    made["Auto-Submitted"] = "auto-replied"  # RFC 3834 §5
    made["MIME-Version"] = "1.0"
    made.add_header("Content-Type", "multipart/report", report_type="disposition-notification")
    text = EmailMessage(policy=SMTP)
    text.set_content(_SAID.format(day=moment.strftime("%Y-%m-%d")), cte="quoted-printable")
    lines = [f"Reporting-UA: {hostname}; Passerelle", f"Final-Recipient: rfc822;{reader}"]
    if original:
        told = dossier.clean(original, 250).encode("ascii", "replace").decode()
        lines.append(f"Original-Message-ID: {told}")
    # RFC 8098 §3.2.6: a person said yes, and by his word it is sent.
    lines.append("Disposition: manual-action/MDN-sent-manually; displayed")
    report = EmailMessage(policy=SMTP)
    report["Content-Type"] = "message/disposition-notification"
    report["Content-Transfer-Encoding"] = "7bit"
    report.set_payload("\r\n".join(lines) + "\r\n")
    made.set_payload([text, report])
    made.set_boundary(f"=_{ident}")
    return octets(made)


ROUTES: Final[list[BaseRoute]] = [post("/messages/{message_id:int}/accuse", answer)]
