"""
The only reader of the environment.

    values     Settings: what the server is told, immutable, its repr without secrets
    parsing    from text to a number, a duration, a limit, a list …
    addresses  from text to a URL, an origin, an issuer, a mail address
    fields     the table: every setting with its name, default, meaning and parser
    rules      what no single value shows: what production refuses, what excludes what
    reading    load(): environment → Settings, or every fault at once
    document   docs/configuration.md, made from the same table by `python -m idp.settings`

A new setting is one line in `fields` and one attribute in `values`.
"""

from idp.settings.reading import SettingsError, load
from idp.settings.values import LimitSetting, Settings

__all__ = ["LimitSetting", "Settings", "SettingsError", "load"]
