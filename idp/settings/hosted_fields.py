"""The settings of the hosted pages: how long a sign-in lasts there, and what they look like."""

from __future__ import annotations

from idp.settings import brand, parsing
from idp.settings.setting import Group, Setting

SESSIONS = Group(
    "Sign-in on the hosted page",
    (
        Setting(
            "IDP_SESSION_TTL",
            "12h",
            "How long a sign-in in a browser lasts, counted from the sign-in.",
            parsing.duration("1m", "365d"),
        ),
        Setting("IDP_SESSION_IDLE", "2h", "How long it may lie unused.", parsing.duration("1m", "365d")),
        Setting(
            "IDP_SESSION_REMEMBERED",
            "30d",
            "How long it lasts, used or not, on a device that is to be remembered.",
            parsing.duration("1m", "365d"),
        ),
        Setting(
            "IDP_VERIFIED_EMAIL_REQUIRED",
            "false",
            "`true` lets nobody go on to a client before the e-mail address is verified: pages ask for it, and `/auth/login`, "
            "refreshes and every grant with a user are refused.",
            parsing.boolean(),
        ),
    ),
)

PAGES = Group(
    "Pages",
    (
        Setting("IDP_BRAND_NAME", "idp", "What the pages call this service.", brand.brand_name()),
        Setting(
            "IDP_BRAND_LOGO_URL",
            None,
            "A logo instead of the built-in sign; pages may load images from its origin.",
            brand.logo_url(),
        ),
        Setting("IDP_BRAND_COLOR", "#2347c5", "Buttons and links; dark mode has a lighter one.", brand.colour()),
        Setting(
            "IDP_BRAND_LINKS",
            None,
            "At the foot of every page, such as `Privacy=https://…,Terms=https://…`.",
            parsing.listed(brand.link()),
        ),
        Setting(
            "IDP_TEMPLATES_DIR",
            None,
            "Own templates, translations and assets; a file that is not there is the built-in one.",
            brand.folder(),
        ),
    ),
)
