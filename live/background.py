"""One thread for what takes long, beside an event loop: one call at a time, in order."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Background:
    """A daemon thread, so that a call that hangs (a source that gives nothing) does not keep the process
    alive."""

    def __init__(self, name: str) -> None:
        self._calls: queue.SimpleQueue = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def run(self, call: Callable, *arguments: Any) -> asyncio.Future:
        """The call's result or exception, in the running loop."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._calls.put((loop, future, call, arguments))
        return future

    def end(self, *, wait: bool) -> None:
        """Let the thread go once it has done what it was given. wait: until then; compiled code that still runs
        when the interpreter ends brings the process down."""
        self._calls.put(None)
        if wait:
            self._thread.join()

    def _serve(self) -> None:
        while (item := self._calls.get()) is not None:
            loop, future, call, arguments = item
            try:
                outcome = (future.set_result, call(*arguments))
            except BaseException as error:
                outcome = (future.set_exception, error)
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(_settle, future, *outcome)


def _settle(future: asyncio.Future, setter: Callable, value: Any) -> None:
    if not future.done():
        setter(value)
