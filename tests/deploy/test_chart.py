"""deploy/helm/idp: what Kubernetes would be given, read object by object."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from render_chart import CHART, RENDERED, ROOT, VALUES, fingerprint, rendered

from idp.serving.workers import KILL_AFTER
from idp.settings import load

NAMES = [path.stem for path in VALUES]
SECRETS = {
    "IDP_DATABASE_URL": "postgresql://idp_app:x@db/idp",
    "IDP_DATABASE_REPLICA_URLS": "postgresql://idp_app:x@db2/idp",
    "IDP_MIGRATION_DATABASE_URL": "postgresql://idp_migrate:x@db/idp",
    "IDP_REDIS_URL": "rediss://:x@cache/0",
    "IDP_SECRET": "s" * 32,
    "IDP_SMTP_URL": "smtp://x:y@mail:587",
    "IDP_METRICS_TOKEN": "m" * 32,
    "IDP_ADMIN_PASSWORD": "Correct-Horse-7",
}
# What the image sets: Dockerfile.
IMAGE = {"IDP_ENV": "production", "IDP_BIND": "0.0.0.0:8000"}


class Objects:
    """What one file of values makes, by kind and name."""

    def __init__(self, text: str) -> None:
        self.all: list[dict[str, Any]] = [one for one in yaml.safe_load_all(text) if one]

    def one(self, kind: str, name: str = "idp") -> dict[str, Any]:
        (found,) = (each for each in self.of(kind) if each["metadata"]["name"] == name)
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [each for each in self.all if each["kind"] == kind]

    def pods(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Metadata and specification of every pod that comes of it."""
        for each in self.all:
            if each["kind"] in {"Deployment", "Job"}:
                yield each["spec"]["template"]["metadata"], each["spec"]["template"]["spec"]
            elif each["kind"] == "Pod":
                yield each["metadata"], each["spec"]


@pytest.fixture(params=NAMES, scope="module")
def objects(request: pytest.FixtureRequest) -> Objects:
    return Objects((RENDERED / f"{request.param}.yaml").read_text())


@pytest.fixture(scope="module")
def helm() -> str:
    program = shutil.which("helm")
    if program is None:
        pytest.skip("no helm here; what it rendered last is read instead")
    return program


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_what_is_kept_comes_from_the_chart_as_it_is(values: Path) -> None:
    kept = (RENDERED / values.name).read_text()

    assert kept.startswith(fingerprint(values)), (
        "the chart has changed: python tests/deploy/render_chart.py (needs helm)"
    )


@pytest.mark.parametrize("values", VALUES, ids=NAMES)
def test_helm_renders_what_is_kept_and_finds_no_fault(helm: str, values: Path) -> None:
    linted = subprocess.run(
        [helm, "lint", "--strict", str(CHART), "--values", str(values)], capture_output=True, text=True, timeout=60
    )

    assert linted.returncode == 0, linted.stdout
    assert fingerprint(values) + rendered(values, helm=helm) == (RENDERED / values.name).read_text()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("settings.IDP_ISSUER=http://id.example.com", "IDP_ISSUER"),
        ("settings.IDP_SECRET=x", "IDP_SECRET"),
        ("keys.existingSecret=", "keys.existingSecret"),
        ("migration.existingSecret=", "migration.databaseUrl"),
        ("terminationGracePeriodSeconds=20", "terminationGracePeriodSeconds"),
        ("secrets.names={IDP_SECRET}", "IDP_DATABASE_URL"),
        ("image.tag=latest", "image"),
        ("replica=3", "replica"),
    ],
)
def test_helm_refuses_values_that_cannot_work_and_says_which(helm: str, wrong: str, told: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as refused:
        rendered(ROOT / "deploy/helm/values/managed.yaml", "--set", wrong, helm=helm)

    assert told in refused.value.stderr


def test_every_pod_keeps_the_restricted_profile(objects: Objects) -> None:
    pods = list(objects.pods())

    assert len(pods) == 3
    for _, spec in pods:
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert (security["runAsUser"], security["fsGroupChangePolicy"]) == (10001, "OnRootMismatch")
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for container in spec["containers"]:
            inside = container["securityContext"]
            assert inside["allowPrivilegeEscalation"] is False
            assert inside["readOnlyRootFilesystem"] is True
            assert inside["capabilities"] == {"drop": ["ALL"]}
            assert {"requests", "limits"} <= set(container["resources"])
            assert container["image"].rpartition(":")[2] not in {"", "latest"}


def test_kubernetes_puts_no_variable_of_its_own_beside_the_settings(objects: Objects) -> None:
    """A Service called idp makes IDP_SERVICE_HOST and more, and an unknown IDP_ name stops the server."""
    assert all(spec["enableServiceLinks"] is False for _, spec in objects.pods())


def test_every_volume_is_there_and_is_used(objects: Objects) -> None:
    for _, spec in objects.pods():
        made = {volume["name"] for volume in spec.get("volumes", ())}
        mounted = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts", ())}
        assert mounted == made
        for volume in spec.get("volumes", ()):
            if name := volume.get("secret", {}).get("secretName"):
                assert name in {one["metadata"]["name"] for one in objects.of("Secret")} | outside(objects)


def outside(objects: Objects) -> set[str]:
    """The Secrets that the example expects to be there."""
    return set() if objects.of("Secret") else {"idp-secrets", "idp-keys", "idp-owner"}


def environment(container: dict[str, Any], objects: Objects, folder: Path) -> dict[str, str]:
    given = dict(IMAGE)
    for source in container.get("envFrom", ()):
        given |= objects.one("ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container["env"]:
        name, value = variable["name"], variable["value"]
        if value.startswith("/run/secrets/"):
            (folder / Path(value).name).write_text(SECRETS[Path(value).name])
            value = str(folder / Path(value).name)
        given[name] = value
    return given


def test_the_server_accepts_the_settings_that_a_pod_is_given(objects: Objects, tmp_path: Path) -> None:
    (container,) = objects.one("Deployment")["spec"]["template"]["spec"]["containers"]
    settings = load(environment(container, objects, tmp_path))

    assert settings.issuer == "https://id.example.com"
    assert settings.trusted_proxies
    assert settings.migration_database_url is None
    assert str(settings.keys_dir).startswith("/var/lib/idp/keys/")


def test_the_migration_has_the_role_of_the_owner_and_ends_before_anything_else_starts(
    objects: Objects, tmp_path: Path
) -> None:
    job = objects.one("Job", "idp-migrate")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    settings = load(environment(container, objects, tmp_path))
    hooks = {one["metadata"]["name"]: one["metadata"]["annotations"] for one in objects.all if hook_of(one)}

    assert container["args"] == ["db", "migrate"]
    assert settings.migration_database_url == SECRETS["IDP_MIGRATION_DATABASE_URL"]
    assert hook_of(job) == "pre-install,pre-upgrade"
    needed = [one for one in objects.all if hook_of(one) == "pre-install,pre-upgrade" and one is not job]
    assert all(int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0 for one in needed)
    for name in (volume["secret"]["secretName"] for volume in job["spec"]["template"]["spec"]["volumes"][:2]):
        assert name in set(hooks) | outside(objects), "a hook cannot wait for what is no hook"


def hook_of(one: dict[str, Any]) -> str | None:
    found: str | None = one["metadata"].get("annotations", {}).get("helm.sh/hook")
    return found


def test_no_password_of_the_owner_is_where_a_server_could_read_it(objects: Objects) -> None:
    spec = objects.one("Deployment")["spec"]["template"]["spec"]

    assert "MIGRATION" not in json.dumps(spec)
    assert not any(
        "IDP_MIGRATION_DATABASE_URL" in one.get("stringData", {}) for one in objects.of("Secret") if not hook_of(one)
    )


def test_a_roll_out_never_has_fewer_pods_and_waits_until_each_is_ready(objects: Objects) -> None:
    spec = objects.one("Deployment")["spec"]
    (container,) = spec["template"]["spec"]["containers"]

    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert container["startupProbe"]["httpGet"]["path"] == "/health/live"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    drain = load({"IDP_DRAIN": objects.one("ConfigMap")["data"]["IDP_DRAIN"]}).drain
    probe = container["readinessProbe"]
    assert drain.total_seconds() > probe["periodSeconds"] * probe["failureThreshold"]
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] >= drain.total_seconds() + KILL_AFTER + 20


def test_every_selector_finds_the_servers_and_nothing_else(objects: Objects) -> None:
    servers = objects.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    others = [metadata["labels"] for metadata, _ in objects.pods() if metadata["labels"] != servers]
    selectors = [
        objects.one("Deployment")["spec"]["selector"]["matchLabels"],
        objects.one("Service")["spec"]["selector"],
        objects.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        objects.one("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= servers.items()
        assert not any(selector.items() <= labels.items() for labels in others)


def test_everything_is_denied_that_no_rule_allows(objects: Objects) -> None:
    server, migration = objects.one("NetworkPolicy")["spec"], objects.one("NetworkPolicy", "idp-migrate")["spec"]

    assert server["policyTypes"] == migration["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in migration
    assert all(rule["from"] and rule["ports"] for rule in server["ingress"])
    assert {port["port"] for rule in server["egress"] for port in rule["ports"]} == {53, 5432, 6379, 587, 443}
    assert {port["port"] for rule in migration["egress"] for port in rule["ports"]} == {53, 5432}


def test_pods_are_counted_by_the_autoscaler_or_by_hand(objects: Objects) -> None:
    scalers = objects.of("HorizontalPodAutoscaler")

    assert ("replicas" in objects.one("Deployment")["spec"]) is not bool(scalers)
    for scaler in scalers:
        assert scaler["spec"]["scaleTargetRef"]["name"] == objects.one("Deployment")["metadata"]["name"]
        assert scaler["spec"]["minReplicas"] >= 2


def test_prometheus_reads_the_metrics_with_the_token(objects: Objects) -> None:
    for monitor in objects.of("ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        labels = objects.one("Service")["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert endpoint["path"] == "/metrics"
        assert endpoint["authorization"]["credentials"]["key"] == "IDP_METRICS_TOKEN"
        assert endpoint["port"] in {port["name"] for port in objects.one("Service")["spec"]["ports"]}


def test_the_program_of_the_test_pod_runs(objects: Objects) -> None:
    (container,) = objects.one("Pod", "idp-test")["spec"]["containers"]

    compile(container["args"][0], "test", "exec")
    assert container["command"][0] == "/opt/idp/bin/python"
    assert container["args"][1:] == ["http://idp:80", "https://id.example.com"]
