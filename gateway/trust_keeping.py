"""What keeps the trust folder fresh in a running gateway: changes picked up, lists fetched, our own status.

Every process looks at the folder's dates each few seconds and reads it again when something changed, so that
what the back fetches, or an administrator imports, is in use everywhere at once. Only the back fetches.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from certs import CertificateUnreadable, ListFetcher, OnlineTrust, OwnStatus, Staple, read_chain
from gateway.settings import Settings

log = structlog.get_logger("trust")

#: Seconds between two looks at the folder, two looks for lists that are due, and two at our own status.
LOOK_S = 3.0
FETCH_S = 15.0
STATUS_S = 60.0

_FOLDERS = ("roots", "intermediates", "crls")
#: A file of the folder, when it was changed (ns), its size.
_State = tuple[tuple[str, int, int], ...]


def our_certificates(home: Path, settings: Settings) -> list[bytes]:
    """The certificates that the settings name (DER), with their chains; unreadable files are passed over.

    Their distribution points tell where the lists of our own authorities are.
    """
    found: list[bytes] = []
    for name in (settings.tls.certificate, settings.tls.client_certificate, settings.smime.certificate):
        try:
            found += read_chain(home / name) if name else []
        except (OSError, CertificateUnreadable):
            continue
    return found


async def _apart(work: Callable[[], object]) -> None:
    """Run ``work`` in a thread that the process does not wait for when it ends: a server may be slow."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def end(error: BaseException | None) -> None:
        if done.done():  # nobody waits any more
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failed: BaseException | None = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # handed to who waits
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(end, failed)

    threading.Thread(target=run, name="lists", daemon=True).start()
    await done


class TrustKeeper:
    """The housekeeping of one process around its trust folder."""

    def __init__(self, home: Path, settings: Settings, trust: OnlineTrust) -> None:
        self._trust = trust
        self._own = OwnStatus(trust)
        self._own_said = ""
        self._fetcher = ListFetcher(trust, lambda: our_certificates(home, settings))
        self._seen = self._last = self._state()

    @property
    def staple(self) -> Staple:
        """For the contexts of listening ports."""
        return self._own.staple

    async def look(self) -> None:
        """Read the folder again when a file of it came, went or changed, once two looks find it the same.

        A file may be half copied at the first: half a ``trust.toml`` can be a whole one that demands less.

        :raises TrustError: it cannot be used; what was in use stays, and it is not tried again until the
            next change.
        """
        state = await asyncio.to_thread(self._state)
        settled, self._last = state == self._last, state
        if settled and state != self._seen:
            self._seen = state
            await asyncio.to_thread(self._trust.reload)

    async def fetch(self) -> None:
        """Fetch the lists that are due; the report goes to the log."""
        if self._trust.settings.lists.fetch:
            await _apart(self._fetcher.refresh_due)

    async def refresh_status(self, chain: tuple[bytes, ...] | list[bytes]) -> None:
        """Keep the answer about our own certificate (DER, leaf first) ready for who asks for it."""
        said = await self._own.refresh(chain)
        if said != self._own_said:
            self._own_said = said
            log.info("own_status", ready=not said, reason=said)

    def _state(self) -> _State:
        return tuple(sorted(self._files()))

    def _files(self) -> Iterator[tuple[str, int, int]]:
        folder = self._trust.folder
        paths = [folder / "trust.toml"]
        for name in _FOLDERS:
            paths += (folder / name).glob("*")
        for path in paths:
            try:
                status = path.stat()
            except OSError:
                continue
            if not path.name.startswith("."):
                yield str(path.relative_to(folder)), status.st_mtime_ns, status.st_size
