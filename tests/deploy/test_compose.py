"""compose.yml: what it names is there, and every container is as closed as it can be."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from compose import compose, env_file

from idp.serving.workers import KILL_AFTER
from idp.settings import load

ROOT = Path(__file__).parents[2]
PROFILES = ("replica", "cluster", "monitoring")
WHOLE = compose(*PROFILES)
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
NODES = ("idp-1", "idp-2")
EACH = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def test_without_a_profile_it_is_two_nodes_their_proxy_and_their_stores() -> None:
    assert set(compose()["services"]) == {"proxy", *NODES, "migrate", "postgres", "valkey"}


@EACH
def test_no_container_has_a_right_that_it_can_do_without(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service.get("user", "10001:10001").split(":")[0] not in {"0", "root"}


@EACH
def test_every_container_has_limits_and_a_pinned_image(service: dict[str, Any]) -> None:
    limits = service["deploy"]["resources"]["limits"]
    _, _, tag = service["image"].rpartition(":")

    assert set(limits) == {"cpus", "memory", "pids"}
    assert tag not in {"", "latest"}


@EACH
def test_what_runs_on_is_checked_and_what_runs_once_is_not(service: dict[str, Any]) -> None:
    once = service["restart"] != "unless-stopped"

    assert service["healthcheck"].get("disable", False) is once
    assert once or "test" in service["healthcheck"]


def test_what_is_named_is_defined_and_what_is_defined_is_used() -> None:
    for kind in ("secrets", "configs", "networks", "volumes"):
        named = {name for service in SERVICES.values() for name in _names(service.get(kind, ()))}
        assert named == set(WHOLE[kind]), kind


def _names(listed: Any) -> list[str]:
    sources = [entry["source"] if isinstance(entry, dict) else entry.partition(":")[0] for entry in listed]
    return [source for source in sources if not source.startswith((".", "/"))]


def test_every_service_waits_for_services_that_exist() -> None:
    for service in SERVICES.values():
        for name, how in service.get("depends_on", {}).items():
            assert name in SERVICES
            once = SERVICES[name]["restart"] != "unless-stopped"
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
            # Of a service outside of every profile nobody may demand one that is only in some.
            assert not SERVICES[name].get("profiles") or service.get("profiles") or how["required"] is False


def test_every_file_of_the_repository_that_is_mounted_is_there() -> None:
    bound = [
        entry.partition(":")[0]
        for service in SERVICES.values()
        for entry in service.get("volumes", ())
        if entry.startswith("./")
    ]
    configured = [config["file"] for config in WHOLE["configs"].values()]

    assert bound
    for path in (*bound, *configured):
        assert (ROOT / path).exists(), path
    for path in bound:
        assert not path.endswith(".sh") or os.access(ROOT / path, os.X_OK), f"{path}: a container starts it"


def test_only_the_proxy_is_reached_from_other_machines() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}

    assert set(published) == {"proxy", *NODES, "grafana"}
    assert all(port.startswith("127.0.0.1:") for name in published if name != "proxy" for port in published[name])
    assert WHOLE["networks"]["stores"]["internal"] is True


def test_forwarded_headers_are_believed_from_the_address_of_the_proxy_alone() -> None:
    address = SERVICES["proxy"]["networks"]["edge"]["ipv4_address"]

    assert {name for name, service in SERVICES.items() if "edge" in service["networks"]} == {"proxy", *NODES}
    for node in NODES:
        assert SERVICES[node]["environment"]["IDP_TRUSTED_PROXIES"] == address


def test_fixed_addresses_lie_where_none_is_given_out() -> None:
    fixed = [
        (network, ip_address(how["ipv4_address"]))
        for service in SERVICES.values()
        if isinstance(service["networks"], dict)
        for network, how in service["networks"].items()
    ]

    assert len(fixed) == len(set(fixed)) == 7
    for network, address in fixed:
        (pool,) = WHOLE["networks"][network]["ipam"]["config"]
        assert address in ip_network(pool["subnet"])
        assert address not in ip_network(pool["ip_range"])


def test_no_node_can_change_tables_and_no_secret_is_in_the_environment() -> None:
    for node in NODES:
        assert not {"migration_database_url", "idp_migrate_password"} & set(SERVICES[node]["secrets"])
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert not name.endswith(("PASSWORD", "SECRET", "TOKEN", "DATABASE_URL", "REDIS_URL")), name


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compose") / "secrets"
    make_secrets(folder)
    return folder


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    script = ["sh", str(ROOT / "deploy/compose/secrets.sh"), str(folder)]
    made = subprocess.run(script, capture_output=True, text=True, timeout=60)
    assert made.returncode == (0 if os.geteuid() == 0 else 1), made.stderr
    assert made.returncode == 0 or "as root" in made.stderr
    return made


def test_secrets_are_made_once_each_closed_and_for_the_user_that_reads_it(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    make_secrets(secrets)
    after = {path.name: path.read_bytes() for path in secrets.iterdir()}

    assert after == before
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o400}
    assert len(set(before.values()) - {before["prometheus_token"]}) >= len(before) - 2
    if os.geteuid() == 0:
        for service in SERVICES.values():
            user = int(service.get("user", "10001").partition(":")[0])
            for name in set(service.get("secrets", ())) - {"smtp_url"}:
                assert (secrets / name).stat().st_uid == user, name


def test_secrets_that_are_gone_are_made_anew_and_those_that_follow_from_them_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make_secrets(folder)
    kept = (folder / "secret").read_bytes()
    for name in ("idp_app_password", "database_url"):
        (folder / name).unlink()

    make_secrets(folder)

    assert (folder / "idp_app_password").read_text().strip() in (folder / "database_url").read_text()
    assert (folder / "secret").read_bytes() == kept


def test_every_secret_of_the_file_is_made(secrets: Path) -> None:
    named = {Path(secret["file"]) for name, secret in WHOLE["secrets"].items() if name != "smtp_url"}

    assert {path.parent.as_posix() for path in named} == {"deploy/compose/secrets"}
    assert {path.name for path in named} <= {path.name for path in secrets.iterdir()}


def settings_of(service: str, secrets: Path, **variables: str) -> Any:
    """What the container would read: the image's own variables below those of the service, `/run/secrets` being *secrets*."""
    given = compose(*PROFILES, **variables)["services"][service]["environment"]
    return load({name: value.replace("/run/secrets", str(secrets)) for name, value in given.items()})


@pytest.mark.parametrize("service", [*NODES, "migrate"])
def test_the_settings_of_a_node_are_what_production_accepts(secrets: Path, service: str) -> None:
    settings = settings_of(service, secrets)

    assert settings.env == "production"
    assert settings.database_url.startswith("postgresql://idp_app:")
    assert settings.redis_url.startswith("redis://idp:")
    assert settings.smtp_url is None
    if service == "migrate":
        assert settings.migration_database_url.startswith("postgresql://idp_migrate:")
    else:
        assert settings.migration_database_url is None
        assert settings.metrics_token == (secrets / "prometheus_token").read_text().strip()


def test_the_settings_files_of_the_profiles_change_the_stores_of_the_nodes(secrets: Path) -> None:
    replica = settings_of("idp-1", secrets, **env_file("deploy/compose/replica.env"))
    cluster = settings_of("idp-1", secrets, **env_file("deploy/compose/cluster.env"))

    assert "@postgres-replica:5432/" in replica.database_replica_urls[0]
    assert cluster.redis_url.startswith("redis+cluster://idp:")
    named = {node.partition(":")[0] for node in cluster.redis_url.rpartition("@")[2].split(",")}
    assert named == {name for name, service in SERVICES.items() if name.startswith("valkey-") and name != "valkey-join"}


@pytest.mark.parametrize("node", NODES)
def test_a_node_gets_longer_to_stop_than_its_parent_process_waits(secrets: Path, node: str) -> None:
    seconds = int(SERVICES[node]["stop_grace_period"].removesuffix("s"))

    assert seconds >= settings_of(node, secrets).drain.total_seconds() + KILL_AFTER + 10


@pytest.mark.parametrize(
    "profiles", [(), *((name,) for name in PROFILES), PROFILES], ids=lambda chosen: "+".join(chosen)
)
def test_docker_compose_accepts_it(profiles: tuple[str, ...]) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        pytest.skip("no docker compose here")
    chosen = [part for name in profiles for part in ("--profile", name)]

    checked = subprocess.run(
        [docker, "compose", *chosen, "config", "--quiet"], cwd=ROOT, capture_output=True, text=True
    )

    assert checked.returncode == 0, checked.stderr
