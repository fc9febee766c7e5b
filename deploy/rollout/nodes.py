"""One node of the fleet, as its health tells of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

TIMEOUT = 10.0
PAUSE = 0.25


class Failed(Exception):
    """The roll-out cannot go on; the text says what was seen."""


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    url: str

    def release(self) -> str | None:
        """What it says it runs; None when it does not answer."""
        _, body = self._health("detailed")
        return body.get("release") if body else None

    def ready(self) -> bool:
        return self._health("ready")[0] == 200

    def await_release(self, tag: str, within: float) -> None:
        """Until it runs *tag* and is ready. Raises `Failed` after *within* seconds."""
        end, seen = time.monotonic() + within, "no answer"
        while time.monotonic() < end:
            status, body = self._health("detailed")
            if body and body.get("release") == tag and self.ready():
                print(f"{self.name}: {tag} is ready", flush=True)
                return
            if body:
                seen = f"release {body.get('release')}, status {status} {json.dumps(body.get('checks'))}"
            time.sleep(PAUSE)
        raise Failed(f"{self.name} was not ready with {tag} after {within:.0f} s; the last seen was: {seen}")

    def _health(self, kind: str) -> tuple[int, dict]:
        try:
            with urllib.request.urlopen(f"{self.url}/health/{kind}", timeout=TIMEOUT) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, _json(refusal.read())
        except (OSError, ValueError):
            return 0, {}


def _json(body: bytes) -> dict:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
