"""The Lua that decides inside Redis. Each script touches one key, so that it runs in a cluster as it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    source: str
    sha1: str


def load(name: str) -> Script:
    source = (files(__package__) / f"{name}.lua").read_text("utf-8")
    return Script(source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())
