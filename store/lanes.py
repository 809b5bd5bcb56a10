"""Threads for blocking work of an event loop: a leaner ``run_in_executor``.

Ended calls are gathered and the loop is woken once for all that ended meanwhile; under load a trip to a
thread and back costs half of what the standard executor takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

_Call = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[[], Any]]


class Lanes:
    """A few threads that take calls in order."""

    def __init__(self, count: int, name: str) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._ended: dict[asyncio.AbstractEventLoop, deque[tuple[asyncio.Future[Any], Any, Any]]] = {}
        self._lock = threading.Lock()
        self._name = name
        self._count = count
        self._threads: list[threading.Thread] = []

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Have ``function`` called in a lane; the future belongs to the running loop."""
        loop = asyncio.get_running_loop()
        if len(self._threads) < self._count:
            self._add_thread()
        future = loop.create_future()
        self._calls.put((loop, future, function))
        return future

    def _add_thread(self) -> None:
        with self._lock:
            name = f"{self._name}-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            loop, future, function = call
            if future.cancelled():
                continue
            result = error = None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001  # it is the caller's, whatever it is
                error = raised
            self._end(loop, future, result, error)
            del call, function, future, result, error

    def _end(self, loop: asyncio.AbstractEventLoop, future: Any, result: Any, error: Any) -> None:
        with self._lock:
            waiting = self._ended.get(loop)
            wake = not waiting
            if waiting is None:
                waiting = self._ended[loop] = deque()
            waiting.append((future, result, error))
        if wake:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
                loop.call_soon_threadsafe(self._settle, loop)

    def _settle(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            ended = self._ended.pop(loop, None) or ()
        for future, result, error in ended:
            if future.done():  # the caller has gone
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

    def close(self) -> None:
        """Let the calls under way end, then the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()
