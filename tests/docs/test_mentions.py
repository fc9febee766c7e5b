"""What the pages mention exists: commands, settings, events, metrics, rows of the security catalogue, files and headings."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from mentions import INLINE, ROOT, Command, anchors, commands, links, pages
from security.index import CATALOGUE, ROW

from idp.cli import main
from idp.cli.event_table import kinds
from idp.domain.audit.events import Event
from idp.domain.operation.checklist import Item
from idp.gateways.metrics import Metrics
from idp.settings.fields import SETTINGS

PAGES = pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
NAMES = {setting.name for setting in SETTINGS} | {setting.file_name for setting in SETTINGS if setting.secret}
EVENTS = {kind.name for kind in kinds(Event)}
METRICS = {metric.name for metric in Metrics().described}
TEXT_OF_DEPLOY = ("*.md", "*.y*ml", "*.conf", "*.cfg", "*.sh", "*.env", "*.tpl", "*.json")
# Names of roles, files, tokens and variables of scripts that look like a setting or a metric.
NO_METRICS = {"idp_app", "idp_app_b", "idp_owner", "idp_migrate", "idp_rt_", "idp_secret"}


def fault(typed: Command) -> str | None:
    """What `--help` of the command does not know."""
    command: click.Command = main
    arguments = list(typed.arguments)
    context = click.Context(main, info_name="idp")
    while isinstance(command, click.Group):
        if not arguments or arguments[0].startswith("-") or arguments[0] == "…":
            return None
        found = command.get_command(context, arguments.pop(0))
        if found is None:
            return f"no such command: idp {' '.join(typed.arguments)}"
        command = found
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    unknown = [word for word in arguments if re.match(r"--[a-z]", word) and word.split("=")[0] not in known]
    if unknown:
        return f"{unknown} of: idp {' '.join(typed.arguments)}"
    return _parsed(command, arguments) if typed.whole else None


def _parsed(command: click.Command, arguments: list[str]) -> str | None:
    try:
        command.make_context(command.name, [word for word in arguments if word != "--help"])
    except click.BadParameter as wrong:
        if wrong.param is None or wrong.param.metavar != "FILE":  # a file of the reader's
            return f"{wrong.format_message()}: {command.name} {arguments}"
    except click.UsageError as wrong:
        return f"{wrong.format_message()}: {command.name} {arguments}"
    return None


@PAGES
def test_commands_exist_as_they_are_typed(page: Path) -> None:
    assert [found for typed in commands(page) if (found := fault(typed))] == []


def test_commands_are_found_at_all() -> None:
    found = list(commands(ROOT / "docs/incidents.md"))

    assert sum(typed.whole for typed in found) > 15
    assert fault(Command(ROOT, ("users", "fly"), whole=False))
    assert fault(Command(ROOT, ("users", "list", "--fly"), whole=False))
    assert fault(Command(ROOT, ("users", "disable"), whole=True))
    assert fault(Command(ROOT, ("audit", "list", "--since", "soon"), whole=True))


def settings_of(text: str) -> set[str]:
    return set(re.findall(r"\bIDP_[A-Z][A-Z_]*[A-Z]\b(?!…)", text))


@PAGES
def test_settings_exist(page: Path) -> None:
    assert settings_of(page.read_text()) - NAMES == set()


def test_settings_of_what_is_deployed_exist() -> None:
    files = [file for pattern in TEXT_OF_DEPLOY for file in (ROOT / "deploy").rglob(pattern)]

    wrong = {file.relative_to(ROOT).as_posix(): settings_of(file.read_text()) - NAMES for file in files}

    assert {file: names for file, names in wrong.items() if names} == {}


@PAGES
def test_metrics_exist(page: Path) -> None:
    named = set(re.findall(r"\bidp_[a-z_]+", page.read_text()))

    stem = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in named}
    assert stem - METRICS - NO_METRICS == set()


@PAGES
def test_events_that_are_asked_for_exist(page: Path) -> None:
    text = page.read_text()
    asked = set(re.findall(r"audit list.*?--name ([a-z_]+)", text)) | set(
        re.findall(r'idp_audit_events_total\{name="(\w+)"', text)
    )

    assert asked - EVENTS == set()


def test_what_is_watched_is_an_event_or_a_metric() -> None:
    """Of docs/incidents.md: the first column of its table, and every name of that kind elsewhere."""
    text = (ROOT / "docs/incidents.md").read_text()
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", text, re.MULTILINE)

    watched = {name for row in rows for name in INLINE.findall(row)}

    assert len(watched) > 15
    assert watched - EVENTS - METRICS == set()


@PAGES
def test_checks_and_names_in_code_style_are_somewhere_in_the_program(page: Path) -> None:
    """snake_case in code style is an event, a parameter, a member of an answer: whatever it is, a source file says it."""
    if page.name in ("command-line.md", "metrics.md", "security-tests.md"):
        pytest.skip("made of the program")
    named = {word for code in INLINE.findall(page.read_text()) for word in re.findall(r"^[a-z]+(?:_[a-z]+)+$", code)}

    assert {word for word in named if word not in sources() and word not in OF_OTHERS | METRICS} == set()


# Settings of Postgres and nginx, words of standards that libraries say for us or that are ignored.
OF_OTHERS = {
    "max_connections", "max_standby_streaming_delay", "pg_rewind", "remote_apply", "shared_buffers",
    "idp_app_b", "ngx_http_realip_module", "set_real_ip_from", "real_ip_header",
    "max_fails", "unsupported_grant_type", "logout_hint",
}  # fmt: skip


def sources() -> str:
    global _sources
    if not _sources:
        files = [*(ROOT / "idp").rglob("*.py"), *(ROOT / "migrations").glob("*.py"), *(ROOT / "templates").rglob("*")]
        _sources = "\n".join(file.read_text(errors="replace") for file in files if file.is_file())
    return _sources


_sources = ""


@PAGES
def test_rows_of_the_catalogue_exist(page: Path) -> None:
    assert (
        set(ROW.findall(page.read_text()))
        - CATALOGUE["rows"].keys()
        - set(", ".join(CATALOGUE["planned"].values()).split(", "))
        == set()
    )


def test_checks_that_the_pages_name_exist() -> None:
    """In docs/threat-model.md, what is behind a row: a check, a setting or a metric."""
    cells = re.findall(r"\| ([^|\n]*) \|$", (ROOT / "docs/threat-model.md").read_text(), re.MULTILINE)
    named = {name for cell in cells for name in re.findall(r"`([a-z]+(?:-[a-z]+)*)`", cell)}
    by_hand = set(
        re.findall(r"^\| `([a-z-]+)` \|.*by hand \|$", (ROOT / "docs/production.md").read_text(), re.MULTILINE)
    )

    assert len(named) > 10
    assert named - set(Item) - by_hand == set()


@PAGES
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in links(page):
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if not target.exists() or (heading and target.suffix == ".md" and heading not in anchors(target)):
            broken.append(link)

    assert broken == []
