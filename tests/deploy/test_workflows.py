"""The pipeline: it calls what exists, runs what is pinned, may do little, and deploys nothing that has not passed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {path.stem: yaml.safe_load(path.read_text()) for path in FILES}
EACH = pytest.mark.parametrize("name", WORKFLOWS)
ON = True  # YAML 1.1 reads the key `on` so


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in WORKFLOWS.items():
        for job, what in workflow["jobs"].items():
            yield f"{name}.{job}", what


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        for step in job.get("steps", ()):
            yield name, step


def commands() -> str:
    """Everything that is run, and what is handed on to be run."""
    handed = [value for _, step in steps() for value in step.get("env", {}).values()]
    return "\n".join([step["run"] for _, step in steps() if "run" in step] + [str(value) for value in handed])


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="no actionlint here")
def test_actionlint_finds_nothing() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # shellcheck is looked for there
    found = subprocess.run(["actionlint", *FILES], capture_output=True, text=True, env={**os.environ, "PATH": path})

    assert found.returncode == 0, found.stdout


@EACH
def test_a_workflow_may_read_the_repository_and_no_more(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in WORKFLOWS[name]["jobs"].values())


def test_every_action_is_pinned_to_a_commit_with_its_version_beside_it() -> None:
    used = [line.strip() for path in FILES for line in path.read_text().splitlines() if "uses:" in line]
    foreign = [line for line in used if "uses: ./" not in line]

    assert foreign
    for line in foreign:
        assert re.fullmatch(r"(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_one_action_has_one_version() -> None:
    pinned = {tuple(step["uses"].split("@")) for _, step in steps() if "uses" in step}

    assert len({action for action, _ in pinned}) == len(pinned)


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]

    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_what_somebody_else_wrote_is_never_part_of_a_command() -> None:
    """An expression in a command is filled in before the shell reads it: a name of a branch could be a command."""
    assert "${{" not in "\n".join(step["run"] for _, step in steps() if "run" in step)


def test_every_job_ends_by_itself() -> None:
    assert [name for name, job in jobs() if "timeout-minutes" not in job and "uses" not in job] == []


def test_every_script_and_target_that_is_called_exists() -> None:
    text = commands()
    paths = set(re.findall(r"(?<![\w/.-])(?:deploy|tests|docs)/[\w./*-]*[\w*]", text))
    targets = set(re.findall(r"\bmake ([a-z]+)", text))
    makefile = (ROOT / "Makefile").read_text()

    assert {"deploy/rollout", "deploy/compose/secrets.sh", "deploy/image/build.sh"} <= paths
    for path in paths:
        assert list(ROOT.glob(path)), path
    assert targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_services_that_are_called_are_in_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "compose.yml").read_text())["services"]
    called = re.findall(
        r"docker compose (?:build|run --rm|exec -T|pull --quiet --policy missing) ([a-z0-9-]+)", commands()
    )

    assert {"migrate", "idp-1"} <= set(called) <= set(services)


def test_the_roll_out_is_given_options_that_it_knows() -> None:
    told = subprocess.run([sys.executable, "deploy/rollout", "--help"], cwd=ROOT, capture_output=True, text=True).stdout
    (command,) = (step["run"] for name, step in steps() if "deploy/rollout" in step.get("run", ""))
    options = set(re.findall(r"(--[a-z-]+)", command.replace("set --", "")))

    assert options == {"--tag", "--node", "--proxy", "--migrate", "--replace"}
    assert all(re.search(rf"{option}\b", told) for option in options)


def test_an_image_is_published_only_when_everything_else_has_passed() -> None:
    ci = WORKFLOWS["ci"]["jobs"]

    assert set(ci["publish"]["needs"]) == set(ci) - {"publish"}
    assert "github.event_name == 'push'" in ci["publish"]["if"]
    assert not any("docker/login-action" in step.get("uses", "") for name, step in steps() if name != "ci.publish")


def test_no_job_of_a_pull_request_sees_a_secret() -> None:
    for name, job in jobs():
        if name.startswith("ci.") and name != "ci.publish":
            assert not re.search(r"\$\{\{[^}]*secrets\.", str(job)), name


def test_the_suite_runs_on_every_python_that_the_package_promises() -> None:
    promised = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())

    assert WORKFLOWS["ci"]["jobs"]["test"]["strategy"]["matrix"]["python"] == promised
    assert {"run": "make test"} in WORKFLOWS["ci"]["jobs"]["test"]["steps"]


def test_production_waits_for_staging_and_staging_for_ci() -> None:
    deploy = WORKFLOWS["deploy"]

    assert deploy[ON]["workflow_run"] == {"workflows": ["ci"], "types": ["completed"], "branches": ["main"]}
    assert "github.event.workflow_run.conclusion == 'success'" in deploy["jobs"]["staging"]["if"]
    assert deploy["jobs"]["production"]["needs"] == "staging"
    for environment in ("staging", "production"):
        called = deploy["jobs"][environment]
        assert called["uses"] == "./.github/workflows/rollout.yml"
        assert called["with"]["environment"] == environment


def test_one_environment_is_changed_by_one_roll_out_at_a_time_which_nothing_breaks_off() -> None:
    job = WORKFLOWS["rollout"]["jobs"]["rollout"]

    assert job["concurrency"] == {"group": "rollout-${{ inputs.environment }}", "cancel-in-progress": False}
    assert job["environment"] == "${{ inputs.environment }}"


def test_the_tag_that_runs_is_remembered_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("ISSUER=https://id.example.com\nTAG=old\n")

    for tag in ("1.2.3", "1.2.4"):
        subprocess.run(["sh", str(ROOT / "deploy/compose/tag.sh"), tag, str(file)], check=True, timeout=10)

    assert file.read_text() == "ISSUER=https://id.example.com\nTAG=1.2.4\n"
