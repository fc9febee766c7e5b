"""Answers of the authorization endpoint to the client, in the response mode that it has asked for."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from quart import Response

from idp.controllers.pages.hosted import Hosted
from idp.controllers.pages.visits import Visit
from idp.domain.sign_in.authorization import ResponseMode
from idp.services.sign_in.authorization import ClientAnswer


def client_answer(hosted: Hosted, visit: Visit, answer: ClientAnswer) -> Response:
    """
    By redirect with 303, which no browser repeats a password for (RFC 9700, section 4.12), or as a form that sends itself.

    Nothing else is appended where errors go: `iss` and `state` are among the parameters whatever the mode.
    """
    target = answer.target
    if target.mode is ResponseMode.FORM_POST:
        return hosted.show(
            visit,
            "form_post",
            action=target.redirect_uri,
            fields=answer.parameters,
            client={"name": target.client_name},
            leads_to=target.redirect_uri,
        )
    return hosted.leave(visit, location(target.redirect_uri, answer.parameters, target.mode))


def location(redirect_uri: str, parameters: Mapping[str, str], mode: ResponseMode) -> str:
    """*redirect_uri* with the parameters; what its query holds already stays as it is (RFC 6749, section 3.1.2)."""
    encoded = urlencode(parameters)
    if mode is ResponseMode.FRAGMENT:
        return f"{redirect_uri}#{encoded}"
    if "?" not in redirect_uri:
        return f"{redirect_uri}?{encoded}"
    return redirect_uri + ("" if redirect_uri.endswith(("?", "&")) else "&") + encoded
