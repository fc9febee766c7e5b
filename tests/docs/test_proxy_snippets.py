"""The snippets of docs/reverse-proxies.md, run as they stand but for addresses and files."""

from __future__ import annotations

import re
import secrets
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from certificates import self_signed
from debian_programs import required
from process import ServerProcess, free_port

pytestmark = [pytest.mark.isolated, pytest.mark.xdist_group("proxies")]

PAGE = Path(__file__).parents[2] / "docs" / "reverse-proxies.md"
NAME = "id.example.com"
WAIT = 20.0  # seconds for the proxy to answer at all


def snippet(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="idp-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def certificate(folder: Path) -> Path:
    """Key and certificate in one file, as HAProxy wants them; nginx takes it for both."""
    return self_signed(folder / "both.pem", NAME)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    settings = {
        "IDP_TRUSTED_PROXIES": "127.0.0.1",
        "IDP_ISSUER": f"https://{NAME}",
        "IDP_LIMIT_LOGIN": "2/15m",
    }
    with ServerProcess(folder / "server", limited=True, **settings) as running:
        yield running


class Proxy:
    """*tls* and *clear* are ports of 127.0.0.1."""

    def __init__(self, command: list[str], tls: int, clear: int, certificate: Path) -> None:
        self.tls, self.clear = tls, clear
        self._context = ssl.create_default_context(cafile=certificate)
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def calling_from(self, address: str) -> httpx.Client:
        transport = httpx.HTTPTransport(verify=self._context, local_address=address)
        return httpx.Client(base_url=f"https://127.0.0.1:{self.tls}", transport=transport, timeout=30)

    def ask(self, address: str, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"Host": NAME, **more.pop("headers", {})}  # type: ignore[dict-item]
        with self.calling_from(address) as http:
            return http.request(method, path, headers=headers, extensions={"sni_hostname": NAME}, **more)

    def await_ready(self) -> None:
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            assert self._process.poll() is None, "the proxy ended"
            try:
                if self.ask("127.0.0.1", "GET", "/health").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError("the proxy did not answer")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=20)


def placed(text: str, server: ServerProcess, certificate: Path, tls: int, clear: int) -> str:
    """The snippet with our ports and files, and one node."""
    node = f"127.0.0.1:{server.port}"
    changes = {
        "10.0.4.11:8000": node,
        "10.0.4.12:8000": node,
        "/etc/ssl/id.example.com.pem": str(certificate),
        "/etc/ssl/id.example.com.key": str(certificate),
        "/etc/haproxy/id.example.com.pem": str(certificate),
        "/var/log/nginx/idp.log": str(certificate.with_name("nginx.log")),
        "maxconn 20000": "maxconn 100",
        "listen 80;": f"listen 127.0.0.1:{clear};",
        "listen 443 ": f"listen 127.0.0.1:{tls} ",
        "bind :80\n": f"bind 127.0.0.1:{clear}\n",
        "bind :443 ": f"bind 127.0.0.1:{tls} ",
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def nginx(folder: Path, server: ServerProcess, certificate: Path) -> Iterator[Proxy]:
    tls, clear, file = free_port(), free_port(), folder / "nginx.conf"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
    text = placed(snippet("nginx"), server, certificate, tls, clear)
    head = f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx-error.log;\n"
    # What the snippet gives no log would be written where only root may.
    own += f"access_log {folder}/nginx-rest.log;\n"
    file.write_text(f"{head}events {{}}\nhttp {{\n{own}{text}}}\n")
    command = [*required("nginx"), "-p", str(folder), "-e", f"{folder}/nginx-error.log", "-c", str(file)]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, timeout=30, check=False)
    assert tried.returncode == 0, tried.stderr
    proxy = Proxy(command, tls, clear, certificate)
    try:
        proxy.await_ready()
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture(scope="module")
def haproxy(folder: Path, server: ServerProcess, certificate: Path) -> Iterator[Proxy]:
    tls, clear, file = free_port(), free_port(), folder / "haproxy.cfg"
    file.write_text(placed(snippet("haproxy"), server, certificate, tls, clear))
    tried = subprocess.run(
        [*required("haproxy"), "-c", "-f", str(file)], capture_output=True, text=True, timeout=30, check=False
    )
    assert tried.returncode == 0, tried.stderr
    proxy = Proxy([*required("haproxy"), "-db", "-f", str(file)], tls, clear, certificate)
    try:
        proxy.await_ready()
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture(scope="module")
def caddy(folder: Path, server: ServerProcess, certificate: Path) -> Iterator[Proxy]:
    tls, clear, file = free_port(), free_port(), folder / "Caddyfile"
    ours = f"admin off\n\tdefault_bind 127.0.0.1\n\thttp_port {clear}\n\thttps_port {tls}"
    site = f"\n{NAME} {{\n"
    text = placed(snippet("caddyfile"), server, certificate, tls, clear)
    file.write_text(f"{{\n\t{ours}\n}}\n" + text.replace(site, f"{site}\ttls {certificate} {certificate}\n"))
    command = [
        "/usr/bin/env",
        f"HOME={folder}",
        f"XDG_DATA_HOME={folder}",
        f"XDG_CONFIG_HOME={folder}",
        *required("caddy"),
    ]
    proxy = Proxy([*command, "run", "--adapter", "caddyfile", "--config", str(file)], tls, clear, certificate)
    try:
        proxy.await_ready()
        yield proxy
    finally:
        proxy.stop()


PROXIES = pytest.mark.parametrize("name", ["nginx", "haproxy", "caddy"])


def wrong_password(proxy: Proxy, address: str, **headers: str) -> str:
    """Whether the address has used up its attempts. Each is for another account: the lockout stays out of it."""
    sent = {"email": f"{secrets.token_hex(8)}@example.com", "password": "Wrong-Horse-7"}
    answer = proxy.ask(address, "POST", "/auth/login", json=sent, headers=headers)
    assert answer.status_code in (401, 429)
    return "rate_limited" if answer.json()["error"] == "rate_limited" else ""


@PROXIES
def test_the_limit_of_a_caller_is_its_own_whatever_it_claims(name: str, request: pytest.FixtureRequest) -> None:
    """PX1, PX2: the address behind the proxy is counted, and no header of the caller is."""
    proxy = request.getfixturevalue(name)
    number = {"nginx": 11, "haproxy": 21, "caddy": 31}[name]
    guesser, other = f"127.0.0.{number}", f"127.0.0.{number + 1}"

    guesses = [wrong_password(proxy, guesser, **{"X-Forwarded-For": f"192.0.2.{place}"}) for place in range(3)]
    from_elsewhere = wrong_password(proxy, other)

    assert guesses == ["", "", "rate_limited"]
    assert from_elsewhere == ""


@PROXIES
def test_the_rest_is_as_the_page_says(name: str, request: pytest.FixtureRequest) -> None:
    proxy = request.getfixturevalue(name)

    metadata = proxy.ask("127.0.0.1", "GET", "/.well-known/openid-configuration")
    inside = [proxy.ask("127.0.0.1", "GET", path).status_code for path in ("/metrics", "/health/detailed")]
    large = proxy.ask("127.0.0.1", "POST", "/auth/login", content=b"x" * 70_000)
    claimed = proxy.ask("127.0.0.1", "GET", "/health", headers={"X-Request-ID": "mine"})
    moved = httpx.get(f"http://127.0.0.1:{proxy.clear}/login?a=b", headers={"Host": NAME}, timeout=30)
    refused = httpx.post(f"http://127.0.0.1:{proxy.clear}/auth/login", headers={"Host": NAME}, timeout=30)

    assert metadata.json()["issuer"] == f"https://{NAME}"
    assert (inside, large.status_code, refused.status_code) == ([404, 404], 413, 403)
    assert claimed.headers["X-Request-ID"] not in ("mine", "")
    assert (moved.status_code, moved.headers["Location"]) == (301, f"https://{NAME}/login?a=b")


def logged(file: Path, word: str) -> str:
    """What is there when *word* is: it is written after the answer has gone."""
    end = time.monotonic() + WAIT
    while word not in (text := file.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    return text


def test_no_query_is_in_the_log_of_nginx(nginx: Proxy, folder: Path) -> None:
    """RG13: a link of a mail has its token there."""
    nginx.ask("127.0.0.1", "GET", "/reset-password?token=a-token-of-a-mail")

    text = logged(folder / "nginx.log", "/reset-password")
    assert ("/reset-password" in text, "a-token-of-a-mail" in text) == (True, False)
