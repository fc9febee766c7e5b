"""`idp serve` with a collector: what the spans say, how log lines name them, and what never leaves (LG1)."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import prepared_stores
import pytest
from collector import Collector, SeenSpan
from process import ServerProcess

from idp.embedded import EmbeddedStores

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("traces")]

PROXY = "127.0.0.2"
OTHERS_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHERS_SPAN = "00f067aa0ba902b7"
HASH = re.compile(rb"\$2b\$|bcrypt-sha256")


@dataclass
class Traced:
    """*answers* by what was asked; *secrets* all that was sent, stored or handed out and must not leave."""

    server: ServerProcess
    collector: Collector
    http: httpx.Client
    secrets: list[str] = field(default_factory=list)
    answers: dict[str, httpx.Response] = field(default_factory=dict)

    def secret(self, form: str = "Canary7{}") -> str:
        made = form.format(secrets.token_hex(10))
        self.secrets.append(made)
        return made

    def ask(self, name: str, method: str, path: str, **request: Any) -> httpx.Response:
        """Named in `X-Request-Id`, by which the log is searched."""
        request["headers"] = {"X-Request-Id": name, **request.get("headers", {})}
        self.answers[name] = answer = self.http.request(method, path, **request)
        return answer

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Of the log, for one request: those written before it was over. Refreshes are counted and told later."""
        found = [json.loads(line) for line in self.server.output().splitlines() if line.startswith("{")]
        return [line for line in found if line.get("request_id") == name and line["event"] != "tokens_refreshed"]

    def trace(self, name: str) -> SeenSpan:
        trace_id = next(line["trace_id"] for line in self.lines(name) if line["event"] == "request")
        # Parts of a trace may come a batch earlier, and the request's own span is the last.
        return self.collector.await_root(lambda root: root.trace_id == trace_id and root.kind == "server")


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    folder = tmp_path_factory.mktemp("traces")
    prepared_stores.prepare(folder / "stores")
    with Collector() as collector, EmbeddedStores(folder / "stores", durable=False) as stores:
        urls = stores.start()
        server = ServerProcess(
            folder,
            IDP_DATABASE_URL=urls.database,
            IDP_MIGRATION_DATABASE_URL=urls.migration,
            IDP_REDIS_URL=urls.redis,
            IDP_LOG_FORMAT="json",
            IDP_OTEL_ENDPOINT=collector.url,
            IDP_OTEL_HEADERS="x-collector-key=for the collector only",
            IDP_OTEL_SERVICE_NAME="idp-under-test",
            IDP_TRUSTED_PROXIES=f"{PROXY}/32",
            OTEL_BSP_SCHEDULE_DELAY="100",
        )
        with server, httpx.Client(base_url=server.url, timeout=30, verify=False) as http:
            told = Traced(server, collector, http)
            journey(told)
            break_store(told, stores)
            yield told


def journey(told: Traced) -> None:
    email, password, wrong = told.secret("canary-{}@example.com"), told.secret(), told.secret()
    told.ask("register", "POST", "/auth/register", json={"email": email, "password": password, "name": told.secret()})
    told.ask("wrong", "POST", "/auth/login", json={"email": email, "password": wrong})
    told.ask("sign-in", "POST", "/auth/login", json={"email": email, "password": password})
    keep(told, "sign-in", "accessToken", "refreshToken")
    auth = ("demo-app", told.server.demo_secret())
    told.secrets.append(auth[1])
    form = {"grant_type": "password", "username": email, "password": password, "scope": "openid offline_access"}
    told.ask("grant", "POST", "/oauth2/token", auth=auth, data=form)
    keep(told, "grant", "access_token", "refresh_token")
    presented = told.answers["grant"].json()["refresh_token"]
    told.ask("refresh", "POST", "/oauth2/token", auth=auth, data=refreshing(presented))
    keep(told, "refresh", "access_token", "refresh_token")
    told.ask("odd", "POST", "/oauth2/token", auth=auth, data={"grant_type": told.secret(), "code": told.secret()})
    bearer = {"Authorization": f"Bearer {told.answers['refresh'].json()['access_token']}"}
    told.ask("userinfo", "GET", "/oauth2/userinfo", headers=bearer)
    told.ask("nowhere", "GET", f"/auth/sessions/{told.secret('{}')}/x?token={told.secret()}", headers=bearer)
    told.ask("verb", told.secret("CANARY{}").upper(), "/auth/profile")
    told.secrets[-1] = told.secrets[-1].upper()
    told.ask("reset", "POST", "/auth/reset-password", json={"token": told.secret(), "newPassword": told.secret()})


def break_store(told: Traced, stores: EmbeddedStores) -> None:
    assert stores.valkey_pid
    os.kill(stores.valkey_pid, signal.SIGKILL)
    auth = ("demo-app", told.server.demo_secret())
    presented = told.answers["refresh"].json()["refresh_token"]
    told.ask("broken", "POST", "/oauth2/token", auth=auth, data=refreshing(presented))


def refreshing(token: str) -> dict[str, str]:
    return {"grant_type": "refresh_token", "refresh_token": token}


def keep(told: Traced, name: str, *tokens: str) -> None:
    body = told.answers[name].json()
    for token in tokens:
        # A token in pieces would be one too.
        told.secrets += [part for part in re.split(r"[.]", body[token]) if len(part) > 40]


def test_a_sign_in_is_one_tree_from_the_request_to_the_stores(traced: Traced) -> None:
    root = traced.trace("sign-in")

    assert (root.name, root.kind, root.parent_id) == ("POST /auth/login", "server", "")
    assert root.attributes == {
        "http.request.method": "POST",
        "http.route": "/auth/login",
        "http.response.status_code": 200,
    }
    service = root.below("sign-in over REST")
    check = service.below("password sign-in").below("verify password")
    assert check.attributes["idp.password.waited_ms"] >= 0
    start = service.below("start session")
    insert = start.below("INSERT sessions users browser_sessions")
    assert insert.kind == "client"
    assert (insert.attributes["db.system.name"], insert.attributes["db.operation.name"]) == ("postgresql", "INSERT")
    assert [span.name for span in start.children if span.name in ("BEGIN", "COMMIT")] == ["BEGIN", "COMMIT"]
    script = start.below("EVALSHA family_start")
    assert script.attributes == {
        "db.system.name": "redis",
        "db.operation.name": "EVALSHA",
        "db.stored_procedure.name": "family_start",
    }
    assert service.below("sign access token").kind == "internal"


def test_a_span_lies_within_the_one_around_it(traced: Traced) -> None:
    root = traced.trace("sign-in")

    outside = [
        (span.name, child.name)
        for span in (root, *root.under())
        for child in span.children
        if not span.started_at <= child.started_at <= child.ended_at <= span.ended_at
    ]
    assert outside == []


def test_a_refresh_reads_its_session_and_rotates_its_family(traced: Traced) -> None:
    root = traced.trace("refresh")

    grant = root.below("token grant")
    assert (grant.attributes["idp.grant_type"], grant.attributes["idp.client_id"]) == ("refresh_token", "demo-app")
    assert grant.below("read refresh token").below("SELECT sessions users").kind == "client"
    rotation = grant.below("rotate refresh token").below("rotate family")
    assert rotation.attributes["idp.refresh.outcome"] == "OK"
    assert [span.name for span in rotation.children] == ["EVALSHA family_rotate"]


def test_a_wrong_password_is_an_answer_and_no_error(traced: Traced) -> None:
    root = traced.trace("wrong")

    assert root.attributes["http.response.status_code"] == 401
    assert root.below("password sign-in").attributes["error.type"] == "InvalidCredentials"
    assert [span.name for span in (root, *root.under()) if span.failed] == []


def test_a_store_that_is_down_is_an_error_where_it_happened_and_of_the_request(traced: Traced) -> None:
    root = traced.trace("broken")

    assert traced.answers["broken"].status_code == 503
    assert (root.failed, root.attributes["error.type"]) == (True, "503")
    script = root.below("EVALSHA family_rotate")
    assert (script.failed, script.attributes["error.type"]) == (True, "StoreUnavailable")


@pytest.mark.parametrize("name", ["sign-in", "refresh", "wrong", "broken"])
def test_log_lines_of_a_request_name_its_trace(traced: Traced, name: str) -> None:
    root, lines = traced.trace(name), traced.lines(name)

    spans = {span.span_id for span in (root, *root.under())}
    assert {line["trace_id"] for line in lines} == {root.trace_id}
    assert {line["span_id"] for line in lines} <= spans
    assert next(line["span_id"] for line in lines if line["event"] == "request") == root.span_id
    assert name in ("refresh", "broken") or len(lines) > 1, "only the line of the request itself"


def test_what_a_caller_makes_up_names_no_span(traced: Traced) -> None:
    verb, nowhere, odd = (traced.trace(name) for name in ("verb", "nowhere", "odd"))

    assert (verb.name, verb.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert nowhere.name == "GET"
    assert "http.route" not in nowhere.attributes
    assert odd.below("token grant").attributes == {"idp.oauth.error": "unsupported_grant_type"}


def test_no_secret_leaves_for_the_collector(traced: Traced) -> None:
    """LG1"""
    for name in traced.answers:
        traced.trace(name)
    received = b"".join(traced.collector.bodies)

    assert len(traced.secrets) > 20
    assert [secret for secret in traced.secrets if secret.encode() in received] == []
    assert HASH.search(received) is None
    everything = [span for root in traced.collector.roots() for span in (root, *root.under())]
    assert [span.name for span in everything if "@" in span.name + str(span.attributes)] == []
    assert [span.name for span in everything if span.status_text or span.events] == []


def test_the_collector_is_told_who_speaks(traced: Traced) -> None:
    (resource,) = {json.dumps({**it, "service.instance.id": ""}) for it in traced.collector.resources()}

    assert json.loads(resource)["service.name"] == "idp-under-test"
    assert not [name for name in json.loads(resource) if name.startswith(("process.", "host."))]
    assert {it["path"] for it in traced.collector.headers} == {"/v1/traces"}
    assert {it["x-collector-key"] for it in traced.collector.headers} == {"for the collector only"}
    assert b"for the collector only" not in b"".join(traced.collector.bodies)


def test_a_mail_is_a_trace_of_its_own(traced: Traced) -> None:
    root = traced.collector.await_root(lambda span: span.name == "deliver mail" and bool(span.children))

    assert root.attributes["idp.mail.kind"] == "verify_address"
    assert root.below("send mail").kind == "client"


def test_probes_and_what_goes_on_without_a_request_are_no_traces(traced: Traced) -> None:
    assert httpx.get(f"{traced.server.url}/health/live", timeout=60, verify=False).status_code == 200
    traced.ask("after-the-probe", "GET", "/.well-known/jwks.json")
    traced.trace("after-the-probe")

    roots = traced.collector.roots()
    assert [root.name for root in roots if "/health" in str(root.attributes)] == []
    assert {root.kind for root in roots if root.name != "deliver mail" and not root.parent_id} == {"server"}


def test_a_strangers_trace_is_linked_and_decides_nothing(traced: Traced) -> None:
    """LG1: what is recorded is not for callers to say."""
    for flags in ("00", "01"):
        parent = {"traceparent": f"00-{OTHERS_TRACE}-{OTHERS_SPAN}-{flags}", "tracestate": f"x={traced.secret()}"}
        traced.ask(f"stranger-{flags}", "GET", "/.well-known/jwks.json", headers=parent)

        root = traced.trace(f"stranger-{flags}")
        assert root.trace_id != OTHERS_TRACE
        assert (root.parent_id, root.links) == ("", [OTHERS_TRACE])
    assert traced.secrets[-1].encode() not in b"".join(traced.collector.bodies)


def test_the_trace_of_a_trusted_proxy_goes_on_as_it_decided(traced: Traced) -> None:
    with httpx.Client(base_url=traced.server.url, transport=httpx.HTTPTransport(local_address=PROXY)) as proxy:
        for flags, name in (("00", "left-out"), ("01", "wanted")):
            parent = {"traceparent": f"00-{OTHERS_TRACE}-{OTHERS_SPAN}-{flags}", "X-Request-Id": name}
            assert proxy.get("/.well-known/jwks.json", headers=parent).status_code == 200
    root = traced.trace("wanted")

    assert (root.trace_id, root.parent_id, root.links) == (OTHERS_TRACE, OTHERS_SPAN, [])
    of_that_trace = [span for span in traced.collector.roots() if span.trace_id == OTHERS_TRACE]
    assert len(of_that_trace) == 1, "the one that was to be left out came too"
    assert {line["trace_id"] for line in traced.lines("left-out")} == {OTHERS_TRACE}
