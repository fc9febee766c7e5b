"""Debian's Chromium, driven by Playwright; and the pages in it, each answered from `Pages` without a server."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from debian_programs import fault_of, libraries
from page_samples import LOGO, SAMPLES
from playwright._impl._driver import compute_driver_executable
from playwright.async_api import Browser, BrowserContext, Page, Route, async_playwright

from idp.controllers.pages.brand import Brand
from idp.controllers.pages.rendering import Pages
from idp.edge.security_headers import completed
from idp.gateways.templates import templates_folder

ORIGIN = "https://id.example"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium here: install it (Debian: apt-get install chromium), or name one in CHROMIUM"
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
# A link from a mail sets a password without saying whose it is.
NO_USERNAME = "[DOM] Password forms should have (optionally hidden) username fields"
PATIENCE = 60_000  # milliseconds
BRAND = Brand(name="Analytical", links=(("Privacy", "https://id.example/privacy"), ("Terms", "/terms")))
PICTURE = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><circle cx="4" cy="4" r="3" fill="#d1495b"/></svg>'
)


def executable() -> str | None:
    return os.environ.get("CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)


def unusable() -> str | None:
    """Why there is no browser for the tests, and what to install; None if there is one."""
    if executable() is None:
        return MISSING
    with unpacked_libraries():
        fault = fault_of([compute_driver_executable()[0], "--version"])
    return None if fault is None else f"Playwright's driver does not run (Debian: apt-get install libatomic1): {fault}"


@contextmanager
def unpacked_libraries() -> Iterator[None]:
    """The driver of Playwright finds what `tests/debian/install.sh` unpacked for it; it takes its environment from ours."""
    before = os.environ.get("LD_LIBRARY_PATH")
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (before, libraries())))
    try:
        yield
    finally:
        if before is None:
            del os.environ["LD_LIBRARY_PATH"]
        else:
            os.environ["LD_LIBRARY_PATH"] = before


@asynccontextmanager
async def chromium(path: str) -> AsyncIterator[Browser]:
    """A browser with an empty profile of its own that no later run sees."""
    with tempfile.TemporaryDirectory(prefix="idp-browser-", ignore_cleanup_errors=True) as home:
        environment: dict[str, Any] = {
            **os.environ,
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "XDG_CACHE_HOME": home,
            "TMPDIR": home,
        }
        manager = async_playwright()
        with unpacked_libraries():
            playwright = await manager.__aenter__()
        try:
            browser = await playwright.chromium.launch(executable_path=path, args=list(FLAGS), env=environment)
            try:
                yield browser
            finally:
                await browser.close()
        finally:
            await manager.__aexit__()


def watched(page: Page) -> list[str]:
    """What the console of *page* says from now on, violations of its policy above all."""
    said: list[str] = []

    def hear(text: str) -> None:
        if not text.startswith(NO_USERNAME):
            said.append(text)

    page.on("console", lambda message: hear(message.text))
    page.on("pageerror", lambda error: hear(str(error)))
    return said


@dataclass(slots=True)
class Shown:
    """A page in the browser. *complaints*: what the console said, violations of the policy above all."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)


class Bench:
    """Shows a state of a page as the server would send it, policy included."""

    def __init__(self, browser: Browser, brand: Brand = BRAND) -> None:
        self.pages = Pages([templates_folder()], brand)
        self._browser = browser
        self._kept: dict[str, Shown] = {}

    @asynccontextmanager
    async def show(self, name: str, state: str, *, locale: str = "en", **options: Any) -> AsyncIterator[Shown]:
        """In a tab of its own. *options* are those of a Playwright context."""
        shown = await self._opened(**options)
        try:
            await shown.page.goto(f"{ORIGIN}/{name}/{state}?locale={locale}")
            yield shown
        finally:
            await shown.page.context.close()

    async def turn_to(self, name: str, state: str, **options: Any) -> Shown:
        """In a tab that stays for the next page, which takes a third of the time. A form_post does not send itself there."""
        kept = repr(options)
        if kept not in self._kept:
            self._kept[kept] = await self._opened(**options)
            await self._kept[kept].page.route("**/submit.js*", _nothing)
        shown = self._kept[kept]
        shown.complaints.clear()
        shown.requested.clear()
        await shown.page.goto(f"{ORIGIN}/{name}/{state}?locale=en")
        return shown

    async def _opened(self, **options: Any) -> Shown:
        context: BrowserContext = await self._browser.new_context(**options)
        context.set_default_timeout(PATIENCE)
        page = await context.new_page()
        shown = Shown(page, watched(page))
        page.on("request", lambda request: shown.requested.append(request.url))
        await context.route("**/*", self._answer)
        return shown

    async def _answer(self, route: Route) -> None:
        url = urlsplit(route.request.url)
        if route.request.url == LOGO:
            await route.fulfill(body=PICTURE, content_type="image/svg+xml")
        elif url.path.startswith("/assets/"):
            asset = self.pages.assets[Path(url.path).name]
            await route.fulfill(body=asset.content, content_type=asset.content_type)
        elif route.request.method == "POST" or url.path.count("/") != 2:
            await route.fulfill(body="<!doctype html><title>There</title>", content_type="text/html")
        else:
            await route.fulfill(body=self._page(url.path, url.query), headers=self._headers(url.path))

    def _page(self, path: str, query: str) -> str:
        _, name, state = path.split("/")
        return self.pages.render(name, locale=parse_qs(query)["locale"][0], **SAMPLES[name][state])

    def _headers(self, path: str) -> dict[str, str]:
        client_page = path.split("/")[1] in ("consent", "account_applications", "form_post")
        policy = (
            self.pages.policy(images=[LOGO], leads_to="https://photos.example/cb")
            if client_page
            else self.pages.policy()
        )
        headers = completed(
            [(b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy.encode())]
        )
        return {header.decode(): value.decode() for header, value in headers}


async def _nothing(route: Route) -> None:
    await route.fulfill(body="", content_type="text/javascript")
