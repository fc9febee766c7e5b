"""The algorithms with which joserfc verifies signatures."""

from __future__ import annotations

from typing import Any

from joserfc.errors import UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry


class Algorithms(JWSRegistry):
    """Those that it is made with (`algorithms=`), and no other."""

    def get_alg(self, name: str) -> Any:
        """Without the warning that EdDSA should be called by its curve (RFC 9864): everybody goes on calling it so."""
        if name not in (self.allowed or ()):
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]
