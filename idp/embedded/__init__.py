"""
PostgreSQL and Valkey as child processes, for development, tests and small installations. Linux only.

The servers come from the packages of the extra `embedded`, run under our own supervision and share one folder, which is
theirs alone: `EmbeddedStores(folder).start()` gives the URLs, and nothing that was started outlives this process.
"""

from idp.embedded.process import EmbeddedBusy, EmbeddedFailed
from idp.embedded.stores import EmbeddedStores
from idp.embedded.urls import StoreUrls

__all__ = ["EmbeddedBusy", "EmbeddedFailed", "EmbeddedStores", "StoreUrls"]
