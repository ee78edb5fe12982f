"""SIGTERM and Ctrl-C: a training stops at the next step and leaves a checkpoint; anything else stops at once."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(BaseException):
    """The user or the system asked for a stop. Not an ``Exception``: nothing on the way may swallow it.

    Args:
        number: the signal's number; a command line ends with ``128 + number``.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


class Interruption:
    """Turns SIGINT and SIGTERM into :class:`Interrupted` while the ``with`` block runs.

    Inside :meth:`deferred` a first signal is only remembered in ``number``, for a loop that looks at it where stopping
    is safe; a second one raises. In a thread other than the main one signals cannot be caught and nothing changes.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._deferring = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
            self.install()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def install(self) -> None:
        """Set the handlers, also after a library has put its own in their place."""
        for number in self._before:
            signal.signal(number, self._handle)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Remember a signal instead of raising."""
        before, self._deferring = self._deferring, True
        try:
            yield
        finally:
            self._deferring = before

    @contextlib.contextmanager
    def immediate(self) -> Iterator[None]:
        """Raise at once, inside a deferring block: for parts that can be cut off and done again."""
        before, self._deferring = self._deferring, False
        try:
            self.check()
            yield
        finally:
            self._deferring = before

    def check(self) -> None:
        """Raise if a signal has come."""
        if self.number is not None:
            raise Interrupted(self.number)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        repeated, self.number = self.number is not None, number
        if repeated or not self._deferring:
            raise Interrupted(number)
