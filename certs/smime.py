"""S/MIME signatures judged (RFC 8551, RFC 8550): unaltered, believed, and the sender's.

Three questions in this order: do signature and content belong together (:mod:`certs.cms_verify`), may the
signer's certificate be believed (:class:`certs.TrustStore`), is the signer the one in From. The last is the
caller's to answer, who knows the directory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Literal

import msgspec

from certs.cms_verify import SignerResult
from certs.identity import Identity
from certs.trust import TrustStore

State = Literal["none", "good", "untrusted", "broken", "not_sender", "unsupported"]
SignedBy = Literal["", "sender", "structure"]
Owner = Callable[[Identity], Awaitable[SignedBy]]

CLOCK_TOLERANCE_MS: Final = 24 * 3_600_000  # a signer's clock; beyond, its time is not believed
# Of several signatures (RFC 5652 §5.1) an altered one spoils all; else the best of them counts.
_RANK: Final[tuple[State, ...]] = ("broken", "good", "not_sender", "untrusted", "unsupported")


class SignatureVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a message's signature is worth.

    :param state: "none": not signed as a whole. "good": unaltered, certificate good, signer is the sender.
        "not_sender": the same, but the signer is not the one in From. "untrusted": unaltered, its
        certificate is refused. "broken": altered, or no signature at all in spite of what it says.
        "unsupported": it cannot be judged here (algorithm, size, encrypted).
    :param reason: one ASCII sentence naming the failed check, without a holder's name; "" when good or none.
    :param by: who signed, when good: the "sender", or the "structure" that answers for the address.
    :param signer: what the certificate says; None when none was found.
    :param signed_at: the signer's claim (ms), 0 when absent.
    :param temporary: whether another look later may end otherwise (no fresh revocation list).
    :param part: IMAP number of the part that holds the signature. :param kind: "detached", "opaque",
        "encrypted", or "".
    """

    state: State
    reason: str = ""
    by: SignedBy = ""
    signer: Identity | None = None
    signed_at: int = 0
    temporary: bool = False
    part: str = ""
    kind: str = ""

    def placed(self, kind: str, part: str) -> SignatureVerdict:
        """The same, saying what kind of signature it is and where it stands."""
        return msgspec.structs.replace(self, kind=kind, part=part)


NOT_SIGNED: Final = SignatureVerdict(state="none")


async def judge_signed(
    results: Sequence[SignerResult], trust: TrustStore, owner: Owner, received_at: int
) -> SignatureVerdict:
    """The verdict on a message out of the results of its signatures.

    :param owner: answers whether an identity is the sender ("sender"), answers for the sender's address
        ("structure"), or neither ("").
    :param received_at: ms. Certificates are judged as they stand now: a message is judged as it comes in.
    """
    found = [await _judge(result, trust, owner, received_at) for result in results]
    return min(found, key=lambda verdict: _RANK.index(verdict.state))


async def _judge(result: SignerResult, trust: TrustStore, owner: Owner, received_at: int) -> SignatureVerdict:
    if result.outcome != "intact":
        return SignatureVerdict(state=result.outcome, reason=result.reason, signed_at=result.signed_at)
    verdict = await trust.check(result.chain, "sign")
    signer = verdict.identity
    if not verdict.ok:
        return SignatureVerdict(
            state="untrusted",
            reason=verdict.reason,
            signer=signer,
            signed_at=result.signed_at,
            temporary=verdict.rule == "sender.revocation_unknown",
        )
    if result.signed_at > received_at + CLOCK_TOLERANCE_MS:
        reason = "The signing time lies in the future"
        return SignatureVerdict(state="untrusted", reason=reason, signer=signer, signed_at=result.signed_at)
    by = await owner(signer)
    if not by:
        # RFC 8550 §3: the certificate and From must name the same
        reason = "The signer is not the one in From"
        return SignatureVerdict(state="not_sender", reason=reason, signer=signer, signed_at=result.signed_at)
    return SignatureVerdict(state="good", by=by, signer=signer, signed_at=result.signed_at)
