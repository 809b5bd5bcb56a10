"""What happens after an answer was given: codes are sent, refusals noted. No answer waits for it, so how long
it takes tells nobody whether there was anything to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import structlog

from patients.sender import CodeSender
from patients.signin.contacts import Destination
from patients.signin.texts import Text
from store import PasserelleError

#: Messages under way at once; more wait.
MOST_AT_ONCE: Final = 8
#: Beyond this many waiting, new ones are dropped: the persons ask again.
MOST_WAITING: Final = 1_000

log = structlog.get_logger("signin")


class Courier:
    """Runs what may take its time, in the background of one event loop."""

    def __init__(self, sender: CodeSender) -> None:
        self._sender = sender
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    def send(self, to: Sequence[Destination], text: Text) -> None:
        """Send ``text`` to each destination, soon. A failure is logged, without what and to whom."""
        for one in to:
            self.later("code_not_sent", self._sender.send(one.channel, one.to, text.fr, text.en))

    def later(self, failed: str, work: Coroutine[Any, Any, object]) -> None:
        """Do ``work``, soon; ``failed`` is the log event when it does not succeed."""
        if len(self._tasks) >= MOST_WAITING:
            work.close()
            log.error("too_much_waits")
            return
        task = asyncio.create_task(self._run(failed, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until everything was done; for the end, and for tests."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _run(self, failed: str, work: Coroutine[Any, Any, object]) -> None:
        async with self._slots:
            try:
                await work
            except PasserelleError as error:
                log.error("after_answer_failed", what=failed, rule=error.rule, reason=error.log)
