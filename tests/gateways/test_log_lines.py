"""What the log lets through, and that it never stands in the way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from idp.domain.clients.clients import Client
from idp.gateways import log_lines

PROGRAM = """
import logging, structlog, sys
from idp.gateways import log_lines
log_lines.configure(pretty={pretty})
log = structlog.get_logger("test")
{body}
"""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
REFRESH_TOKEN = "idp_rt_" + "A1-_" * 26
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def logged(body: str, *, pretty: bool = False) -> str:
    program = PROGRAM.format(pretty=pretty, body=body)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def lines(body: str) -> list[dict]:
    return [json.loads(line) for line in logged(body).splitlines()]


def test_an_event_is_one_json_line_with_level_and_instant() -> None:
    (line,) = lines("log.warning('refresh_token_reused', client_id='app')")

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "refresh_token_reused", "level": "warning", "client_id": "app"}


@pytest.mark.parametrize(
    "name", ["password", "newPassword", "client_secret", "refreshToken", "Authorization", "cookie", "code"]
)
def test_what_stands_under_the_name_of_a_secret_is_masked(name: str) -> None:
    (line,) = lines(f"log.info('x', **{{'{name}': 'canary', 'nested': {{'{name}': 'canary'}}}})")

    assert "canary" not in json.dumps(line)
    assert line[name] == "***"


def test_what_a_client_is_registered_with_is_no_secret_but_its_secrets() -> None:
    """So that a change of any other field can be read in the log."""
    names = {one.name for one in fields(Client)} - {"secrets"}

    line = log_lines.masked(None, "info", dict.fromkeys(names, "shown"))

    assert {name for name in names if line[name] != "shown"} == set()


@pytest.mark.parametrize("text", [REFRESH_TOKEN, JWT, "postgresql://idp:canary@db/idp"])
def test_what_looks_like_a_credential_is_masked_wherever_it_stands(text: str) -> None:
    (line,) = lines(f"log.info('see {text}', reason='it was {text} again')")

    assert text not in json.dumps(line)
    assert "canary" not in json.dumps(line)
    assert "***" in line["reason"]


def test_a_traceback_holds_neither_tokens_nor_local_variables() -> None:
    body = f"""
def failing(password):
    raise ValueError('bad token {REFRESH_TOKEN}')
try:
    failing('canary')
except ValueError:
    log.exception('unhandled_exception')
"""
    (line,) = lines(body)

    assert "ValueError" in line["exception"]
    assert REFRESH_TOKEN not in line["exception"]
    assert "canary'" not in line["exception"].replace("failing('canary')", "")


def test_control_characters_cannot_forge_a_line() -> None:
    """LG2."""
    evil = r"a\r\n{\"event\":\"forged\"}\x1b[31m"
    (line,) = lines(f'log.info("x", name="{evil}")')

    assert line["event"] == "x"


def test_libraries_log_through_it_and_not_at_debug_level() -> None:
    found = lines("logging.getLogger('authlib').debug('Issue token'); logging.getLogger('some').warning('hm %s', 1)")

    assert [line["event"] for line in found] == ["hm 1"]


def test_a_request_is_one_line_whose_path_is_masked() -> None:
    (line,) = lines(
        "log_lines.RequestLog(pretty=False)("
        f"method='GET', path='/x/{REFRESH_TOKEN}', status=404, seconds=0.0123, address='::1', request_id='r1')"
    )

    assert line.pop("timestamp")
    assert line == {
        "event": "request",
        "level": "info",
        "method": "GET",
        "path": "/x/***",
        "status": 404,
        "ms": 12.3,
        "address": "::1",
        "request_id": "r1",
    }


def test_on_a_terminal_it_is_for_reading() -> None:
    text = logged("log.warning('hello', client_id='app', password='canary')", pretty=True)

    assert "hello" in text
    assert "canary" not in text
    assert not text.startswith("{")


OBEYED = r"\x1b]0;owned\x07\x9b2J\x7f\u2028\u202e\r\nforged"
REQUEST = """
log_lines.RequestLog(pretty={pretty})(
    method='GET', path='/{path}', status=404, seconds=0, address='::1', request_id='r')
"""


@pytest.mark.parametrize("pretty", [True, False])
@pytest.mark.parametrize(
    "line",
    [
        f"log.info('{OBEYED}')",
        f"log.info('x', name='{OBEYED}')",
        f"log.info('x', **{{'{OBEYED}': 1}})",
        f"log.info('x', names=['{OBEYED}'], nested={{'{OBEYED}': '{OBEYED}'}})",
        f"log.info('x', fault=ValueError('{OBEYED}'))",
        f"logging.getLogger('some').warning('%s', '{OBEYED}')",
        f"try: raise ValueError('{OBEYED}')\nexcept ValueError: log.exception('x')",
        REQUEST.replace("{path}", OBEYED),
    ],
)
def test_no_text_reaches_a_terminal_as_something_it_obeys(line: str, pretty: bool) -> None:
    """LG8, LG2: the log is read on one, also where it is JSON."""
    text = logged(line.replace("{pretty}", str(pretty)), pretty=pretty)

    plain = COLOURS.sub("", text)
    assert "owned" in plain
    assert all(letter.isprintable() for letter in plain.replace("\n", ""))
    assert not any(each.startswith("forged") for each in plain.split("\n") if "Traceback" not in plain)


def test_half_a_surrogate_pair_loses_no_line() -> None:
    """LG6: such as in the name of a file that is not UTF-8."""
    (line,) = lines(r"log.info('x', file='\ud800')")

    assert line["event"] == "x"


def test_a_text_of_any_length_is_cut_once_it_is_masked() -> None:
    """LG9: of a stack both ends are kept."""
    body = f"log.info('x', reason='begun ' + '{JWT} ' * 100_000 + '://u:canary@h ended')"
    (line,) = lines(body)
    (short,) = lines("log.info('x', reason='begun ' + 'a' * 100_000 + '://u:canary@h ended')")

    assert len(line["reason"]) < log_lines.LONGEST_TEXT + 10
    assert "eyJ" not in line["reason"]
    assert short["reason"].startswith("begun aaa")
    assert short["reason"].endswith("aaa://***h ended")


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    """LG6: a full disk."""
    body = """
log.info('lost' * 100_000)
log_lines.RequestLog(pretty=False)(method='GET', path='/', status=200, seconds=0, address='', request_id='')
print('served', file=sys.stderr)
"""
    program = PROGRAM.format(pretty=False, body=body)
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60
        )

    assert "served" in answer.stderr
