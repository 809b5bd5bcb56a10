"""The answer of a responder about our own certificate, kept ready to be sent along (RFC 6066 §8)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from asn1crypto import x509

from certs.identity import DECODE_ERRORS
from certs.online import OnlineTrust
from certs.stapling import Staple, stapling_trouble
from store import now_ms


class OwnStatus:
    """Fills a :class:`Staple`; one for each process that has listening ports.

    :param clock: gives the present in ms.
    """

    def __init__(self, trust: OnlineTrust, clock: Callable[[], int] = now_ms) -> None:
        self.staple: Final = Staple()
        self._trust: Final = trust
        self._clock: Final = clock

    async def refresh(self, chain: Sequence[bytes]) -> str:
        """Ask for a new answer when half of the last one's life is over; to be called every minute.

        :param chain: our certificate and its intermediates (DER, leaf first), as shown to peers.
        :returns: "" when an answer is ready, else why none is.
        """
        if trouble := stapling_trouble():
            return trouble
        found = await asyncio.to_thread(self._pair, chain)
        if found is None:
            return "our certificate cannot be read, or its issuer is not known"
        leaf, issuer = found
        ocsp, now, why = self._trust.ocsp, self._clock(), ""
        known = ocsp.known(leaf, issuer, now)
        if known is None or now > (known.this_update + known.valid_until) // 2:
            why = await ocsp.ask(leaf, issuer)
        response = ocsp.response_held(leaf, issuer, now)
        self.staple.hold(chain[0], response)
        return "" if response else why or "the responder does not call our certificate good"

    def _pair(self, chain: Sequence[bytes]) -> tuple[x509.Certificate, x509.Certificate] | None:
        """Our certificate and its issuer, read anew: what the trust store holds is not shared."""
        try:
            leaf = x509.Certificate.load(chain[0], strict=True)
            known = [*chain[1:], *(c.dump() for c in (*self._trust.intermediates, *self._trust.roots))]
            for der in known:
                issuer = x509.Certificate.load(der, strict=True)
                if issuer.subject.hashable == leaf.issuer.hashable:
                    return leaf, issuer
        except DECODE_ERRORS:
            return None
        return None
