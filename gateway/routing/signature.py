"""The S/MIME signature of a message on its way in: looked at once, before the message is stored.

Nothing is looked at in mail that is not signed as a whole; that is seen in its index. For the others the
signed octets are read back from the spool, in a thread and piece by piece, whatever their size.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

import annuaire
from certs import (
    NOT_SIGNED,
    Identity,
    SignatureVerdict,
    SignedBy,
    SignerResult,
    TrustStore,
    judge_signed,
    verify_signed,
)
from gateway.message import (
    MessageIndex,
    Signature,
    SignedParts,
    canonical,
    decode_stream,
    signed_parts,
)
from gateway.routing.policy import domain_of
from gateway.routing.prefix import AuthResult
from store import Spool, Store, mail

_SHOWN: Final = 200  # characters of a name that a certificate of anybody may state
_ENCRYPTED: Final = "The message is encrypted: it cannot be read here"
# RFC 7281 §3: what was found, in the words of Authentication-Results
_RESULTS: Final = {
    "good": "pass",
    "broken": "fail",
    "not_sender": "policy",
    "untrusted": "policy",
    "unsupported": "neutral",
}


class Signatures:
    """Verifies the signatures of messages.

    :param trust: judges the signers' certificates.
    """

    def __init__(self, store: Store, trust: TrustStore) -> None:
        self._store = store
        self._trust = trust

    async def verdict(
        self, spool: Spool, index: MessageIndex, author: str, received_at: int
    ) -> SignatureVerdict:
        """What the signature of a message is worth; its spool is not placed yet.

        :param author: the From address, folded. :param received_at: ms.
        """
        parts = signed_parts(index)
        if parts is None:
            return NOT_SIGNED
        if parts.fault:
            return SignatureVerdict(state="broken", reason=parts.fault, kind=parts.kind)
        if parts.kind == "encrypted":
            return SignatureVerdict(state="unsupported", reason=_ENCRYPTED, kind="encrypted", part=parts.part)
        results, kind = await self._store.in_thread(_verify, spool, parts)
        if kind == "enveloped-data":
            return SignatureVerdict(state="unsupported", reason=_ENCRYPTED, kind="encrypted", part=parts.part)

        async def owner(signer: Identity) -> SignedBy:
            return await self._store.aread(signed_by, signer, author)

        found = await judge_signed(results, self._trust, owner, received_at)
        return found.placed(parts.kind, parts.part)


def _verify(spool: Spool, parts: SignedParts) -> tuple[list[SignerResult], str]:
    """Both readings of the spool, one after the other. Blocking."""

    def octets(span: tuple[int, int]) -> Iterable[bytes]:
        return spool.chunks(span[0], span[1] - span[0])

    signature = decode_stream(octets(parts.signature), parts.encoding)
    if parts.kind == "opaque":
        return verify_signed(signature)
    # The signature is read to its end before the content is begun: the spool has one reader at a time.
    return verify_signed(signature, canonical(octets(parts.content)))


def signed_by(conn: Connection, signer: Identity, author: str) -> SignedBy:
    """Who a signer is to the From address: the sender, a structure that answers for it, or neither.

    The certificate names the address (RFC 8550 §3), or the directory gives it to the certificate's holder.
    A structure answers for the mailboxes of its people, and an operator for its own domains.
    """
    if not author:
        return ""
    if any(annuaire.fold_address(email) == annuaire.fold_address(author) for email in signer.emails):
        return "sender"
    id_nat = signer.id_nat if signer.kind == "person" else ""
    struct_id = signer.struct_id if signer.kind == "organisation" else ""
    if annuaire.owns(conn, author, id_nat=id_nat, struct_id=struct_id):
        return "sender"
    box = mail.box_by_address(conn, author)
    if box is not None and box.owner in {id_nat, struct_id} - {""}:
        return "sender"
    if not struct_id:
        return ""
    if any(listing.struct_id == struct_id for listing in annuaire.mailbox(conn, author)):
        return "structure"
    for entry in annuaire.whitelist_entries(conn, domain_of(author)):
        if ("OU", struct_id) in annuaire.split_dn(entry.dn):
            return "structure"
    return ""


def auth_results(found: SignatureVerdict) -> list[AuthResult]:
    """The verdict for Authentication-Results (RFC 8601 §2.2, method ``smime`` of RFC 7281); none unsigned.

    What the certificate states is shown only when it is believed.
    """
    if found.state == "none":
        return []
    properties = {"body.smime-part": found.part} if found.part else {}
    signer = found.signer
    if signer is not None and found.state in ("good", "not_sender"):
        if signer.emails:
            properties["body.smime-identifier"] = signer.emails[0][:_SHOWN]
        properties["body.smime-serial"] = f"{signer.serial:x}"
        properties["body.smime-issuer"] = signer.issuer_dn[:_SHOWN]
    result = "temperror" if found.temporary else _RESULTS[found.state]
    return [AuthResult(method="smime", result=result, reason=found.reason, properties=properties)]


def evidence_detail(found: SignatureVerdict) -> dict[str, str]:
    """The verdict for the evidence: identifiers and hashes, no name of a person; empty when unsigned."""
    if found.state == "none":
        return {}
    detail: dict[str, str] = {"smime": found.state}
    if found.reason:
        detail["smime_reason"] = found.reason
    signer = found.signer
    if signer is not None:
        detail["smime_certificate"] = signer.fingerprint
        if found.state in ("good", "not_sender"):
            holder = signer.id_nat or signer.struct_id
            detail |= {"smime_signer": holder} if holder else {}
    if found.by:
        detail["smime_by"] = found.by
    return detail


def kept(found: SignatureVerdict, at: int) -> Signature | None:
    """The verdict as it is stored beside the message, under its key; None when unsigned."""
    if found.state == "none":
        return None
    signer = found.signer
    if signer is None:
        return Signature(found.state, found.reason, found.by, found.kind, found.signed_at, at)
    return Signature(
        state=found.state,
        reason=found.reason,
        by=found.by,
        kind=found.kind,
        signed_at=found.signed_at,
        checked_at=at,
        holder=signer.kind,
        name=signer.name[:_SHOWN],
        given=signer.given[:_SHOWN],
        id_nat=signer.id_nat,
        struct_id=signer.struct_id,
        profession=signer.profession[:_SHOWN],
        address=signer.emails[0][:_SHOWN] if signer.emails else "",
        subject_dn=signer.subject_dn[: 5 * _SHOWN],
        issuer_dn=signer.issuer_dn[: 5 * _SHOWN],
        serial=f"{signer.serial:x}"[:_SHOWN],
        fingerprint=signer.fingerprint,
        test=signer.category == "test",
    )
