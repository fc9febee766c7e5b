"""The Dockerfile, read: its stages, and of each instruction its flags and arguments."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Instruction:
    """*arguments* of the exec form; *shell* where the shell form was used. ENV, ARG and LABEL give `NAME=value` each."""

    name: str
    flags: dict[str, str]
    arguments: list[str]
    shell: bool = False


@dataclass(slots=True)
class Stage:
    image: str
    name: str | None
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [one for one in self.instructions if one.name == name]

    def last(self, name: str) -> Instruction:
        return self.all(name)[-1]

    def environment(self) -> dict[str, str]:
        """With the defaults of the build's arguments."""
        given = self._pairs("ARG")
        return {
            name: re.sub(r"\$\{(\w+)\}", lambda used: given[used[1]], value)
            for name, value in self._pairs("ENV").items()
        }

    def _pairs(self, name: str) -> dict[str, str]:
        return dict(pair.split("=", 1) for one in self.all(name) for pair in one.arguments)


def stages(text: str) -> list[Stage]:
    found: list[Stage] = []
    for line in _lines(text):
        instruction = _instruction(line)
        if instruction.name == "FROM":
            image, *alias = instruction.arguments
            found.append(Stage(image, alias[1] if alias else None))
        else:
            found[-1].instructions.append(instruction)
    return found


def _lines(text: str) -> list[str]:
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return [line for line in re.sub(r"\\\n\s*", " ", kept).splitlines() if line.strip()]


def _instruction(line: str) -> Instruction:
    name, _, rest = line.partition(" ")
    flags: dict[str, str] = {}
    while match := re.match(r"\s*--([a-z-]+)=(\S+)\s*", rest):
        flags[match[1]], rest = match[2], rest[match.end() :]
    if name == "HEALTHCHECK":
        rest = rest.removeprefix("CMD ").strip()
    if name in {"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"}:
        exec_form = rest.startswith("[")
        return Instruction(name, flags, json.loads(rest) if exec_form else [rest], shell=not exec_form)
    return Instruction(name, flags, shlex.split(rest))
