"""
Runs what sees foreign text on its worst cases, each of 100 kB at least, and says what it runs before it does.

To be run by a process of its own: the operating system ends it where one text takes seconds of CPU, which others on the
machine do not use up. What takes time in proportion needs some milliseconds, and what takes quadratic time 20 s.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import resource
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from worst_cases import worst_cases

import idp
from idp.controllers.pages.languages import Languages
from idp.domain.accounts import claim_rules, users
from idp.domain.clients import redirect_uris
from idp.domain.errors import Refusal
from idp.domain.operation import legible
from idp.domain.operation.outgoing import OutgoingFailed
from idp.domain.sign_in import user_agents
from idp.edge.bodies import decoded_form, decoded_json
from idp.gateways import log_lines
from idp.services.accounts import account_rules
from idp.services.clients import client_keys

LENGTH = 100_000
SECONDS = 4
# Of Pattern and of re; split() and sub() look for as long as search() does.
METHODS = {"match", "fullmatch", "search", "findall", "finditer", "sub", "split"}
# Read before the server starts, from the operator.
SETTINGS = "idp.settings."

Found = dict[tuple[str, str], re.Pattern[Any]]


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(idp.__path__, "idp."):
        if not found.name.startswith(SETTINGS) and not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def patterns() -> Found:
    """Each pattern of the program with each method that it is used with, by (where it is, method)."""
    named: dict[str, re.Pattern[Any]] = {}
    used: dict[str, set[str]] = defaultdict(set)
    found: Found = {}
    for module in modules():
        named |= {name: value for name, value in vars(module).items() if isinstance(value, re.Pattern)}
        file = Path(str(module.__file__))
        for call in _calls(ast.parse(file.read_text())):
            assert isinstance(call.func, ast.Attribute)
            assert isinstance(call.func.value, ast.Name)
            if call.func.value.id == "re":
                found[f"{file.name}:{call.lineno}", call.func.attr] = _given(call, module)
            else:
                used[call.func.value.id].add(call.func.attr)
    # One that goes by another name where it is used is held to the most that can be done with it.
    return found | {(name, how): pattern for name, pattern in named.items() for how in used[name] or {"search"}}


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            owner = node.func.value
            if isinstance(owner, ast.Name) and (owner.id == "re" or owner.id.isupper()):
                yield node


def _given(call: ast.Call, module: ModuleType) -> re.Pattern[Any]:
    """A `NameError` here is a pattern that is made when it is used: give it a name of the module."""
    expression = compile(ast.Expression(call.args[0]), str(module.__file__), "eval")
    return re.compile(eval(expression, vars(module)))


def begin(*what: object) -> None:
    print(*what, flush=True)
    used = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + SECONDS, resource.RLIM_INFINITY))


def run_patterns() -> None:
    done = set()
    for (where, method), pattern in patterns().items():
        whole = method if method in ("match", "fullmatch") else "sub"  # as much work as search() and findall()
        if (pattern, whole) in done:
            continue
        done.add((pattern, whole))
        for text in worst_cases(pattern, LENGTH):
            begin(where, method, ascii(text[:40]))
            getattr(pattern, whole)(*([text[:0]] if whole == "sub" else []), text)


MARKS = "a" + "\u0315\u0300" * LENGTH
LOG_LINE = log_lines.masked
FORM = "application/x-www-form-urlencoded"
# What reads a text of anybody's.
READERS: list[tuple[Callable[[Any], Any], list[Any]]] = [
    (
        lambda text: LOG_LINE(None, "", {"reason": text}),
        ["eyJ" * LENGTH, "idp_rt_" * LENGTH, "://" * LENGTH, "://a" * LENGTH],
    ),
    (lambda text: LOG_LINE(None, "", {text: text}), ["token" * LENGTH, "eyJ" * LENGTH]),
    (OutgoingFailed, ["eyJ" * LENGTH, "\x1b" * LENGTH]),
    (legible.legible, ["\x1b" * LENGTH, MARKS]),
    (
        account_rules.email,
        [MARKS, "a@" * LENGTH, "a." * LENGTH + "@b", "a@" + "b." * LENGTH, "a@" + "ä" * LENGTH, " " * LENGTH],
    ),
    (account_rules.name, [MARKS, " " * LENGTH]),
    (account_rules.new_password, [MARKS, "a" * LENGTH]),
    (users.canonical_email, [MARKS, "a@" + "ä" * LENGTH]),
    (claim_rules.url, ["https://" + "a." * LENGTH, "https://" * LENGTH]),
    (
        redirect_uris.redirect_uri_fault,
        ["https://a/" * LENGTH, "https://" + "[" * LENGTH, "http://127.0.0.1" + ":" * LENGTH],
    ),
    (user_agents.device_label, ["Chrome" * LENGTH]),
    (lambda text: Languages([]).best(text, text), ["en," * LENGTH, "a-" * LENGTH, "en;q=0.1," * LENGTH, " " * LENGTH]),
    (client_keys.usable_keys, [b"[" * LENGTH, b'{"keys":[' + b"{}," * LENGTH + b"{}]}", b"9" * LENGTH]),
    (
        lambda body: decoded_json(body, "application/json"),
        [b'{"a":' * LENGTH, b'{"a":' + b"9" * LENGTH + b"}", b'{"a":"' + b"\\u0061" * LENGTH],
    ),
    (lambda body: decoded_form(body, FORM), [b"a=b&" * LENGTH, b"%" * LENGTH, b"&" * LENGTH]),
]


def run_readers() -> None:
    for place, (reader, texts) in enumerate(READERS):
        for text in texts:
            begin("reader", place, ascii(text[:40]))
            with suppress(ValueError, Refusal, OutgoingFailed):
                reader(text)


if __name__ == "__main__":
    run_patterns()
    run_readers()
    print("done")
