"""What is made of several parts, of which none outlives the others."""

from __future__ import annotations

from contextlib import ExitStack
from types import TracebackType
from typing import Self


class Begun:
    """Runs within a `with` block. What had begun is ended also when the rest cannot begin."""

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._begin(ends)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def _begin(self, ends: ExitStack) -> None:
        """Leaves to *ends* how each part is ended, last first."""
        raise NotImplementedError
