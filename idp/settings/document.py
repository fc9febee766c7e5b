"""docs/configuration.md, made from the table of settings."""

from __future__ import annotations

from idp.settings.fields import GROUPS
from idp.settings.rules import EVERYWHERE, IN_PRODUCTION, Rule
from idp.settings.setting import Group, Setting

INTRODUCTION = """\
# Configuration

<!-- Made by `make docs` from idp/settings/fields.py. Change it there. -->

The server is configured by environment variables and by nothing else. All are optional in development.

- A wrong value stops the server at its start. **All faults are listed at once**, one a line, each with its variable;
  the value of a secret is never shown.
- Every **secret** can be given as a file instead: `IDP_SECRET_FILE=/run/secrets/idp` names a file whose content is the
  secret (line breaks at its end are ignored). Giving both is a fault.
- An **unknown** name that starts with `IDP_` is a fault that names the nearest known one. An empty variable counts as
  not given.
- In a list, items are separated by commas. Special characters in a URL's password are percent-encoded.
"""


def document() -> str:
    """The whole page, in Markdown, with a line break at its end."""
    parts = [INTRODUCTION, _refusals(), *(_section(group) for group in GROUPS)]
    return "\n".join(parts)


def _refusals() -> str:
    production = "\n".join(_item(rule) for rule in IN_PRODUCTION)
    everywhere = "\n".join(_item(rule) for rule in EVERYWHERE)
    return (
        f"## What production refuses\n\n`IDP_ENV=production` does not start with:\n\n{production}\n\n"
        f"And in no environment does the server start with:\n\n{everywhere}\n"
        "- a short secret, or the same one twice (`IDP_SECRET`): each needs 32 bytes.\n"
        "- a wildcard in `IDP_CORS_ORIGINS`: list every origin by name.\n"
    )


def _item(rule: Rule) -> str:
    return f"- {rule.refused} (`{rule.names[0]}`): {rule.remedy}."


def _section(group: Group) -> str:
    rows = "\n".join(_row(setting) for setting in group.settings)
    return f"## {group.heading}\n\n| name | default | meaning | allowed |\n|---|---|---|---|\n{rows}\n"


def _row(setting: Setting) -> str:
    default = setting.unset if setting.default is None else f"`{setting.default}`"
    secret = f" Secret, also as `{setting.file_name}`." if setting.secret else ""
    return f"| `{setting.name}` | {default} | {setting.meaning}{secret} | {setting.parser.allowed} |"
