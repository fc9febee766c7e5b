"""How many files a server may have open: each connection is one, and many systems begin with 1,024."""

from __future__ import annotations

import resource
from contextlib import suppress

ENOUGH = 65_536


def raise_limit() -> None:
    """The soft limit to the hard one, *ENOUGH* at most. One that is higher already stays; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # forbidden here: it serves fewer
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
