"""Set-up commands: where they only install packages they are an environment, and otherwise they come before the program."""

import re
from typing import Any

from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.foreign.script import lines_of, words_of

_INSTALL = re.compile(r"(?:uv\s+)?pip3?\s+install\s|python3?\s+-m\s+pip\s+install\s")
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[A-Za-z0-9,._-]+\])?(?:[=<>!~]=?[^\s$`]+)?"
)
_IDLE = frozenset({"-U", "--upgrade", "-q", "--quiet", "--no-cache-dir", "--system", "-y"})
_FILES = frozenset({"-r", "--requirement"})
ADVICE = "packages belong into `environment`, which is built once, not at each start"


def environment_of(setup: str, python: str, base: str = "") -> dict[str, Any] | None:
    """The environment that `setup` makes if it does nothing else; None where it does. Files start at `base`."""
    packages: list[str] = []
    files: list[str] = []
    for line in lines_of(setup):
        if line.blank or re.fullmatch(r"\s*echo\s[^;&|>]*", line.text):
            continue
        match = _INSTALL.match(line.text.strip())
        if match is None or not _read(line.text.strip()[match.end() :], packages, files):
            return None
    if not (packages or files) or (packages and files) or len(files) > 1:
        return None
    environment: dict[str, Any] = {"kind": "uv", **({"python": python} if python else {})}
    if files:
        path = files[0].removeprefix("./")
        return {**environment, "requirements_file": f"{base}/{path}" if base else path}
    return {**environment, "requirements": packages}


def with_setup(setup: str, script: str, *, key: str, line: int, findings: Findings) -> str:
    """The script with `setup` before it, which is told."""
    if not setup.strip():
        return script
    detail = "runs at each start, on each rank, before the program"
    findings.note(key, line, detail, ADVICE)
    return f"{setup.rstrip()}\n\n{script.lstrip()}"


def _read(arguments: str, packages: list[str], files: list[str]) -> bool:
    """Whether all of pip's arguments are understood; those go to `packages` and `files`."""
    words = words_of(arguments)
    at = 0
    while at < len(words):
        word = words[at].plain
        at += 1
        if word in _FILES and at < len(words):
            files.append(words[at].plain)
            at += 1
        elif word in _IDLE:
            continue
        elif words[at - 1].operator or not _REQUIREMENT.fullmatch(word):
            return False
        else:
            packages.append(word)
    return True
