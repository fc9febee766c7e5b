"""
What a build sends to the engine: .dockerignore as Docker reads it. The last pattern that matches a path, or a folder above
it, decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


class DockerIgnore:
    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def allows(self, path: str) -> bool:
        """*path* is relative to the folder of the build, with slashes."""
        allowed = True
        parts = PurePosixPath(path).parts
        above = ["/".join(parts[: length + 1]) for length in range(len(parts))]
        for pattern, allows in self._rules:
            if any(pattern.fullmatch(name) for name in above):
                allowed = allows
        return allowed

    def files(self, root: Path) -> Iterator[str]:
        """Those that pass. Folders at the top of which nothing is let through are not walked."""
        for top in sorted(entry.name for entry in root.iterdir()):
            if not self._may_hold(top):
                continue
            if (root / top).is_file():
                yield from filter(self.allows, [top])
                continue
            for folder, _, names in os.walk(root / top):
                paths = ((Path(folder) / name).relative_to(root).as_posix() for name in sorted(names))
                yield from filter(self.allows, paths)

    def _may_hold(self, top: str) -> bool:
        return self.allows(top) or any(allows and pattern.pattern.startswith(top) for pattern, allows in self._rules)


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    pattern = line.removeprefix("!").strip("/")
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(piece, re.escape(piece)) for piece in pieces)), line.startswith("!")
