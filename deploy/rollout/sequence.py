"""The order of a roll-out, and the way back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from commands import Command
from nodes import Failed, Node
from rotation import Haproxy, NoRotation
from smoke import Smoke


class RollbackFailed(Exception):
    """Nodes are neither on the new release nor back on the old one; the text names them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """*ready_within* and *settle* in seconds; the latter is what the proxy needs to notice that a node is ready again."""

    nodes: Sequence[Node]
    proxy: str
    smoke: Smoke
    replace: Command
    migrate: Command | None
    rotation: Haproxy | NoRotation
    previous: str | None
    ready_within: float
    settle: float

    def run(self, tag: str) -> None:
        """Raises `Failed` when all is as it was, `RollbackFailed` when it is not."""
        before = self._before()
        try:
            self.smoke.check(self.proxy)
            if self.migrate is not None:
                self.migrate.run(tag=tag)
            self._roll(tag, before)
        finally:
            self.smoke.end(self.proxy)

    def _before(self) -> dict[Node, str]:
        """What each node runs. A fleet with a node down is not touched: the next one out could be the last."""
        releases = {node: node.release() or self.previous for node in self.nodes}
        down = [node.name for node in self.nodes if not node.ready()]
        if down:
            raise Failed(f"not ready before anything was done: {', '.join(down)}")
        untold = [node.name for node, release in releases.items() if release is None]
        if untold:
            raise Failed(f"no release told by {', '.join(untold)}: give --previous")
        return {node: self.previous or str(release) for node, release in releases.items()}

    def _roll(self, tag: str, before: dict[Node, str]) -> None:
        touched: list[Node] = []
        try:
            for node in self.nodes:
                touched.append(node)
                self._put(node, tag)
            self.smoke.check(self.proxy)
        except Failed as fault:
            print(f"FAILED: {fault}", flush=True)
            self._back(touched, before, fault)
            raise Failed(f"{fault}; back on {', '.join(sorted(set(before.values())))}") from None

    def _put(self, node: Node, tag: str) -> None:
        others = [other for other in self.nodes if other is not node]
        if others and not any(other.ready() for other in others):
            raise Failed(f"{node.name} is the last one ready, so it stays")
        self.rotation.take_out(node.name)
        self.replace.run(tag=tag, node=node.name, url=node.url)
        node.await_release(tag, self.ready_within)
        self.smoke.check(node.url)
        self.rotation.put_back(node.name)
        time.sleep(self.settle)

    def _back(self, touched: Sequence[Node], before: dict[Node, str], reason: Failed) -> None:
        left = []
        for node in reversed(touched):
            try:
                self._put(node, before[node])
            except Failed as fault:
                left.append(f"{node.name}: {fault}")
        if left:
            raise RollbackFailed(f"{reason}. {'; '.join(left)}")
