"""What narrows a list: texts of ours with places for values, which travel beside the statement and never in it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Conditions:
    arguments: list[object] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def add(self, text: str, *values: object) -> None:
        """*text* has one `{}` for each of *values*."""
        self.texts.append(text)
        self.arguments += values

    def where(self, before: int = 0) -> str:
        """*before*: how many arguments the statement has before these."""
        if not self.texts:
            return ""
        places = (f"${place}" for place in range(before + 1, before + 1 + len(self.arguments)))
        return f"WHERE {' AND '.join(self.texts)}".format(*places)
