"""The floor: a bare RSA-2048 signature with SHA-256 (RFC 8017, section 8.2), which no RS256 token can do without."""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from bench.processes import Cores, pinned

SIGNATURES = 300
PAYLOAD = b"x" * 500  # about what a JWT's header and claims have


class BareSignature:
    def __init__(self) -> None:
        self._key = rsa.generate_private_key(65537, 2048)

    def sign(self) -> None:
        self._key.sign(PAYLOAD, PKCS1v15(), SHA256())

    def cpu_ms(self, cores: Cores) -> float:
        """For one signature, on the server's core."""
        with pinned(cores.server):
            started = time.thread_time()
            for _ in range(SIGNATURES):
                self.sign()
            return (time.thread_time() - started) / SIGNATURES * 1000
