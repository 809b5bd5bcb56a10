"""Where to connect for a domain: a static route where there is one, else its MX records."""

from __future__ import annotations

import random
from collections.abc import Mapping

import dns.asyncresolver
import dns.exception
import dns.resolver
import msgspec

from store.errors import PasserelleError

SMTP_PORT = 25


class Route(msgspec.Struct, frozen=True):
    """One place to try."""

    host: str
    port: int = SMTP_PORT


class RouteError(PasserelleError):
    """No place to connect to: for now (4yz), or ever (5yz)."""

    code = 451
    enhanced = "4.4.3"


class Routes:
    """Finds the places of a domain.

    :param static: casefolded domain → route; ``"*"`` stands for all domains without one of their own.
    :param timeout: seconds for the whole DNS question.
    """

    def __init__(
        self,
        static: Mapping[str, Route] | None = None,
        *,
        resolver: dns.asyncresolver.Resolver | None = None,
        timeout: float = 20.0,
    ) -> None:
        self.static = dict(static or {})
        self._resolver = resolver
        self._timeout = timeout

    async def find(self, domain: str) -> list[Route]:
        """The places to try, in order.

        :raises RouteError: 4.4.3 the DNS does not answer; 5.1.2 no such domain; 5.1.10 it takes no mail.
        """
        fixed = self.static.get(domain) or self.static.get("*")
        if fixed is not None:
            return [fixed]
        resolver = self._resolver or dns.asyncresolver.get_default_resolver()
        try:
            answer = await resolver.resolve(domain, "MX", lifetime=self._timeout)
        except dns.resolver.NXDOMAIN:
            raise RouteError(
                "relay.domain", "the recipient's domain does not exist", code=550, enhanced="5.1.2"
            ) from None
        except dns.resolver.NoAnswer:
            return [Route(domain)]  # RFC 5321 §5.1: without MX the domain itself is tried
        except dns.exception.DNSException as error:
            raise RouteError(
                "relay.dns", "the DNS does not answer for the recipient's domain", log=type(error).__name__
            ) from None
        ranked = sorted(
            ((int(item.preference), str(item.exchange).rstrip(".")) for item in answer),
            key=lambda pair: (pair[0], random.random()),  # noqa: S311  # RFC 5321 §5.1: spread, no secret
        )
        if [host for _, host in ranked] == [""]:
            raise RouteError(
                "relay.null_mx", "the recipient's domain takes no mail", code=556, enhanced="5.1.10"
            )  # RFC 7505 §4.2
        return [Route(host) for _, host in ranked if host]
