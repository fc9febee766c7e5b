"""`idp keys`: the signing keys. They are files, so no store is asked; a server that runs follows within a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from idp.cli.environment import quiet, refusals, settings
from idp.cli.output import TEXT, Record, formatted, instant, show_record, show_records
from idp.domain.operation.signing_keys import ALGORITHMS, SigningKey

if TYPE_CHECKING:
    from idp.gateways.key_files import KeyFiles

COLUMNS = ("kid", "state", "algorithm", "bits", "created_at", "activates_at", "unpublished_at")


@click.group("keys")
def command() -> None:
    """
    Signing keys.

    \b
    Example:
      idp keys list
    """


@command.command("list")
@formatted
def list_keys(form: str) -> None:
    """
    List every key: of each algorithm the active one, the next, the retired.

    \b
    Example:
      idp keys list --format json
    """
    with refusals():
        show_records([_record(key) for key in _keys().list()], form, COLUMNS)


@command.command("rotate")
@click.option(
    "--algorithm", type=click.Choice(ALGORITHMS), help="Of one algorithm only, also of one that has no key yet."
)
@formatted
def rotate(algorithm: str | None, form: str) -> None:
    """
    Make the next key of each algorithm in use. It is published now, and signs when every client has had time to see it.

    JSON has the key of access tokens, and under "others" those of ID tokens in other algorithms.

    \b
    Example:
      idp keys rotate
      idp keys rotate --algorithm ES256
    """
    with refusals():
        first, *others = map(_record, [_keys().rotate(algorithm)] if algorithm else _keys().rotate_all())
    if form == "json":
        show_record({**first, "others": others}, form)
    elif others:
        show_records([first, *others], form, COLUMNS)
    else:
        show_record(first, form)


# A kid is base64url and may begin with a dash: no letter may stand for an option here.
@command.command("retire", context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("kid", type=TEXT)
@click.option("--compromised", is_flag=True, help="Refuse its tokens from now on.")
@formatted
def retire(kid: str, compromised: bool, form: str) -> None:
    """
    End the signing of a key now. Its tokens stay good until they expire, unless it is compromised.

    \b
    Example:
      idp keys retire 5h3Yx… --compromised
    """
    with refusals():
        show_record(_record(_keys().retire(kid, compromised=compromised)), form)


def _keys() -> KeyFiles:
    from idp.bootstrap import key_files

    quiet()
    return key_files(settings())


def _record(key: SigningKey) -> Record:
    return {
        "kid": key.kid,
        "state": key.state.value,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "created_at": instant(key.created_at),
        "activates_at": instant(key.activates_at),
        "unpublished_at": instant(key.unpublished_at),
    }
