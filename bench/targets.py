"""A server under measurement, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.driver import Script
from bench.processes import Program
from bench.requests import Workload

# bcrypt with 12 rounds answers four times a second: more chains would measure the queue, and its deadline.
LOGIN_CHAINS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    *stores* are process ids. *scripts* has one for each chain and lacks a workload that this server does not know.

    *new_session* gives the script of a session that nobody has refreshed yet; *kept* the bytes that all sessions take in
    the key-value store.
    """

    name: str
    port: int
    program: Program
    stores: Sequence[int]
    scripts: Mapping[Workload, Sequence[Script]]
    new_session: Callable[[], Script]
    kept: Callable[[], int]
