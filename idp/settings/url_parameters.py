"""
What may stand after the `?` of a store's address. Any other parameter would be ignored, or be a fault of the driver at the
first call: a misspelt `sslmode`, or `tls=true`, would send in clear.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from idp.settings.parsing import Unacceptable

Parameters = Mapping[str, str]

FILES = dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), r".+")
SENTINELS = {"sentinel_username": r".*", "sentinel_password": r".*"}
DATABASE = {"db": r"[0-9]{1,5}"}

POSTGRES: Parameters = {
    "host": r".+",
    "port": r"[0-9]{1,5}(?:,[0-9]{1,5})*",
    "sslmode": r"disable|allow|prefer|require|verify-ca|verify-full",
    **dict.fromkeys(("sslrootcert", "sslcert", "sslkey", "sslcrl"), r".+"),
    "channel_binding": r"disable|prefer|require",
    "statement_cache_size": r"[0-9]{1,5}",
    "target_session_attrs": r"any|primary|standby|read-write|read-only",
    "application_name": r"[\x20-\x7e]{1,63}",
    "connect_timeout": r"[0-9]{1,4}",
}
REDIS: Mapping[str, Parameters] = {
    "redis": DATABASE,
    "rediss": {
        **DATABASE,
        **FILES,
        "ssl_cert_reqs": r"none|optional|required",
        "ssl_check_hostname": r"[Tt]rue|[Ff]alse",
    },
    "unix": DATABASE,
    "redis+sentinel": SENTINELS,
    "rediss+sentinel": SENTINELS | FILES,
    "redis+cluster": {},
    "rediss+cluster": FILES,
}
SMTP: Mapping[str, Parameters] = {"smtp": {}, "smtps": {}}


def require_known(text: str, known: Parameters) -> None:
    """
    Raises `Unacceptable` for a parameter of the address *text* that is none of *known*, comes twice or has a wrong value.

    Its name is shown, its value never: it may be a password.
    """
    query = text.partition("?")[2]
    seen: set[str] = set()
    for name, value in parse_qsl(query, keep_blank_values=True):
        shown = f"the parameter `{name}`" if _is_name(name) and "@" not in query else "a parameter after the `?`"
        if name not in known:
            raise Unacceptable(f"{shown} is unknown; {_there_are(text, known)}.")
        if name in seen:
            raise Unacceptable(f"{shown} comes twice.")
        if re.fullmatch(known[name], value) is None:
            raise Unacceptable(f"{shown} has a value that it cannot have; {_there_are(text, known)}.")
        seen.add(name)
    if query and not seen:
        raise Unacceptable(f"after the `?` there is no parameter with a value; {_there_are(text, known)}.")


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_-]{1,40}", name) is not None


def _there_are(text: str, known: Parameters) -> str:
    scheme = text.partition("://")[0]
    if not known:
        return f"an address with `{scheme}://` has none"
    return f"with `{scheme}://` there are {', '.join(f'`{name}`' for name in known)}"
