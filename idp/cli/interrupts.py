"""Ctrl-C during long work: what is under way is finished, nothing new begins, and the command says how far it came."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """*asked*: somebody wants the work to end."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    def next_of(self, source: Iterator[T]) -> T | None:
        """
        The next of *source*; None at its end, or when somebody wants the work to end. Reading a pipe may take for ever, so
        only this is broken off at once.
        """
        if self.asked:
            return None
        try:
            self._waiting = True
            return next(source, None)
        except KeyboardInterrupt:
            return None
        finally:
            self._waiting = False

    def _note(self, _signal: int, _frame: object) -> None:
        self.asked = True
        if self._waiting:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Until the end of the block a signal to end is noted rather than obeyed."""
    noted = Interrupts()
    before: list[tuple[signal.Signals, Callable[..., object] | int | None]] = [
        (number, signal.signal(number, noted._note)) for number in SIGNALS
    ]
    try:
        yield noted
    finally:
        for number, handler in before:
            signal.signal(number, handler)
