"""The pages as text: languages, escaping, the brand, and templates of one's own."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
from browser.page_samples import CLIENT, SAMPLES, STATES

from idp.controllers.pages.brand import DARK_SURFACE, LIGHT_SURFACE, Brand, Palette
from idp.controllers.pages.notices import Notice
from idp.controllers.pages.policy import content_security_policy
from idp.controllers.pages.rendering import Pages
from idp.domain.sign_in.colours import BLACK, WHITE, Colour
from idp.gateways.templates import templates_folder

PACKAGED = templates_folder()
INJECTED = "\"><script>alert(1)</script>'"
LOGIN = SAMPLES["login"]["first"]


@pytest.fixture(scope="module")
def pages() -> Pages:
    return Pages([PACKAGED], Brand(links=(("Privacy", "https://id.example/privacy"),)))


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]

    def values(self, attribute: str) -> list[str]:
        return [str(attributes[attribute]) for _, attributes in self.found if attribute in attributes]


# --- every page


def test_every_template_has_a_sample(pages: Pages) -> None:
    assert [f"{name}.html" for name in sorted(SAMPLES)] == sorted(pages.templates)


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize(("name", "state"), STATES)
def test_a_page_has_one_heading_one_language_each_id_once_and_a_label_for_each_field(
    pages: Pages, name: str, state: str, locale: str
) -> None:
    elements = Elements(pages.render(name, locale=locale, **SAMPLES[name][state]))
    ids = elements.values("id")
    inputs = [it for it in elements.of("input") if it.get("type") != "hidden" and "hidden" not in it]

    assert len(elements.of("h1")) == 1
    assert [it["lang"] for it in elements.of("html")] == [locale]
    assert len(ids) == len(set(ids))
    assert {it["id"] for it in inputs} == {it["for"] for it in elements.of("label")}
    assert {part for it in elements.values("aria-describedby") for part in it.split()} <= set(ids)


@pytest.mark.parametrize(("name", "state"), STATES)
def test_a_page_has_no_style_or_script_in_itself(pages: Pages, name: str, state: str) -> None:
    """HD2."""
    page = pages.render(name, **SAMPLES[name][state])

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", page)


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_form_that_changes_something_here_has_its_token(pages: Pages, name: str, state: str) -> None:
    """SE6."""
    page = pages.render(name, **SAMPLES[name][state])
    forms = re.findall(r"<form.*?</form>", page, re.DOTALL)

    assert all('method="post"' in form for form in forms)
    assert all('name="csrf_token"' in form for form in forms if name != "form_post")


@pytest.mark.parametrize(("name", "state"), STATES)
def test_no_value_breaks_out_of_its_place(pages: Pages, name: str, state: str) -> None:
    """HD6."""
    page = pages.render(name, **_poisoned(SAMPLES[name][state]))

    assert "alert(1)" not in page.replace("&gt;&lt;script&gt;alert(1)", "").replace("%3Cscript%3Ealert%281%29", "")
    assert "<script>" not in page


def _poisoned(value: Any) -> Any:
    if isinstance(value, str):
        return value + INJECTED
    if isinstance(value, dict):
        kept = ("kind", "status", "document")
        return {name: it if name in kept else _poisoned(it) for name, it in value.items()}
    return [_poisoned(it) for it in value] if isinstance(value, list) else value


def test_an_address_of_a_client_that_is_no_web_address_is_no_link(pages: Pages) -> None:
    """HD6."""
    client = replace(CLIENT, client_uri="javascript:alert(1)", policy_uri="data:text/html,x", tos_uri=None)
    page = pages.render("consent", **SAMPLES["consent"]["first"] | {"client": client})

    assert [it["href"] for it in Elements(page).of("a")] == ["/select-account", "https://id.example/privacy"]


def test_what_a_page_names_and_nobody_gives_is_an_error(pages: Pages) -> None:
    with pytest.raises(jinja2.UndefinedError):
        pages.render("reset_password")


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_template_says_at_its_head_what_it_takes(name: str) -> None:
    """Values that pages have by themselves are told of in _layout.html and _card.html."""
    source = (PACKAGED / f"{name}.html").read_text("utf-8")
    head = source.partition("#}")[0]

    assert source.startswith("{#")
    if name != "api-docs":
        assert head.removeprefix("{#").strip() in (PACKAGED.parent / "docs" / "pages.md").read_text("utf-8")
    for value in {value for values in SAMPLES[name].values() for value in values}:
        assert re.search(rf"\b{value}\b", head), value


# --- languages


@pytest.mark.parametrize(
    ("ui_locales", "accept_language", "expected"),
    [
        (None, None, "en"),
        (None, "de", "de"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "fr,en;q=0.3,de;q=0.5", "de"),
        (None, "de;q=0,en", "en"),
        (None, "DE-ch-1996", "de"),
        (None, "fr, *;q=0.1", "en"),
        ("de", "en", "de"),
        ("fr de-CH en", "en", "de"),
        ("de_DE", "en", "de"),
        ("DE_at", "en", "de"),
        ("fr_FR  De-CH ", "en", "de"),
        ("_ __ de__DE", "en", "de"),
        ("xx", "de", "de"),
        ("", "", "en"),
        ("../../etc/passwd \0 <b>", "de;q=x,;;,,,\x00,=,de-", "en"),
        (None, "a," * 100_000 + "de", "en"),
        ("-" * 100_000, "-" * 100_000, "en"),
    ],
)
def test_who_asks_gets_the_best_language_that_there_is(
    pages: Pages, ui_locales: str | None, accept_language: str | None, expected: str
) -> None:
    assert pages.locale(ui_locales, accept_language) == expected


def test_a_page_in_german_is_german_with_the_day_as_it_is_written_there(pages: Pages) -> None:
    page = pages.render("account_sessions", locale="de", **SAMPLES["account_sessions"]["first"])

    assert "Geräte und Sitzungen" in page
    assert "25. November 2026, 08:05 Uhr UTC" in page
    assert "Datenschutz" in page


def test_several_sentences_that_come_together_are_translated_one_by_one(pages: Pages) -> None:
    page = pages.render("register", locale="de", **SAMPLES["register"]["wrong"])

    assert "Das Passwort braucht mindestens 8 Zeichen. Das Passwort braucht eine Ziffer." in page


def test_a_notice_is_known_by_its_name_alone() -> None:
    assert Notice.named("profile_saved") is Notice.PROFILE_SAVED
    assert [Notice.named(text) for text in ("Your profile was saved.", "<b>", "", None)] == [None] * 4


# --- brand


@pytest.mark.parametrize("color", ["#2347c5", "#000000", "#767676", "#b00020", "#006400", "#4b0082", "#0a0a40"])
def test_every_colour_of_a_brand_can_be_read_in_light_and_dark(color: str) -> None:
    palette = Palette.of(Colour.parse(color))

    assert palette.accent.contrast(palette.on_accent) >= 4.5
    assert palette.pressed.contrast(palette.on_accent) >= 4.5
    assert palette.link.contrast(LIGHT_SURFACE) >= 4.5
    assert palette.dark_accent.contrast(DARK_SURFACE) >= 4.5
    assert palette.dark_accent.contrast(palette.dark_on_accent) >= 4.5
    assert palette.dark_pressed.contrast(palette.dark_on_accent) >= 4.5
    assert WHITE.contrast(BLACK) == pytest.approx(21)


def test_what_is_drawn_in_the_stylesheet_can_be_seen(pages: Pages) -> None:
    """WCAG 2.2: 4.5:1 for text (1.4.3), 3:1 for what a control is recognised by (1.4.11)."""
    style = pages.assets["style.css"].content.decode()
    schemes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", part)) for part in style.split("@media (pre")[:2]]
    for scheme in ({name: Colour.parse(value) for name, value in found.items()} for found in schemes):
        for surface in (scheme["page"], scheme["card"], scheme["quiet"]):
            assert scheme["text"].contrast(surface) >= 4.5
            assert scheme["soft"].contrast(surface) >= 4.5
            assert scheme["link"].contrast(surface) >= 4.5
            assert scheme["border"].contrast(surface) >= 3
        assert scheme["danger"].contrast(scheme["danger-quiet"]) >= 4.5
        assert scheme["danger"].contrast(scheme["on-danger"]) >= 4.5
        assert scheme["danger-pressed"].contrast(scheme["on-danger"]) >= 4.5
        assert scheme["good"].contrast(scheme["good-quiet"]) >= 4.5


def test_a_brand_has_its_name_logo_links_and_colour_on_every_page() -> None:
    brand = Brand(name="Acme & Co", logo_url="https://cdn.example/l.svg", color="#b00020", links=(("Terms", "/terms"),))
    pages = Pages([PACKAGED], brand)
    page = pages.render("login", **LOGIN)

    assert "Sign in · Acme &amp; Co</title>" in page
    assert '<img class="logo" src="https://cdn.example/l.svg" alt="Acme &amp; Co">' in page
    assert '<a href="/terms">Terms</a>' in page
    assert b"--accent: #b00020;" in pages.assets["style.css"].content
    assert "img-src 'self' https://cdn.example;" in pages.policy()


# --- the policy


@pytest.mark.parametrize(
    ("redirect_uri", "confined"),
    [
        (None, True),
        ("https://rp.example/cb", False),
        ("http://localhost:3000/cb", False),
        ("http://[::1]:3000/cb", False),
        ("com.example.app:/cb", False),
        ("https://rp.example; script-src *", False),
        ("javascript:alert(1)", True),
        ("data:text/html,x", True),
        ("http://[", True),
    ],
)
def test_a_form_that_leads_to_a_client_may_lead_on_from_there(redirect_uri: str | None, confined: bool) -> None:
    """HD7: which no policy can name."""
    policy = content_security_policy(leads_to=redirect_uri)

    assert ("form-action 'self';" in policy) is confined
    assert ("form-action" in policy) is confined
    assert "script-src 'self';" in policy
    assert "rp.example" not in policy
    assert "frame-ancestors 'none'" in policy


def test_images_from_elsewhere_are_allowed_by_origin_over_https_alone() -> None:
    images = [
        "https://a.example/x.png",
        "http://b.example/x.png",
        "/assets/x.png",
        None,
        "https://c; script-src *",
        "x://[",
    ]

    assert "img-src 'self' https://a.example;" in content_security_policy(images=images)


# --- templates of one's own


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "locales").mkdir()
    (tmp_path / "assets").mkdir()
    return tmp_path


def test_an_own_template_replaces_one_file_and_can_go_on_from_it(own: Path) -> None:
    (own / "login.html").write_text(
        '{% extends "packaged/login.html" %}{% block lead %}<p>{{ _("Hello") }}</p>{{ super() }}{% endblock %}'
    )
    pages = Pages([own, PACKAGED])
    page = pages.render("login", **LOGIN)

    assert "<p>Hello</p>" in page
    assert CLIENT.name in page
    assert 'id="sign-in"' in page
    assert 'id="register"' in pages.render("register", **SAMPLES["register"]["first"])


def test_an_own_catalogue_adds_a_language_or_another_word(own: Path) -> None:
    (own / "locales" / "fr.toml").write_text('[pages]\n"Sign in" = "Se connecter"\n')
    (own / "locales" / "de.toml").write_text('[pages]\n"Sign in" = "Einloggen"\n')
    pages = Pages([own, PACKAGED])

    assert pages.locale(None, "fr-CA") == "fr"
    assert "<h1>Se connecter</h1>" in pages.render("login", locale="fr", **LOGIN)
    assert "<h1>Einloggen</h1>" in pages.render("login", locale="de", **LOGIN)
    assert "Passwort vergessen?" in pages.render("login", locale="de", **LOGIN)


def test_own_assets_are_served_and_replace_ours(own: Path) -> None:
    (own / "assets" / "logo.svg").write_text("<svg/>")
    (own / "assets" / "submit.js").write_text("// ours")
    (own / "assets" / "secret.env").write_text("no")
    pages = Pages([own, PACKAGED])

    assert pages.assets["logo.svg"].content == b"<svg/>"
    assert pages.assets["submit.js"].content == b"// ours"
    assert "secret.env" not in pages.assets


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("login.html", "{% if %}", jinja2.TemplateSyntaxError),
        ("locales/fr.toml", "[pages", ValueError),
        ("locales/fr.toml", 'loose = "text"', ValueError),
        ("locales/fr.toml", '[pages]\n"%(count)s sessions" = "%(number)s"', ValueError),
    ],
)
def test_a_broken_file_is_found_at_the_start(own: Path, name: str, text: str, fault: type[Exception]) -> None:
    (own / name).write_text(text)

    with pytest.raises(fault):
        Pages([own, PACKAGED])


def test_every_address_of_ours_in_a_template_may_have_the_issuers_path_before_it() -> None:
    """By `url()`, which `Pages.url` is."""
    bare = [
        f"{file.name}: {found}"
        for file in PACKAGED.glob("*.html")
        for found in re.findall(r'(?:href|src|action)="/[^"]*"', file.read_text())
    ]

    assert bare == []
    assert Pages([PACKAGED], root="/id").url("/login?a=b") == "/id/login?a=b"
    assert Pages([PACKAGED], root="/id").url("https://example.com/login") == "https://example.com/login"
