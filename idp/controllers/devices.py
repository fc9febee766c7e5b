"""
The device token on its way: a cookie for pages of this origin, the header `Device-Token` for everybody else.

Both are read at every door. A token that somebody else's page or network has planted is ignored like any that was not made
for the user who signs in, so the cookie needs no protection beyond its attributes.
"""

from __future__ import annotations

from collections.abc import Mapping

from idp.controllers.exchange import Exchange
from idp.services.devices import Device

HEADER = b"device-token"
HEADER_NAME = "Device-Token"
COOKIE = "idp-device"
# A browser takes this name from the host itself only, over TLS (RFC 6265bis, section 4.1.3.2).
SECURE_COOKIE = f"__Host-{COOKIE}"


def presented_device(exchange: Exchange) -> str | None:
    """The token that comes with the request, whatever it is worth."""
    header = exchange.header(HEADER)
    if header is not None:
        return header
    pairs = [pair.strip().partition("=") for value in exchange.headers.get(b"cookie", ()) for pair in _split(value)]
    return next((value for name, _, value in pairs if name in (SECURE_COOKIE, COOKIE)), None)


def device_headers(device: Device, *, secure: bool) -> Mapping[str, str]:
    """For the answer to who has signed in. *secure*: the issuer speaks https."""
    name, attributes = (SECURE_COOKIE, "; Secure") if secure else (COOKIE, "")
    lasts = int(device.lasts.total_seconds())
    cookie = f"{name}={device.token}; Max-Age={lasts}; Path=/; HttpOnly; SameSite=Lax{attributes}"
    return {HEADER_NAME: device.token, "Set-Cookie": cookie}


def _split(cookies: bytes) -> list[str]:
    return cookies.decode("latin-1").split(";")
