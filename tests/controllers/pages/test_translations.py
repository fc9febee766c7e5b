"""Every text of the pages has its translation, and every translation its text."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest
from jinja2 import Environment

from idp.controllers.pages.rendering import MONTHS
from idp.gateways.templates import templates_folder

ROOT = Path(__file__).parents[3]
TEMPLATES = templates_folder()
CATALOGUES = sorted((TEMPLATES / "locales").glob("*.toml"))
NAMES = re.compile(r"%\(\w+\)s|</?\w+>")


def texts() -> set[str]:
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.policies["ext.i18n.trimmed"] = True
    found: set[str] = set()
    for file in TEMPLATES.glob("*.html"):
        for _, _, text in environment.extract_translations(file.read_text("utf-8")):  # type: ignore[attr-defined]
            found |= {text} if isinstance(text, str) else {one for one in text if one}
    return found


def sentences() -> tuple[set[str], list[re.Pattern[str]]]:
    """Texts of the program: as they are, and those with values in them as patterns."""
    plain: set[str] = set()
    patterns = []
    for file in (ROOT / "idp").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(part.value) if isinstance(part, ast.Constant) else ".+" for part in node.values]
                patterns.append(re.compile("".join(parts)))
    return plain, patterns


@pytest.fixture(params=CATALOGUES, ids=lambda file: file.stem)
def catalogue(request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    return tomllib.loads(request.param.read_text("utf-8"))


def test_every_text_of_the_templates_is_translated_and_no_translation_is_left_over(
    catalogue: dict[str, dict[str, str]],
) -> None:
    assert texts() == set(catalogue["pages"])
    assert set(MONTHS) <= set(catalogue["months"])


def test_every_translated_message_is_one_that_the_program_says(catalogue: dict[str, dict[str, str]]) -> None:
    plain, patterns = sentences()
    unknown = [text for text in catalogue["messages"] if text not in plain]

    assert [text for text in unknown if not any(it.fullmatch(text) for it in patterns if len(it.pattern) > 10)] == []


def test_every_sentence_of_a_refusal_a_notice_and_a_rule_of_accounts_is_translated(
    catalogue: dict[str, dict[str, str]],
) -> None:
    said: set[str] = set()
    for file in SPEAKING:
        tree = ast.parse(file.read_text("utf-8"))
        documents = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, DOCUMENTED)}
        constants = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        said |= {text for text in constants - documents if re.fullmatch(r"[A-Z].+ .+\.", text)}

    assert len(said) > 30
    assert sorted(said - set(catalogue["messages"]) - TO_PROGRAMS) == []


IDP = ROOT / "idp"
SPEAKING = [
    *(IDP / "controllers" / "pages").glob("*.py"),
    *(
        IDP / "controllers" / f"{page}.py"
        for page in (
            "accounts/account_page", "accounts/account_profile", "accounts/account_security", "accounts/forgotten",
            "accounts/register", "sessions/logout", "sign_in/authorize", "sign_in/client_answers", "sign_in/consent",
            "sign_in/login", "sign_in/select_account",
        )
    ),
    *(IDP / "domain" / f"{rule}.py" for rule in ("errors", "accounts/passwords", "accounts/claim_rules", "accounts/names")),
    *(
        IDP / "services" / f"{case}.py"
        for case in (
            "accounts/account_rules", "accounts/mail_addresses", "accounts/email_verification", "accounts/password_reset",
            "accounts/password_change", "accounts/email_change", "sign_in/authorization",
        )
    ),
]  # fmt: skip
# Among them, what a client is told and no page shows.
TO_PROGRAMS = {
    "The token is not that of a user who granted the scope openid.",
    "The user has refused.",
    "The user would have to be shown a page.",
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def test_a_translation_has_the_values_and_the_marks_of_its_text(catalogue: dict[str, dict[str, str]]) -> None:
    for section in catalogue.values():
        for english, text in section.items():
            assert sorted(NAMES.findall(text)) == sorted(NAMES.findall(english)), english
            assert text.strip() == text != ""
