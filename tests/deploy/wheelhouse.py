"""
What is installed here, as wheels again: pip installs from them without a network, and finds no package that none asked for.
"""

from __future__ import annotations

import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def fill(folder: Path, *requirements: str) -> None:
    """One wheel in *folder* for each of *requirements* and for all that they need here."""
    waiting = [Requirement(one) for one in requirements]
    packed: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        found = distribution(wanted.name)
        extras = {"", *wanted.extras}
        for extra in extras - {known for name, known in packed if name == found.name}:
            packed.add((found.name, extra))
            needs = [Requirement(text) for text in found.requires or ()]
            waiting += [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]
        _pack(found, folder)


def _pack(found: Distribution, folder: Path) -> None:
    """Not compressed: it is unpacked again at once."""
    tags = [line.partition(": ")[2] for line in (found.read_text("WHEEL") or "").splitlines() if line.startswith("Tag")]
    pythons, abis, platforms = (
        ".".join(dict.fromkeys(parts)) for parts in zip(*(t.split("-") for t in tags), strict=True)
    )
    name = found.name.replace("-", "_").replace(".", "_")
    target = folder / f"{name}-{found.version}-{pythons}-{abis}-{platforms}.whl"
    if target.exists():
        return
    files = [file for file in found.files or () if ".." not in file.parts and file.suffix != ".pyc"]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, strict_timestamps=False) as wheel:
        (record,) = (file for file in files if file.match("*.dist-info/RECORD"))
        for file in files:
            if file != record and "direct_url.json" not in file.parts and Path(str(file.locate())).is_file():
                wheel.write(str(file.locate()), str(file))
        wheel.writestr(str(record), "".join(f"{file},,\n" for file in files))
