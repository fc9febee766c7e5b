"""
The Dockerfile carried out in a folder instead of an engine: COPY and RUN as they stand there, `/` being the stage's folder.

What differs from an engine: the interpreter and the base system are those of this machine, packages come from a folder of
wheels, and a folder copied from another stage is a link, since a virtual environment does not move.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dockerfile import Instruction, Stage, stages
from dockerignore import DockerIgnore

ROOT = Path(__file__).parents[2]
USER = 10001
LIMIT = 180  # seconds for one RUN
# $1 and all the rest of the machine become read-only, $2 and $3 stay as they are; then the command runs.
READ_ONLY = """
set -e
mount --bind "$1" "$1"
mount --bind "$2" "$2"
mount --bind "$3" "$3"
mount -o remount,bind,ro "$1" && ! touch "$1/probe" 2>/dev/null
mount -o remount,bind,ro / || true
touch "$2/probe" && rm "$2/probe"
shift 3
exec "$@"
"""


class Image:
    """*root* is the last stage's folder; what the image runs starts with `run` or `started`."""

    def __init__(self, folder: Path, wheels: Path) -> None:
        self._folder = folder
        self._wheels = wheels
        self._context = folder / "context"
        self._stages = stages((ROOT / "Dockerfile").read_text())
        self.stage = self._stages[-1]
        self.root = folder / f"stage{len(self._stages) - 1}"

    def build(self) -> None:
        for path in DockerIgnore((ROOT / ".dockerignore").read_text()).files(ROOT):
            (self._context / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, self._context / path)
        for place, stage in enumerate(self._stages):
            self._build(stage, self._folder / f"stage{place}")

    def _build(self, stage: Stage, root: Path) -> None:
        for made in ("etc", "tmp", "mnt"):
            (root / made).mkdir(parents=True)
        work = root
        for instruction in stage.instructions:
            if instruction.name == "WORKDIR":
                work = _inside(root, instruction.arguments[0])
                work.mkdir(parents=True, exist_ok=True)
            elif instruction.name == "COPY":
                self._copy(instruction, root, work)
            elif instruction.name == "RUN":
                self._run(instruction, root, work)

    def _copy(self, instruction: Instruction, root: Path, work: Path) -> None:
        *sources, last = instruction.arguments
        target = _inside(root, last) if last.startswith("/") else work / last
        target.parent.mkdir(parents=True, exist_ok=True)
        if "from" in instruction.flags:
            (place,) = (i for i, stage in enumerate(self._stages) if stage.name == instruction.flags["from"])
            target.symlink_to(_inside(self._folder / f"stage{place}", sources[0]))
            return
        for source in sources:
            if (self._context / source).is_dir():
                shutil.copytree(self._context / source, target)
            else:
                shutil.copyfile(self._context / source, target / source if last.endswith("/") else target)

    def _run(self, instruction: Instruction, root: Path, work: Path) -> None:
        mount = dict(pair.partition("=")[::2] for pair in instruction.flags.get("mount", "").split(",") if pair)
        if mount:
            shutil.copyfile(self._context / mount["source"], _inside(root, mount["target"]))
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self._wheels), "TMPDIR": str(root / "tmp")}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        command = [str(_inside(root, one)) if one.startswith("/") else one for one in instruction.arguments]
        ran = subprocess.run(
            command, cwd=work, env=kept | offline | {"PATH": path}, capture_output=True, text=True, timeout=LIMIT
        )
        assert ran.returncode == 0, f"{command}: {ran.stdout[-1000:]}{ran.stderr[-3000:]}"
        if mount:
            _inside(root, mount["target"]).unlink()

    def environment(self, **given: str) -> dict[str, str]:
        named = {name: self._mapped(value) for name, value in self.stage.environment().items() if name != "PATH"}
        places = {"PATH": f"{self.root}/opt/idp/bin:/usr/bin:/bin", "TMPDIR": f"{self.root}/tmp"}
        return named | places | {"HOME": f"{self.root}/var/lib/idp"} | given

    def _mapped(self, value: str) -> str:
        return f"{self.root}{value}" if value.startswith("/") else value

    def started(self, command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
        """On a root file system that is read-only but for `tmp` and the keys, where this machine lets a process have one."""
        program = (
            _inside(self.root, command[0]) if command[0].startswith("/") else self.root / "opt/idp/bin" / command[0]
        )
        arguments = [self._mapped(one) for one in command[1:]]
        with log.open("ab") as output:
            return subprocess.Popen(
                [*self._read_only(), str(program), *arguments],
                cwd=self.root / "var/lib/idp",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _read_only(self) -> list[str]:
        """A command before the command; empty where mounts of one's own are forbidden."""
        own_mounts = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
        places = [str(self._folder), str(self.root / "tmp"), str(self.root / "var/lib/idp/keys")]
        prefix = [*own_mounts, "sh", "-c", READ_ONLY, "sh", *places]
        try:
            subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=LIMIT)
        except (OSError, subprocess.CalledProcessError):
            return []
        return prefix

    def files(self) -> dict[str, int]:
        """Every file of the image and when it was last changed, in nanoseconds."""
        places = (self.root, (self.root / "opt/idp").resolve())
        found = (file for place in places for file in place.rglob("*") if file.is_file() and not file.is_symlink())
        return {str(file): file.stat().st_mtime_ns for file in found}


def _inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
