"""
The modules of the OpenID Foundation's plan "Basic OP", each as a test of its name (`oidcc_` is left out), and with the answer
in the query and as a form ("Form Post Basic OP").

What a module only warns of is an assertion here too.
"""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hosted import Browser, Party, answer_of, claims_of, form_of
from world import Registered, World

NO_PKCE: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}


@pytest.fixture(params=["query", "form_post"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Flow:
    """One user, one browser, one client; requests as the suite sends them."""

    def __init__(self, world: World, browser: Browser, party: Party, user: str, mode: str) -> None:
        self.world = world
        self.browser = browser
        self.party = party
        self.user = user
        self.mode = mode

    async def page(self, **changes: str | None) -> httpx.Response:
        return await self.browser.authorize(self.party, **self._request(changes))

    async def answer(self, **changes: str | None) -> dict[str, str]:
        return self.read(await self.done(await self.page(**changes)))

    async def done(self, page: httpx.Response) -> httpx.Response:
        """The user does whatever is asked."""
        if 'id="sign-in"' in page.text:
            page = await self.browser.sign_in(page, self.user)
        if 'id="allow"' in page.text:
            page = await self.browser.submit(page, "allow")
        return page

    def read(self, page: httpx.Response) -> dict[str, str]:
        """In the mode that was asked for, at the registered place."""
        if self.mode == "query":
            assert page.headers["location"].startswith(f"{self.party.redirect_uri}?")
            return answer_of(page)
        form = form_of(page)
        assert form.action == self.party.redirect_uri
        return form.fields

    async def redeemed(self, answer: dict[str, str]) -> dict[str, Any]:
        done = await self.party.redeem(answer["code"], code_verifier=None)
        assert done.status_code == 200, done.text
        return dict(done.json())

    async def tokens(self, **changes: str | None) -> dict[str, Any]:
        return await self.redeemed(await self.answer(**changes))

    async def userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        answer = await self.world.http.get("/oauth2/userinfo", headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def time_passes(self, span: timedelta) -> None:
        """Since the sign-in."""
        await self.world.database.execute(
            "UPDATE browser_sessions b SET auth_time = auth_time - $2::interval FROM users u"
            " WHERE u.id = b.user_id AND u.email = $1",
            self.user,
            span,
        )

    def _request(self, changes: dict[str, str | None]) -> dict[str, str | None]:
        mode = None if self.mode == "query" else self.mode
        return {"scope": "openid", "response_mode": mode, **NO_PKCE, **changes}


@pytest.fixture
def flow(world: World, browser: Browser, party: Party, user: str, mode: str) -> Flow:
    return Flow(world, browser, party, user, mode)


async def test_server(flow: Flow) -> None:
    answer = await flow.answer()
    tokens = await flow.redeemed(answer)
    info = await flow.userinfo(tokens)

    claims = claims_of(tokens["id_token"])
    assert (answer["state"], claims["nonce"]) == (flow.party.state, flow.party.nonce)
    assert claims["aud"] == flow.party.client.client_id
    assert info == {"sub": claims["sub"]}


async def test_response_type_missing(flow: Flow) -> None:
    page = await flow.page(response_type=None)

    assert flow.read(page)["error"] in ("invalid_request", "unsupported_response_type")


@pytest.mark.parametrize("how", ["get", "post_header", "post_body"])
async def test_userinfo(flow: Flow, how: str) -> None:
    tokens = await flow.tokens()
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    if how == "get":
        answer = await flow.world.http.get("/oauth2/userinfo", headers=headers)
    elif how == "post_header":
        answer = await flow.world.http.post("/oauth2/userinfo", headers=headers)
    else:
        answer = await flow.world.http.post("/oauth2/userinfo", data={"access_token": tokens["access_token"]})

    assert answer.json() == {"sub": claims_of(tokens["id_token"])["sub"]}


async def test_ensure_request_without_nonce_succeeds_for_code_flow(flow: Flow) -> None:
    assert "nonce" not in claims_of((await flow.tokens(nonce=None))["id_token"])


SCOPES = {
    "profile": {
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture"),
        *("website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
    },
    "email": {"email", "email_verified"},
    "address": {"address"},
    "phone": {"phone_number", "phone_number_verified"},
}


@pytest.mark.parametrize("scope", [*SCOPES, "profile email address phone", "phone address email profile"])
async def test_scope(flow: Flow, scope: str) -> None:
    """scope-profile, -email, -address, -phone, -all and ensure-other-scope-order-succeeds."""
    info = await flow.userinfo(await flow.tokens(scope=f"openid {scope}"))

    assert info.keys() == {"sub"}.union(*(SCOPES[name] for name in scope.split()))


async def test_other_scope_order(flow: Flow) -> None:
    info = await flow.userinfo(await flow.tokens(scope="email openid"))

    assert info.keys() == {"sub", *SCOPES["email"]}


@pytest.mark.parametrize("display", ["page", "popup", "touch", "wap"])
async def test_display(flow: Flow, display: str) -> None:
    assert 'id="sign-in"' in (await flow.page(display=display)).text


async def test_prompt_login(flow: Flow) -> None:
    first = claims_of((await flow.tokens())["id_token"])
    await flow.time_passes(timedelta(seconds=5))

    page = await flow.page(prompt="login")
    assert 'id="sign-in"' in page.text
    second = claims_of((await flow.redeemed(flow.read(await flow.done(page))))["id_token"])

    assert second["sub"] == first["sub"]
    assert second["auth_time"] >= first["auth_time"]


async def test_prompt_none_not_logged_in(flow: Flow) -> None:
    assert flow.read(await flow.page(prompt="none"))["error"] == "login_required"


async def test_prompt_none_logged_in(flow: Flow) -> None:
    first = claims_of((await flow.tokens())["id_token"])

    second = claims_of((await flow.redeemed(flow.read(await flow.page(prompt="none"))))["id_token"])

    assert (second["sub"], second["auth_time"]) == (first["sub"], first["auth_time"])


async def test_max_age_1(flow: Flow) -> None:
    await flow.tokens()
    await flow.time_passes(timedelta(seconds=2))

    page = await flow.page(max_age="1")
    assert 'id="sign-in"' in page.text
    claims = claims_of((await flow.redeemed(flow.read(await flow.done(page))))["id_token"])

    assert claims["iat"] - claims["auth_time"] <= 1


async def test_max_age_10000(flow: Flow) -> None:
    first = claims_of((await flow.tokens())["id_token"])

    page = await flow.page(max_age="10000")
    second = claims_of((await flow.redeemed(flow.read(page)))["id_token"])

    assert second["auth_time"] == first["auth_time"]


@pytest.mark.parametrize(
    "parameter",
    [
        {"extra": "foobar"},
        {"ui_locales": "se"},
        {"claims_locales": "se"},
        {"acr_values": "1 2"},
        {"login_hint": "buffy@example.com"},
    ],
    ids=lambda parameter: next(iter(parameter)),
)
async def test_a_parameter_that_asks_for_nothing_we_must_do(flow: Flow, parameter: dict[str, str]) -> None:
    """ensure-request-with-unknown-parameter-succeeds, ui-locales, claims-locales, acr-values, login-hint."""
    claims = claims_of((await flow.tokens(**parameter))["id_token"])

    assert claims["acr"]


async def test_id_token_hint(flow: Flow) -> None:
    first = await flow.tokens()

    again = await flow.redeemed(flow.read(await flow.page(prompt="none", id_token_hint=first["id_token"])))

    assert claims_of(again["id_token"])["sub"] == claims_of(first["id_token"])["sub"]


async def test_codereuse(flow: Flow) -> None:
    """Also codereuse-30seconds, which looks whether the first access token still opens anything."""
    answer = await flow.answer()
    tokens = await flow.redeemed(answer)

    again = await flow.party.redeem(answer["code"], code_verifier=None)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await flow.world.http.get("/oauth2/userinfo", headers=headers)).status_code == 401


async def test_ensure_registered_redirect_uri(flow: Flow) -> None:
    page = await flow.page(redirect_uri="https://app.example/other")

    assert page.status_code == 400
    assert 'id="error"' in page.text


async def test_ensure_post_request_succeeds(flow: Flow) -> None:
    sent = await flow.browser.http.post("/oauth2/authorize", data=flow.party.request(**flow._request({})))

    answer = flow.read(await flow.done(await flow.browser.follow(sent)))

    assert (await flow.redeemed(answer))["id_token"]


async def test_server_client_secret_post(flow: Flow) -> None:
    answer = await flow.answer()
    client = flow.party.client
    flow.party.client = Registered(client.client_id, None)

    done = await flow.party.redeem(
        answer["code"], code_verifier=None, client_id=client.client_id, client_secret=client.secret
    )

    assert done.status_code == 200, done.text


async def test_unsigned_request_object_supported_correctly_or_rejected_as_unsupported(flow: Flow) -> None:
    """As the suite sends it: whatever is not required beside it is in the object alone."""
    inside = {"state": "s", "nonce": "n"} | ({} if flow.mode == "query" else {"response_mode": flow.mode})
    payload = base64.urlsafe_b64encode(json.dumps(inside).encode()).rstrip(b"=").decode()

    page = await flow.page(request=f"eyJhbGciOiJub25lIn0.{payload}.", state=None, nonce=None, response_mode=None)

    assert flow.read(page)["error"] == "request_not_supported"


async def test_claims_essential(flow: Flow) -> None:
    wanted = json.dumps({"userinfo": {"name": {"essential": True}}})

    info = await flow.userinfo(await flow.tokens(claims=wanted))

    assert info.keys() == {"sub", "name"}


async def test_claims_in_the_id_token(flow: Flow) -> None:
    wanted = json.dumps({"id_token": {"email": None, "auth_time": {"essential": True}}, "userinfo": {"locale": None}})

    tokens = await flow.tokens(claims=wanted)

    assert claims_of(tokens["id_token"])["email"] == flow.user
    assert (await flow.userinfo(tokens)).keys() == {"sub", "locale"}


async def test_refresh_token(flow: Flow) -> None:
    first = await flow.tokens(scope="openid offline_access", prompt="consent")

    answer = await flow.party.refresh(first["refresh_token"])

    second = answer.json()
    before, after = claims_of(first["id_token"]), claims_of(second["id_token"])
    assert second["access_token"] != first["access_token"]
    for name in ("iss", "sub", "aud", "azp", "auth_time"):
        assert after[name] == before[name]
    assert (await flow.userinfo(second))["sub"] == after["sub"]


async def test_a_refresh_token_of_another_client_is_refused(flow: Flow) -> None:
    tokens = await flow.tokens(scope="openid offline_access")
    other = await Party.registered(flow.world, public=False)

    answer = await other.refresh(tokens["refresh_token"])

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


async def test_ensure_request_with_valid_pkce_succeeds(flow: Flow) -> None:
    changes = {name: flow.party.request()[name] for name in NO_PKCE}
    answer = await flow.answer(**changes)

    assert (await flow.party.redeem(answer["code"])).status_code == 200
