"""
The device token on its way: a cookie for pages of this origin, the header `Device-Token` for everybody else.

Both are read at every door. Over https the cookie is read under its `__Host-` name alone: under any other name another host of
the domain could set it, and a token of its own would hide the user's, who then has no protection from a lock. Of an issuer with
a path (`__Secure-`) the other hosts of its domain are trusted that far: docs/reverse-proxies.md says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from idp.controllers.http.cookies import Cookie
from idp.controllers.http.exchange import Exchange
from idp.domain.operation.issuers import Issuer
from idp.services.sign_in.devices import Device

HEADER = b"device-token"
HEADER_NAME = "Device-Token"


@dataclass(frozen=True, slots=True)
class DeviceTokens:
    issuer: Issuer

    def presented(self, exchange: Exchange) -> str | None:
        """The token that comes with the request, whatever it is worth."""
        header = exchange.header(HEADER)
        return header if header is not None else self._cookie.read(exchange)

    def headers(self, device: Device) -> Mapping[str, str]:
        """For the answer to who has just proved the password."""
        return {HEADER_NAME: device.token, "Set-Cookie": self._cookie.written(device.token, device.lasts)}

    @property
    def _cookie(self) -> Cookie:
        return Cookie("idp-device", self.issuer)
