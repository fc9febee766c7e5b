"""The Lua that decides inside Redis. The keys of one call share a hash tag, so that it runs in a cluster as it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    """*name* is the file's, for who watches what is called."""

    source: str
    sha1: str
    name: str = ""


def load(*names: str) -> Script:
    """These files in a row: the first ones hold functions that the last one calls."""
    source = "\n".join((files(__package__) / f"{name}.lua").read_text("utf-8") for name in names)
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest(), names[-1])
