"""What each engine passes, as the documentation says it."""

import re
from pathlib import Path

from gigawatt.engine.conformance import Case

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "engines.md"
ENGINES = ("local", "ray", "slurm", "twin")
RESULTS = {"yes": "passed", "–": "unsupported"}


def documented() -> dict[str, dict[str, str]]:
    """Results by case and engine, in the table's order."""
    cells = re.findall(r"^\| `([a-z-]+)` \|(.+)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    table: dict[str, dict[str, str]] = {}
    for name, rest in cells:
        words = [word.strip() for word in rest.split("|")]
        table[name] = {engine: RESULTS[word] for engine, word in zip(ENGINES, words, strict=True)}
    return table


def as_documented(case: Case, engine: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """What came of a case and what should have, each with what was seen."""
    return (case.result, case.evidence), (documented()[case.name][engine], case.evidence)
