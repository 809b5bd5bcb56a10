"""A trust folder with its responders: what a running gateway, or a verb that may ask, judges by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from certs.ocsp import OcspResponders
from certs.settings import load_trust_settings
from certs.trust import TrustStore
from store import now_ms


class OnlineTrust(TrustStore):
    """A :class:`TrustStore` that asks responders where its lists cannot tell.

    :param folder: as :meth:`TrustStore.load`. Blocking. :param clock: gives the present in ms.
    :raises TrustError: as :meth:`TrustStore.load`.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], int] = now_ms) -> None:
        self.ocsp = OcspResponders(load_trust_settings(folder), clock=clock)
        super().__init__(folder, responders=self.ocsp, clock=clock)
        self.ocsp.consult(self.listed)
        self.ocsp.configure(self.settings, self.roots)

    def reload(self) -> None:
        """As the parent's; the responders go by the new settings too, and keep what they hold.

        But for the answers of delegates that the new lists name.
        """
        super().reload()
        self.ocsp.configure(self.settings, self.roots)
        self.ocsp.review()
