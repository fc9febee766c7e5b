"""Every page in every state, as a browser shows it: readable, operable, in any size, in the dark and without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from chromium import Bench, Shown
from page_samples import LOGO, SAMPLES, STATES

pytestmark = pytest.mark.xdist_group("browser")

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"}
# A phone, and also a desktop of 1280 pixels at a zoom of 400 % (WCAG 2.2, success criterion 1.4.10).
NARROW: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "color_scheme": "dark"}
EXAMINED = "() => axe.run({rules: {'target-size': {enabled: true}}})"
# What may change with colours and width; the rest is the document's.
SEEN = ["color-contrast", "target-size", "scrollable-region-focusable", "link-in-text-block"]
EXAMINED_BY_SIGHT = f"() => axe.run({{runOnly: {{type: 'rule', values: {SEEN}}}}})"


@pytest.mark.parametrize(("name", "state"), STATES)
async def test_a_page_is_accessible_fits_its_width_and_keeps_to_its_policy(bench: Bench, name: str, state: str) -> None:
    """HD2, HD8."""
    shown = await bench.turn_to(name, state, reduced_motion="reduce", **DESKTOP)
    await shown.page.evaluate(AXE)
    await is_accessible(shown, EXAMINED)
    async with resized(shown, NARROW):
        await is_accessible(shown, EXAMINED_BY_SIGHT)

    assert shown.complaints == []
    assert {url for url in shown.requested if not url.startswith("https://id.example/")} <= {LOGO}


async def is_accessible(shown: Shown, examined: str) -> None:
    found = await shown.page.evaluate(examined)
    width = await shown.page.evaluate("document.documentElement.scrollWidth")

    assert found["passes"]
    assert [f"{it['id']}: {[node['html'] for node in it['nodes']]}" for it in found["violations"]] == []
    assert width <= shown.page.viewport_size["width"]


@asynccontextmanager
async def resized(shown: Shown, options: dict[str, Any]) -> AsyncIterator[None]:
    """The page that is shown, under other *options*, without loading it again: that takes longer than to examine it."""
    await shown.page.set_viewport_size(options["viewport"])
    await shown.page.emulate_media(color_scheme=options["color_scheme"])
    try:
        yield
    finally:
        await shown.page.set_viewport_size(DESKTOP["viewport"])
        await shown.page.emulate_media(color_scheme=DESKTOP["color_scheme"])


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("login", ["#email[name=email]", "#password[name=password]", "[name=remember]", "#sign-in"]),
        ("register", ["#email", "#password", "#name[name=name]", "#register"]),
        ("consent", ["#allow", "#deny"]),
        ("account", ["#sign-out"]),
        ("sign_out", ["#sign-out"]),
        ("form_post", ["#continue"]),
        ("error", ["#error"]),
    ],
)
async def test_what_programs_look_for_is_there_without_scripts(bench: Bench, name: str, elements: list[str]) -> None:
    state = next(iter(SAMPLES[name]))
    async with bench.show(name, state, java_script_enabled=False, **DESKTOP) as shown:
        for element in elements:
            assert await shown.page.locator(element).is_visible(), element
        assert not await shown.page.locator(".reveal:visible").count()


async def test_what_is_wrong_has_the_focus_and_leads_to_its_field(bench: Bench) -> None:
    async with bench.show("register", "wrong", java_script_enabled=False, **DESKTOP) as shown:
        assert await shown.page.evaluate("document.activeElement.id") == "error"
        await shown.page.get_by_role("link", name="Give an e-mail address").click()

        assert await shown.page.evaluate("document.activeElement.id") == "email"
        assert await shown.page.get_attribute("#email", "aria-describedby") == "email-hint email-error"
        assert await shown.page.get_attribute("#email", "aria-invalid") == "true"


async def test_a_password_can_be_looked_at_and_is_sent_as_one(bench: Bench) -> None:
    async with bench.show("login", "first", **DESKTOP) as shown:
        await shown.page.fill("#email", "ada@example.com")
        await shown.page.fill("#password", "Correct-Horse-7")
        await shown.page.get_by_role("button", name="Show password").click()

        assert await shown.page.get_attribute("#password", "type") == "text"
        await shown.page.get_by_role("button", name="Hide password").click()
        assert await shown.page.get_attribute("#password", "type") == "password"


async def test_the_rules_of_a_new_password_are_marked_while_it_is_typed(bench: Bench) -> None:
    async with bench.show("register", "first", **DESKTOP) as shown:
        met = shown.page.locator(".rules .met")
        assert await met.count() == 0
        await shown.page.fill("#password", "Größe")
        assert await met.all_text_contents() == ["one lower-case letter (done)", "one upper-case letter (done)"]
        await shown.page.fill("#password", "Größe und 7")
        assert await met.count() == 4


async def test_an_answer_by_form_post_sends_itself_and_otherwise_waits_for_its_button(bench: Bench) -> None:
    async with bench.show("form_post", "first", **DESKTOP) as shown:
        await shown.page.wait_for_url("https://photos.example/cb")
        assert shown.complaints == []
    async with bench.show("form_post", "first", java_script_enabled=False, **DESKTOP) as shown:
        async with shown.page.expect_request("https://photos.example/cb") as sent:
            await shown.page.click("#continue")
        request = await sent.value
        assert request.post_data == "code=c&state=%3Cs%3E"


@pytest.mark.parametrize(("name", "button"), [("login", "#sign-in"), ("register", "#register")])
async def test_a_form_is_filled_and_sent_with_the_keyboard_alone(bench: Bench, name: str, button: str) -> None:
    state = next(iter(SAMPLES[name]))
    async with bench.show(name, state, java_script_enabled=False, **DESKTOP) as shown:
        fields = ["Ada", "ada@example.com", "Correct-Horse-7"][0 if name == "register" else 1 :]
        for text in fields:
            await shown.page.keyboard.type(text)
            await shown.page.keyboard.press("Tab")
        await shown.page.focus(button)
        async with shown.page.expect_request(lambda request: request.method == "POST") as sent:
            await shown.page.keyboard.press("Enter")
        request = await sent.value

    assert request.url == f"https://id.example/{name}"
    assert "email=ada%40example.com&password=Correct-Horse-7" in request.post_data
    assert f"csrf_token={'c' * 43}&request={'h' * 43}" in request.post_data
