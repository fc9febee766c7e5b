"""What each page is shown with in the browser tests and in docs/screenshots: by template, one mapping of values for each state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from idp.controllers.openapi.reading import chapters
from idp.controllers.pages.notices import Notice
from idp.controllers.sessions.logout import NOT_SENT_BACK
from idp.domain.clients.clients import Client
from idp.domain.errors import FieldError, InvalidCredentials

NOW = datetime(2026, 11, 25, 9, 5, tzinfo=UTC)
LOGO = "https://photos.example/logo.png"
CLIENT = Client(
    client_id="acme-photos",
    name="Acme Photos",
    logo_uri=LOGO,
    client_uri="https://photos.example/",
    policy_uri="https://photos.example/privacy",
    tos_uri="https://photos.example/terms",
)
PLAIN_CLIENT = Client(client_id="plain", name="<Plain> & Söhne with a name that is rather long for one line")
USER = {
    "name": "Ada Lovelace",
    "email": "ada.lovelace@analytical-engines.example",
    "email_verified": True,
    "created_at": NOW - timedelta(days=400),
}
LONG_USER = USER | {"name": "W" * 50, "email": f"{'w' * 60}@{'mail.' * 20}example", "email_verified": False}
FORM = {"csrf_token": "c" * 43, "handle": "h" * 43}
ACCOUNT = {"csrf_token": "c" * 43, "user": USER}
GONE = "This sign-in has expired, or was begun in another browser. Go back to the application and begin again."
NO_SUCH_ADDRESS = "The redirect_uri is not one that is registered for this application."
NO_WEB_ADDRESS = "Give an address that begins with https:// or http://."
UNCONFIRMED = "Confirm that the account is to be deleted."
WRONG_PASSWORD = "This is not your password."
NEW_PASSWORD_FAULT = "The password needs at least 8 characters. The password needs a digit."


def used(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": UUID(int=number),
        "device": ("Firefox on Linux", "Safari on iPhone", "Chrome on Windows")[number % 3],
        "address": (None, "203.0.113.7", "2001:db8:85a3:8d3:1319:8a2e:370:7348")[number % 3],
        "created_at": NOW - timedelta(days=number),
        "last_used_at": NOW - timedelta(hours=number),
        "expires_at": NOW + timedelta(days=7),
        "current": False,
        **more,
    }


def happened(number: int, kind: str, **more: Any) -> dict[str, Any]:
    at = NOW - timedelta(hours=7 * number)
    return {"at": at, "kind": kind, "device": None, "address": "203.0.113.7", "client_name": None, **more}


CLAIMS = {
    "given_name": "Ada", "family_name": "Lovelace", "birthdate": "1815-12-10", "zoneinfo": "Europe/London",
    "locale": "en-GB", "website": "https://ada.example/", "locality": "London", "country": "United Kingdom",
}  # fmt: skip
DOCUMENT = {
    "info": {"title": "idp", "version": "0.1.0"},
    "servers": [{"url": "https://id.example"}],
    "paths": {},
    "components": {"schemas": {}},
    "tags": [],
}

SAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "login": {
        "first": FORM | {"client": CLIENT, "email": "", "remember": False, "registration": True},
        "known": {
            "csrf_token": "c",
            "email": USER["email"],
            "remember": True,
            "registration": False,
            "notice": Notice.PROFILE_SAVED,
        },
        "wrong": FORM
        | {"client": PLAIN_CLIENT, "email": "ada@example.com", "remember": False, "registration": True}
        | {"errors": [FieldError("password", InvalidCredentials.detail)]},
    },
    "register": {
        "first": FORM | {"client": CLIENT, "name": "", "email": ""},
        "wrong": FORM
        | {"name": "A", "email": "ada"}
        | {
            "errors": [
                FieldError("name", "A name has 2 to 50 characters."),
                FieldError("email", "Give an e-mail address, such as ada@example.com."),
                FieldError("password", NEW_PASSWORD_FAULT),
            ]
        },
    },
    "forgot_password": {"first": FORM | {"email": ""}},
    "reset_password": {
        "first": {"csrf_token": "c", "token": "t"},
        "dead": {"csrf_token": "c", "token": "t", "errors": [{"field": None, "message": "This link does not work."}]},
    },
    "verify_email": {
        "link": FORM | {"token": "t", "email": None},
        "named": FORM | {"token": "t", "email": USER["email"]},
        "waiting": FORM | {"token": None, "email": USER["email"], "notice": Notice.VERIFICATION_SENT},
        "unknown": FORM | {"token": None, "email": None},
    },
    "notice": {
        kind: {"kind": kind, "email": USER["email"], "next": "/account"}
        for kind in (
            "reset_mail_sent",
            "verification_mail_sent",
            "password_reset",
            "address_confirmed",
            "address_changed",
            "account_deleted",
        )
    },
    "consent": {
        "first": FORM
        | {"client": CLIENT, "user": USER, "destination": "photos.example", "switch_account": "/select-account"}
        | {"scopes": ["openid", "profile", "email", "offline_access"], "resource": None, "shown": "a" * 64},
        "plain": FORM
        | {"client": PLAIN_CLIENT, "user": LONG_USER, "destination": None, "switch_account": "/select-account"}
        | {"scopes": ["phone", "address", "https://api.photos.example/albums.readonly_and_even_longer_than_that"]}
        | {
            "resource": "https://api.photos.example/albums/of/everybody/and/an/even/longer/path/than/that",
            "shown": None,
        },
    },
    "select_account": {"first": FORM | {"action": "/select-account", "client": CLIENT, "user": USER}},
    "sign_out": {
        "first": FORM | {"action": "/oauth2/logout", "client": CLIENT, "user": USER},
        "alone": {"csrf_token": "c", "action": "/logout"},
        "no_way_back": FORM | {"action": "/logout", "client": None, "user": USER, "notice": NOT_SENT_BACK},
    },
    "signed_out": {"first": {"client": CLIENT, "return_to": "https://photos.example/"}, "alone": {"return_to": None}},
    "error": {
        "request": {
            "status": 400,
            "message": NO_SUCH_ADDRESS,
            "code": "invalid_request",
            "request_id": "4f1c9a02",
        }
        | {"retry_after": None, "back": None, "return_to": None},
        "expired": {
            "status": 400,
            "message": GONE,
            "code": "invalid_request",
            "request_id": "4f1c9a02",
            "client": CLIENT,
        }
        | {
            "retry_after": None,
            "back": "/account",
            "return_to": "https://photos.example/start?iss=https%3A%2F%2Fid.example",
        },
        "limited": {"status": 429, "message": "Too many requests: wait, then try again.", "code": None}
        | {"request_id": None, "retry_after": 640, "back": "/account", "return_to": None},
        **{
            str(status): {"status": status, "message": "There is nothing here.", "code": None, "request_id": "4f1c9a02"}
            | {"retry_after": 60, "back": None, "return_to": None}
            for status in (403, 404, 500, 503)
        },
    },
    "form_post": {
        "first": {"action": "https://photos.example/cb", "client": CLIENT, "fields": {"code": "c", "state": "<s>"}}
    },
    "account": {
        "first": ACCOUNT | {"sessions": 5, "applications": 1, "notice": Notice.PROFILE_SAVED},
        "unconfirmed": ACCOUNT | {"user": LONG_USER, "sessions": 1, "applications": 0},
    },
    "account_profile": {
        "first": ACCOUNT | {"name": USER["name"], "claims": CLAIMS, "notice": Notice.PROFILE_SAVED},
        "wrong": ACCOUNT
        | {"name": "", "claims": {}}
        | {
            "errors": [
                FieldError("name", "A name has 2 to 50 characters."),
                FieldError("website", NO_WEB_ADDRESS),
            ]
        },
    },
    "account_password": {
        "first": ACCOUNT,
        "wrong": ACCOUNT
        | {
            "errors": [
                FieldError("current_password", WRONG_PASSWORD),
                FieldError("new_password", NEW_PASSWORD_FAULT),
            ]
        },
    },
    "account_email": {"first": ACCOUNT | {"email": "", "notice": Notice.CONFIRMATION_SENT}},
    "account_sessions": {
        "first": ACCOUNT
        | {"browsers": [used(1, current=True), used(2)]}
        | {"sessions": [used(3, client_name="Acme Photos"), used(4, client_name=PLAIN_CLIENT.name)]},
        "none": ACCOUNT | {"browsers": [], "sessions": []},
    },
    "account_applications": {
        "first": ACCOUNT
        | {
            "applications": [
                {"client_id": "a", "name": "Acme Photos", "logo_uri": LOGO, "client_uri": "https://photos.example/"}
                | {"scopes": ["openid", "profile", "offline_access"], "resources": [], "granted_at": NOW},
                {"client_id": "b", "name": PLAIN_CLIENT.name, "logo_uri": None, "client_uri": None}
                | {"scopes": ["albums"], "granted_at": NOW - timedelta(days=90)}
                | {"resources": ["https://api.photos.example/"]},
            ]
        },
        "none": ACCOUNT | {"applications": []},
    },
    "account_history": {
        "first": ACCOUNT
        | {
            "older": "/account/history?before=x",
            "events": [
                happened(0, "signed_in", device="Firefox on Linux", client_name="Acme Photos"),
                happened(
                    1, "sign_in_failed", device="an unknown device", address="2001:db8:85a3:8d3:1319:8a2e:370:7348"
                ),
                happened(2, "password_changed", device="Firefox on Linux"),
                happened(3, "refresh_token_reused", client_name=PLAIN_CLIENT.name, address=None),
                happened(4, "some_other_event"),
            ],
        },
        "none": ACCOUNT | {"events": [], "older": None},
    },
    "account_delete": {
        "first": ACCOUNT,
        "wrong": ACCOUNT
        | {
            "errors": [
                FieldError("confirm", UNCONFIRMED),
                FieldError("current_password", WRONG_PASSWORD),
            ]
        },
    },
    "front": {"first": {"issuer": "https://id.example"}},
    "api-docs": {"first": {"document": DOCUMENT, "chapters": chapters(DOCUMENT)}},
}
STATES = [(name, state) for name, states in SAMPLES.items() for state in states]
