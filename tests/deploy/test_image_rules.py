"""The Dockerfile and .dockerignore, read: what may reach a layer, and the rules of a small and safe image."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dockerfile import stages
from dockerignore import DockerIgnore
from image import USER

ROOT = Path(__file__).parents[2]
STAGES = stages((ROOT / "Dockerfile").read_text())
IGNORE = DockerIgnore((ROOT / ".dockerignore").read_text())

# What a checkout may hold that must reach no layer.
SECRET_FILES = (
    ".env",
    ".git/config",
    ".idp/secret",
    ".venv/bin/python",
    "deploy/compose/secrets/secret",
    "deploy/image/.env",
    "idp/.env",
    "idp/server.pem",
    "idp/cli/__pycache__/serve.cpython-313.pyc",
    "idp/signing.key",
    "keys/README.md",
    "keys/abc.json",
    "keys/signing.pem",
    "templates/.env.local",
    "tests/conftest.py",
)


@pytest.mark.parametrize("path", SECRET_FILES)
def test_what_is_secret_or_of_no_use_reaches_no_layer(path: str) -> None:
    assert not IGNORE.allows(path)


def test_each_file_that_a_step_names_is_there_and_let_through() -> None:
    allowed = set(IGNORE.files(ROOT))
    named = [
        source
        for stage in STAGES
        for copy in stage.all("COPY")
        if "from" not in copy.flags
        for source in copy.arguments[:-1]
    ]
    mounts = [run.flags["mount"] for stage in STAGES for run in stage.all("RUN") if "mount" in run.flags]
    named += [part.partition("=")[2] for mount in mounts for part in mount.split(",") if part.startswith("source=")]

    assert named
    for source in named:
        assert any(file == source or file.startswith(source.rstrip("/") + "/") for file in allowed), source


def test_the_last_stage_keeps_the_rules_of_a_small_and_safe_image() -> None:
    last = STAGES[-1]

    assert len(STAGES) > 1
    for stage in STAGES:
        name, _, tag = stage.image.rpartition(":")
        assert name == "python", stage.image
        assert tag.split("-")[0].count(".") == 1, f"{stage.image}: a minor version, and no more"
        assert "slim" in tag
    assert last.last("USER").arguments == [f"{USER}:{USER}"]
    assert last.last("STOPSIGNAL").arguments == ["SIGTERM"]
    for name in ("ENTRYPOINT", "CMD", "HEALTHCHECK", "RUN"):
        assert not any(one.shell for stage in STAGES for one in stage.all(name)), f"{name} in shell form"
    assert not any("apt-get" in " ".join(run.arguments) for stage in STAGES for run in stage.all("RUN"))
    assert {copy.flags.get("chown") for stage in STAGES for copy in stage.all("COPY")} == {
        None
    }  # the user owns no code


def test_the_labels_tell_version_and_revision_of_the_build() -> None:
    labels = dict(pair.split("=", 1) for pair in STAGES[-1].last("LABEL").arguments)
    given = {one.arguments[0].partition("=")[0] for one in STAGES[-1].all("ARG")}

    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert labels["org.opencontainers.image.revision"] == "${REVISION}"
    assert given == {"VERSION", "REVISION"}
    assert {"IDP_RELEASE=${VERSION}"} in [set(one.arguments) for one in STAGES[-1].all("ENV")]


@pytest.mark.parametrize(
    ("linter", "files"),
    [("hadolint", ("Dockerfile",)), ("shellcheck", tuple(f"deploy/image/{n}.sh" for n in ("build", "system")))],
    ids=["hadolint", "shellcheck"],
)
def test_a_linter_finds_nothing(linter: str, files: tuple[str, ...]) -> None:
    program = shutil.which(linter, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{linter} is not installed")

    found = subprocess.run([program, *files], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert found.returncode == 0, found.stdout + found.stderr
