"""FranceConnect as the first factor: whom it vouches for is matched to one profile; then the usual code."""

from __future__ import annotations

import structlog

from patients.signin.activation import Answer
from patients.signin.desk import Begun, Desk
from patients.signin.identities import begin_journey, match, take_journey
from patients.signin.issuer import ProviderError
from patients.signin.keys import new_token
from patients.signin.openid import OpenId, new_journey
from patients.signin.throttle import network
from store import Store

log = structlog.get_logger("signin")


class Federation:
    """Sign-in by a provider. The token of the flow is a cookie of the browser that began it."""

    def __init__(self, store: Store, desk: Desk, client: OpenId) -> None:
        self._store = store
        self._desk = desk
        self._client = client

    async def begin(self, source: str) -> tuple[Begun, str]:
        """The token of the flow and where to send the browser. Raises :class:`ProviderError`."""
        token, journey = new_token(), new_journey()
        wait = await self._store.awrite(begin_journey, token=token, journey=journey, source=network(source))
        if wait:
            return Begun("", Answer("wait", wait_ms=wait)), ""
        return Begun(token, Answer("ok")), await self._client.authorize_url(journey)

    async def end(self, token: str, *, state: str, code: str, issuer: str = "") -> Begun:
        """The browser is back: ``ok`` when a code was sent; ``refused`` to whoever has no account."""
        journey = await self._store.awrite(take_journey, token=token)
        if journey is None:
            return Begun("", Answer("over"))
        try:
            vouched = await self._client.identity(journey, state=state, code=code, issuer=issuer)
        except ProviderError as error:
            log.warning("federated_refused", rule=error.rule, reason=error.log)
            return Begun("", Answer("refused"))
        ins = await self._store.aread(match, vouched.pivot)
        return await self._desk.second_factor(ins or "", "federated", [])
