"""From the environment to Settings, or to every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

from idp.settings.fields import SETTINGS
from idp.settings.parsing import Unacceptable
from idp.settings.rules import broken_rules
from idp.settings.setting import Setting
from idp.settings.values import Settings

EMPTY_WHEN_UNSET = {
    "IDP_SECRET",
    "IDP_DATABASE_REPLICA_URLS",
    "IDP_TRUSTED_PROXIES",
    "IDP_CORS_ORIGINS",
    "IDP_BRAND_LINKS",
    "IDP_REGISTRATION_SCHEMES",
    "IDP_REGISTRATION_SCOPES",
    "IDP_REGISTRATION_RESOURCES",
    "IDP_OTEL_HEADERS",
}
LONGEST_SHOWN = 80
DRAIN_IN_PRODUCTION = timedelta(seconds=5)


class SettingsError(Exception):
    """All that is wrong with the environment, one fault a line, each naming its variable. No secret's value appears."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def load(environ: Mapping[str, str]) -> Settings:
    """
    Read every `IDP_` variable of *environ*; an empty one counts as not given.

    Raises `SettingsError` with all faults: unknown names, values that are not allowed, and what production refuses.
    """
    values: dict[str, Any] = {}
    faults, faulty = _unknown_names(environ), set()
    for setting in SETTINGS:
        try:
            values[setting.attribute] = _value(setting, environ)
        except Unacceptable as fault:
            faults.append(str(fault))
            faulty.add(setting.name)
            values[setting.attribute] = _parsed(setting, setting.name, setting.default)
    settings = _assembled(values, bind_is_default=_variable(environ, "IDP_BIND") is None)
    faults += broken_rules(settings, faulty)
    if faults:
        raise SettingsError(faults)
    return settings


def _unknown_names(environ: Mapping[str, str]) -> list[str]:
    known = [setting.name for setting in SETTINGS]
    known += [setting.file_name for setting in SETTINGS if setting.secret]
    unknown = sorted(name for name in environ if name.startswith("IDP_") and name not in known)
    return [
        f"{_printable(name)}: there is no such setting; the nearest is {_nearest(name, known)}." for name in unknown
    ]


def _nearest(name: str, known: list[str]) -> str:
    """What is no secret has no `_FILE`, and then its own name is meant, not another secret's file."""
    stem = name.removesuffix("_FILE")
    return stem if stem in known else get_close_matches(name, known, n=1, cutoff=0)[0]


def _value(setting: Setting, environ: Mapping[str, str]) -> Any:
    text = _variable(environ, setting.name)
    path = _variable(environ, setting.file_name) if setting.secret else None
    if text and path:
        raise Unacceptable(f"{setting.name}: given twice, also as {setting.file_name}; keep one.")
    if path:
        return _parsed(setting, setting.file_name, _content(setting, path))
    return _parsed(setting, setting.name, text or setting.default)


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    """Compose files and shell scripts pass `NAME=` for what is not given."""
    text = environ.get(name, "")
    return text if text.strip() else None


def _content(setting: Setting, path: str) -> str:
    """The text of a secret's file, without the line breaks that editors and `echo` put at its end."""
    content, problem = "", "it is empty"
    try:
        content = Path(path).read_bytes().decode().rstrip("\r\n")
    except UnicodeDecodeError:
        problem = "it is not UTF-8 text"
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "that is no path"
    if not content:
        raise Unacceptable(f"{setting.file_name}: the file {_printable(path)} cannot be used: {problem}.")
    return content


def _parsed(setting: Setting, name: str, text: str | None) -> Any:
    if text is None:
        return () if setting.name in EMPTY_WHEN_UNSET else None
    try:
        text.encode()
        return setting.parser.read(text if setting.secret else text.strip())
    except Unacceptable as fault:
        reason = str(fault)
    except (ValueError, KeyError):
        reason = f"must be {setting.parser.allowed}{_given(setting, text)}."
    # Raised here and not above, so that no cause that quotes the value hangs on the exception.
    raise Unacceptable(f"{name}: {reason}")


def _given(setting: Setting, text: str) -> str:
    """A user name and password may stand before the "@" of any address."""
    return "" if setting.secret or "@" in text else f"; given: {_printable(text)}"


def _printable(text: str) -> str:
    return text if text.isascii() and text.isidentifier() else ascii(text)[:LONGEST_SHOWN]


def _assembled(values: dict[str, Any], *, bind_is_default: bool) -> Settings:
    host, port = values.pop("bind")
    values["secrets"] = values.pop("secret")
    values["issuer"] = values["issuer"] or _local_issuer(port)
    if values["drain"] is None:
        values["drain"] = DRAIN_IN_PRODUCTION if values["env"] == "production" else timedelta()
    values["release"] = values["release"] or version("idp")
    values["mail_from"] = values["mail_from"] or _sender(values["issuer"])
    return Settings(**values, bind_host=host, bind_port=port, bind_is_default=bind_is_default)


def _local_issuer(port: int) -> str:
    return "http://localhost" if port == 80 else f"http://localhost:{port}"


def _sender(issuer: str) -> str:
    host = issuer.partition("://")[2].partition("/")[0].partition(":")[0]
    return f"no-reply@{host}" if host.strip("0123456789.") and "[" not in host else "no-reply@localhost"
