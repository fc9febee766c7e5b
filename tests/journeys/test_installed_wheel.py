"""The wheel alone, in an empty environment outside the checkout, serves: templates and migrations are in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from process import ServerProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment that has the wheel; its dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("idp-*.whl")
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    (packages,) = environment.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(packages)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True, timeout=120)
    (ours,) = (Path(sys.prefix) / "lib").glob("python*/site-packages")
    # A path file, read after the packages of the new environment; the editable install's own path file is not followed.
    (packages / "dependencies.pth").write_text(f"{ours}\n")
    return environment / "bin" / "python"


def test_the_package_comes_from_the_wheel(installed: Path) -> None:
    where = "import idp, idp.database.migration as m; print(idp.__file__, m.package(), *m.known_steps())"
    answer = subprocess.run([installed, "-c", where], cwd="/", capture_output=True, text=True, check=True, timeout=60)

    file, package, *steps = answer.stdout.split()
    assert Path(file).is_relative_to(installed.parents[1])
    assert package == "idp.migrations"
    assert steps == sorted(path.stem for path in (ROOT / "migrations").glob("0*.py"))


def test_it_serves_pages_and_tokens(installed: Path, tmp_path: Path) -> None:
    with ServerProcess(tmp_path, new=True, python=str(installed)) as server:
        token = httpx.post(
            f"{server.url}/oauth2/token",
            data={"grant_type": "client_credentials"},
            auth=("demo-app", server.demo_secret()),
            timeout=60,
        )
        front = httpx.get(f"{server.url}/", timeout=60)
        demo = [httpx.get(f"{server.url}/demo/{name}", timeout=60) for name in ("", "app.js", "oidc.js", "style.css")]

    assert token.status_code == 200
    assert server.url in front.text
    assert {answer.status_code for answer in demo} == {200}
