"""The rules applied to a message on its way: who sends, who receives, then one durable transaction.

Invariants:
- a verdict is the first failed check of the rules, and the same words go to the peer, the log and the
  evidence;
- nothing is promised before :func:`gateway.routing.commit.accept` has committed;
- when a box closed or filled up after its RCPT was accepted, nothing at all is accepted: a temporary
  refusal makes the sender ask again, and RCPT then names the cause.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

import annuaire
import patients
from certs import NOT_SIGNED, CertVerdict, SignatureVerdict, TrustStore
from gateway.message import MessageIndex, MessageMeta, Signature, attachments, calendars, encode_meta
from gateway.routing import commit, facts, prefix, rules, signature, system
from gateway.routing.explain import sender_checks
from gateway.routing.model import Envelope, FilingJob, InvitationJob, Origin, Recipient, RelayJob, Verdict
from gateway.routing.policy import Policy, domain_of
from store import PasserelleError, Spool, Store, faults, mail, new_id

log = structlog.get_logger("routing")

_REMEMBER_S = 5.0
_REMEMBERED = 5_000
# Below this, sealing and appending to the segment (page cache, no sync) costs less than a trip to a thread.
_IN_PLACE = 64 * 1024


class _Gathered(msgspec.Struct, frozen=True):
    """What deciding on the content needs: targets in the envelope's order, From, the contacts it opens."""

    targets: list[facts.Target]
    author: str
    contacts: tuple[str, ...]
    from_allowed: bool


def _author(index: MessageIndex) -> str:
    """The one From address, folded; "" when there is not exactly one."""
    authors = index.facts.from_
    return authors[0].address.casefold() if len(authors) == 1 else ""


# (envelope, recipients delivered here, index of the message) → a whole delivery report (RFC 3464)
DeliveryReport = Callable[[Envelope, list[Recipient], MessageIndex], bytes]


class Router:
    """Answers the SMTP session's questions, and accepts its messages.

    :param delivery_report: writes the report that NOTIFY=SUCCESS asks for; None: none is sent.
    :param trust: judges who signed a message (S/MIME); None: signatures are not looked at.
    """

    def __init__(
        self,
        store: Store,
        policy: Policy,
        delivery_report: DeliveryReport | None = None,
        trust: TrustStore | None = None,
    ) -> None:
        self.store = store
        self._signatures = signature.Signatures(store, trust) if trust is not None else None
        self.policy = policy
        self._delivery_report = delivery_report
        self._senders: dict[tuple[Origin, str], tuple[float, Verdict]] = {}
        self._targets: dict[tuple[Origin, str], tuple[float, facts.Target]] = {}
        self._refusals: set[asyncio.Future[None]] = set()

    # -- who is there ---------------------------------------------------------------------------

    async def origin(self, verdict: CertVerdict | None, tls: str, peer: str) -> Origin:
        """The operator behind a certificate; a refused certificate gives an origin that says why."""
        if verdict is None:
            return Origin(
                tls=tls,
                peer=peer,
                refusal_rule="sender.certificate",
                refusal_reason="a client certificate of the trust space is required",
            )
        if not verdict.ok:
            return Origin(
                dn=verdict.identity.subject_dn,
                tls=tls,
                peer=peer,
                refusal_rule=verdict.rule,
                refusal_reason=verdict.reason,
            )
        who = verdict.identity
        return Origin(
            kind="operator", name=who.name, dn=who.subject_dn, struct_id=who.struct_id, tls=tls, peer=peer
        )

    async def signed_in(self, box_id: int, tls: str = "", peer: str = "") -> Origin | None:
        """The owner of a box who proved a password; None when the box is gone or closed."""
        box = await self.store.aread(mail.box_by_id, box_id)
        if box is None or box.state != "open":
            return None
        return Origin(
            kind="patient" if box.kind == "patient" else "professional",
            box_id=box.box_id,
            address=box.address,
            name=box.address,
            tls=tls,
            peer=peer,
        )

    async def authenticate(self, user: str, password: str, peer: str) -> Origin | None:
        """Sign in by app password: for SASL PLAIN and LOGIN."""
        box_id = await patients.check_app_password(self.store, user, password)
        return None if box_id is None else await self.signed_in(box_id, peer=peer)

    async def external(self, verdict: CertVerdict) -> Origin | None:
        """Sign in by certificate: for SASL EXTERNAL. None when the certificate does not hold.

        A certificate whose holder the directory refuses (struck off, card opposed) gives an origin that says
        why.
        """
        claim = annuaire.claim_of(verdict.identity)
        if not verdict.ok or not (claim.id_nat or claim.struct_id):
            return None
        origin = Origin(
            kind="professional",
            name=verdict.identity.name,
            dn=verdict.identity.subject_dn,
            id_nat=claim.id_nat,
            struct_id=claim.struct_id,
            claim=claim,
        )
        judged = rules.verdict(await self.store.aread(sender_checks, self.policy, origin, ""))
        if judged.accepted:
            return origin
        return Origin(dn=origin.dn, refusal_rule=judged.rule, refusal_reason=judged.peer)

    # -- questions of MAIL and RCPT -------------------------------------------------------------

    async def sender(self, origin: Origin, mail_from: str, smtputf8: bool = False) -> Verdict:
        """May this session send as ``mail_from``? An acceptance is remembered for five seconds."""
        key = (origin, mail_from)
        known = self._senders.get(key)
        now = time.monotonic()
        if known is not None and now - known[0] < _REMEMBER_S:
            return known[1]
        verdict = rules.verdict(await self.store.aread(sender_checks, self.policy, origin, mail_from))
        if verdict.accepted:
            if len(self._senders) >= _REMEMBERED:
                self._senders.clear()
            self._senders[key] = (now, verdict)
        else:
            self._keep_refusal(origin, mail_from, "", verdict)
        return verdict

    async def recipient(self, origin: Origin, mail_from: str, rcpt: str) -> Verdict:
        """May this sender's message go to ``rcpt``?"""
        target = await self.store.quick(facts.target, self.policy, origin, rcpt)
        verdict = rules.verdict(target.checks)
        if not verdict.accepted:
            self._keep_refusal(origin, mail_from, rcpt, verdict)
            return verdict
        if len(self._targets) >= _REMEMBERED:
            self._targets.clear()
        self._targets[origin, rcpt] = (time.monotonic(), target)
        return verdict

    def _keep_refusal(
        self, origin: Origin, mail_from: str, rcpt: str, verdict: Verdict, trace_id: str = ""
    ) -> None:
        log.info("refused", rule=verdict.rule, code=verdict.code, peer=origin.peer)
        ended = asyncio.ensure_future(
            self.store.awrite(
                commit.refused,
                trace_id=trace_id or f"{new_id():x}",
                sender=mail_from,
                recipient=rcpt,
                rule=verdict.rule,
                detail={
                    "peer": origin.peer,
                    "by": _proof(origin),
                    "code": str(verdict.code),
                    "why": verdict.peer,  # what the sender was told, for `trace`
                },
            )
        )
        self._refusals.add(ended)
        ended.add_done_callback(self._refusal_kept)

    def _refusal_kept(self, ended: asyncio.Future[None]) -> None:
        self._refusals.discard(ended)
        if not ended.cancelled() and ended.exception() is not None:
            log.error("refusal_not_recorded", error=type(ended.exception()).__name__)

    # -- acceptance -----------------------------------------------------------------------------

    async def accept(
        self, origin: Origin, envelope: Envelope, spool: Spool, index: MessageIndex, sha256: bytes
    ) -> Verdict:
        """Decide on the content and store. When it returns an acceptance, all is on the disk."""
        gathered = self._remembered(origin, envelope, index)
        if gathered is None:
            gathered = await self.store.aread(self._gather, origin, envelope, index)
        verdict = self._decide(gathered, envelope, index)
        signed = NOT_SIGNED
        if verdict.accepted and self._signatures is not None:
            signed = await self._signatures.verdict(spool, index, gathered.author, envelope.received_at)
            verdict = rules.verdict(
                rules.message_signature(signed.state, signed.reason, self.policy.smime == "refuse-broken")
            )
        if not verdict.accepted:
            for recipient in envelope.recipients:
                self._keep_refusal(origin, envelope.mail_from, recipient.address, verdict, envelope.trace_id)
            return verdict
        faults.point("routing.before_placing")
        work = (gathered, origin, envelope, spool, index, sha256, signed)
        # Our report may be signed, which takes longer than the loop may wait.
        asking = any(_wants_report(recipient) for recipient in envelope.recipients)
        if index.size < _IN_PLACE and len(gathered.targets) < 4 and not asking:
            kwargs = self._place(*work)
        else:
            kwargs = await self.store.in_thread(self._place, *work)
        faults.point("routing.placed")
        try:
            accepted = await self.store.awrite(commit.accept, **kwargs)
        except PasserelleError as error:
            if error.fault == "us":
                raise
            return Verdict(
                action="defer",
                rule=error.rule,
                code=451,
                enhanced="4.2.0",
                peer="a mailbox changed while the message came in, try again",
                log=error.log,
            )
        faults.point("routing.accepted")
        log.info(
            "accepted",
            trace=envelope.trace_id,
            size=index.size,
            delivered=accepted.delivered,
            queued=accepted.queued,
            duplicates=accepted.duplicates,
        )
        return Verdict(action="accept", rule="message.accepted", peer="accepted")

    def _remembered(self, origin: Origin, envelope: Envelope, index: MessageIndex) -> _Gathered | None:
        """What is to be known of an everyday message, without a look-up: targets found at RCPT a moment
        ago, a From whose address (or domain, for an operator) MAIL has proven, no other Reply-To."""
        author, sender = _author(index), envelope.mail_from.casefold()
        proven = author == sender or (origin.kind == "operator" and domain_of(author) == domain_of(sender))
        if not author or not sender or not proven:
            return None
        if any(address.address.casefold() != author for address in index.facts.reply_to):
            return None
        oldest = time.monotonic() - _REMEMBER_S
        targets = []
        for recipient in envelope.recipients:
            known = self._targets.get((origin, recipient.address))
            if known is None or known[0] < oldest:
                return None
            targets.append(known[1])
        return _Gathered(targets, author, (author,), True)

    def _gather(self, conn: Connection, origin: Origin, envelope: Envelope, index: MessageIndex) -> _Gathered:
        author = _author(index)
        reply_to = [address.address for address in index.facts.reply_to]
        return _Gathered(
            [
                facts.target(conn, self.policy, origin, recipient.address, index.size)
                for recipient in envelope.recipients
            ],
            author,
            facts.contact_addresses(conn, self.policy, author, reply_to),
            facts.from_allowed(conn, origin, author),
        )

    def _decide(self, gathered: _Gathered, envelope: Envelope, index: MessageIndex) -> Verdict:
        """The first check on the content, then on the recipients, that fails; or acceptance."""
        known = index.facts
        checks = rules.message_size(size=index.size, limit=self.policy.size_limit)
        checks += rules.authorship(
            rules.Authorship(
                mail_from=envelope.mail_from.casefold(),
                from_=tuple(address.address.casefold() for address in known.from_),
                sender=known.sender.address.casefold() if known.sender else "",
                report=known.auto in ("dsn", "mdn"),
                from_allowed=gathered.from_allowed,
            )
        )
        verdict = rules.verdict(checks)
        if not verdict.accepted:
            return verdict
        for target in gathered.targets:
            verdict = rules.verdict(target.checks)
            if verdict.action == "refuse":
                # It was accepted at RCPT: the world changed since. Nothing is taken, the sender asks again.
                return msgspec.structs.replace(verdict, action="defer", code=451, enhanced="4.2.0")
            if not verdict.accepted:
                return verdict
        return verdict

    def _place(
        self,
        gathered: _Gathered,
        origin: Origin,
        envelope: Envelope,
        spool: Spool,
        index: MessageIndex,
        sha256: bytes,
        signed: SignatureVerdict,
    ) -> dict[str, Any]:
        """Seal the body for every box and say what the transaction shall do. Blocking for a large one."""
        targets, author = gathered.targets, gathered.author
        here = [
            (target, asked)
            for target, asked in zip(targets, envelope.recipients, strict=True)
            if target.box_id
        ]
        away = [
            (target, asked)
            for target, asked in zip(targets, envelope.recipients, strict=True)
            if not target.box_id
        ]
        shown = msgspec.structs.replace(envelope, peer="") if origin.kind == "patient" else envelope
        effect = rules.effect_on_correspondence(
            subject=index.facts.subject,
            end_header=index.facts.mss_end_header,
            automatic=rules.automatic(index.facts.auto, null_path=not envelope.mail_from),
        )
        told = {"message_id": index.facts.message_id, "trace_id": envelope.trace_id}
        results, seen = signature.auth_results(signed), signature.kept(signed, envelope.received_at)
        deliveries = []
        for target, _ in here:
            copy = self._copy(
                target.box_id,
                prefix.build_prefix(shown, origin, self.policy.hostname, target.recipient, results),
                spool,
                index,
                seen,
            )
            from_professional = bool(target.ins) and origin.kind != "patient"
            deliveries.append(
                commit.Delivery(
                    box_id=target.box_id,
                    recipient=target.recipient.casefold(),
                    rule=target.checks[-1].rule,
                    digest=_digest(sha256, envelope.mail_from, target.recipient),
                    message=copy,
                    effect=effect if from_professional and effect != "nothing" else "",
                    contacts=gathered.contacts,
                    author=author,
                    filing=self._filing(target, origin, envelope, index, copy.message_id)
                    if from_professional
                    else None,
                    invitation=_invitation(target, envelope, index, copy.message_id)
                    if from_professional
                    else None,
                )
            )
        relay = sent = None
        if away or (here and origin.kind in self.policy.keep_sent):
            box_id = origin.box_id or self._sender_box(envelope.mail_from or author)
            own = self._copy(box_id, prefix.received(shown, origin, self.policy.hostname), spool, index, seen)
            if origin.kind in self.policy.keep_sent:
                sent = commit.Delivery(box_id=box_id, recipient="", rule="", digest=b"", message=own)
            if away:
                relay = commit.Relay(
                    box_id=box_id,
                    message=own,
                    digests=[_digest(sha256, envelope.mail_from, target.recipient) for target, _ in away],
                    rules=[target.checks[-1].rule if target.checks else "" for target, _ in away],
                    jobs=[self._job(envelope, asked, own.message_id, index, sha256) for _, asked in away],
                )
        return {
            **told,
            "sender": envelope.mail_from.casefold(),
            "sha256": sha256,
            "detail": {
                "size": str(index.size),
                "by": _proof(origin),
                **signature.evidence_detail(signed),
            },
            "deliveries": deliveries,
            "relay": relay,
            "sent": sent,
            "report": self._report(envelope, [asked for _, asked in here], index),
        }

    def _report(
        self, envelope: Envelope, delivered: list[Recipient], index: MessageIndex
    ) -> commit.Report | None:
        """The report on a delivery here, where the sender asked for one (RFC 3461 §4.1, §5.2.1)."""
        asking = [asked for asked in delivered if _wants_report(asked)]
        if not asking or not envelope.mail_from or self._delivery_report is None:
            return None
        local = domain_of(envelope.mail_from) in (*self.policy.hosted, self.policy.patient_domain)
        box = self.store.read(
            mail.box_by_address, envelope.mail_from if local else self.policy.system_address
        )
        if box is None:
            return None
        raw = self._delivery_report(envelope, asking, index)
        message, known = system.prepare(self.store, box.box_id, raw)
        job = None if local else system.relay_job(message, known, envelope.mail_from, envelope.trace_id)
        return commit.Report(box_id=box.box_id, message=message, job=job)

    def _sender_box(self, mail_from: str) -> int:
        box = self.store.read(mail.box_by_address, mail_from)
        return box.box_id if box else 0

    def _copy(
        self, box_id: int, lines: bytes, spool: Spool, index: MessageIndex, seen: Signature | None
    ) -> mail.NewMessage:
        meta = encode_meta(MessageMeta(prefix=lines, index=index, signature=seen))
        return self.store.new_message(box_id, spool, meta, prefix_size=len(lines))

    def _job(
        self, envelope: Envelope, asked: Recipient, message_id: int, index: MessageIndex, sha256: bytes
    ) -> RelayJob:
        return RelayJob(
            mail_from=envelope.mail_from,
            recipient=asked,
            message_id=message_id,
            header_message_id=index.facts.message_id,
            trace_id=envelope.trace_id,
            sha256=sha256,
            received_at=envelope.received_at,
            ret=envelope.ret,
            envid=envelope.envid,
            body=envelope.body,
            smtputf8=envelope.smtputf8,
        )

    def _filing(
        self, target: facts.Target, origin: Origin, envelope: Envelope, index: MessageIndex, message_id: int
    ) -> FilingJob | None:
        known = index.facts
        if self.policy.y == "none" or known.auto or not attachments(index.root):
            return None
        # RFC 8098 §2.1: no automatic receipt when it would go elsewhere than the reverse-path
        report = known.disposition_to[0].address if len(known.disposition_to) == 1 else ""
        if report.casefold() != envelope.mail_from.casefold():
            report = ""
        return FilingJob(
            ins=target.ins,
            message_id=message_id,
            header_message_id=known.message_id,
            sender=envelope.mail_from.casefold(),
            operator_dn=origin.dn,
            trace_id=envelope.trace_id,
            received_at=envelope.received_at,
            report_to=report,
        )


def _invitation(
    target: facts.Target, envelope: Envelope, index: MessageIndex, message_id: int
) -> InvitationJob | None:
    """RFC 6047 §2.4: a part of type text/calendar is looked at once the message is accepted."""
    if not envelope.mail_from or not calendars(index.root):
        return None
    return InvitationJob(
        ins=target.ins,
        message_id=message_id,
        sender=envelope.mail_from.casefold(),
        trace_id=envelope.trace_id,
        received_at=envelope.received_at,
    )


def _wants_report(recipient: Recipient) -> bool:
    return "SUCCESS" in recipient.notify.upper().split(",")  # RFC 3461 §4.1


def _proof(origin: Origin) -> str:
    """What proved the sender, for the evidence: an operator's DN, a national identifier; no person's name.

    Of who acts in a patient's box: ``patient:`` and his INS: a parent's acts are told from the child's.
    """
    if origin.kind == "operator":
        return origin.dn
    if origin.actor_ins:
        return f"patient:{origin.actor_ins}"
    return origin.id_nat or origin.struct_id or "app-password"


def _digest(sha256: bytes, mail_from: str, recipient: str) -> bytes:
    """What makes a delivery the same one: these bytes, from this sender, to this recipient."""
    hasher = hashlib.sha256(sha256)
    hasher.update(mail_from.casefold().encode() + b"\0" + recipient.casefold().encode())
    return hasher.digest()
