"""The project's files as the house tests read them: what git tracks or would, so that no leftover counts."""

import ast
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PURE = ("ledger", "model", "planning", "reconcile", "routing", "scheduler", "spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Python file: where it is, relative to the root, and what is in it."""

    path: str
    text: str

    @property
    def tree(self) -> ast.Module:
        return _parsed(self.text)

    @property
    def package(self) -> str:
        """The package of gigawatt that it belongs to, or the empty string."""
        parts = self.path.split("/")
        return parts[2] if parts[:2] == ["src", "gigawatt"] and len(parts) > 3 else ""


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all files that are, or could be, committed; without git, of all but hidden folders' files."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = listed.stdout.decode().split("\0")
    else:
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
        names = [name for name in names if not name.startswith((".venv", ".git/"))]
    return tuple(sorted(name for name in names if name and (ROOT / name).is_file()))


@cache
def sources() -> tuple[Source, ...]:
    """Every Python file of the project."""
    return tuple(
        Source(path=path, text=(ROOT / path).read_text())
        for path in tracked()
        if path.endswith(".py")
    )


@cache
def text_files() -> tuple[tuple[str, str], ...]:
    """Path and text of every tracked file that is text."""
    found: list[tuple[str, str]] = []
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data:
            found.append((path, data.decode(errors="replace")))
    return tuple(found)


def expect_none(faults: Iterable[str]) -> None:
    """Fail with the whole list, a fault a line."""
    __tracebackhide__ = True
    found = list(faults)
    assert not found, "\n" + "\n".join(found)


def sample(text: str, path: str = "src/gigawatt/model/sample.py") -> Source:
    """A file that breaks a rule, for the test that the rule can be broken."""
    return Source(path=path, text=text)


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)
