"""A short name for what somebody signed in with, to recognise a session by: "Firefox on Linux"."""

from __future__ import annotations

# The first that stands in the header: Edge, Opera and Samsung's also call themselves Chrome, and nearly all call themselves Safari.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "SamsungBrowser/": "Samsung Internet",
    "Vivaldi/": "Vivaldi",
    "FxiOS/": "Firefox",
    "Firefox/": "Firefox",
    "CriOS/": "Chrome",
    "Chromium/": "Chromium",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
    "Wget/": "Wget",
    "python": "Python",
    "node": "Node.js",
    "okhttp/": "an app",
    "Dart/": "an app",
    "CFNetwork/": "an app",
}
# Android calls itself Linux too, and an iPhone "like Mac OS X".
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "CrOS": "ChromeOS",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Macintosh": "macOS",
    "Linux": "Linux",
}
UNKNOWN = "an unknown device"


def device_name(user_agent: str | None) -> str:
    """From a User-Agent header, which anybody can make up: for people to read, never to decide by."""
    return device_label(user_agent) or UNKNOWN


def device_label(user_agent: str | None) -> str | None:
    """The same, made of nothing but the words above; None if none of them fits."""
    browser, system = _first(BROWSERS, user_agent or ""), _first(SYSTEMS, user_agent or "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system


def _first(names: dict[str, str], text: str) -> str | None:
    return next((name for sign, name in names.items() if sign in text), None)
