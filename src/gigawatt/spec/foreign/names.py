"""Names, variables and accelerators of a foreign file in this system's spelling."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from gigawatt.spec.foreign.findings import Findings
from gigawatt.spec.limits import NAME_CHARS_MAX
from gigawatt.spec.names import NAME_PATTERN, env_name_fault

_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_SECRET = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|CREDENTIALS?)(?:_|$)",
    re.IGNORECASE,
)
KINDS_ADVICE = "name the kinds that `gw nodes` shows in gang.gpu_kinds, or take any"


def name_of(text: str, fallback: str = "") -> str:
    """The nearest name that is allowed here; `fallback` where nothing is left of it."""
    if re.match(NAME_PATTERN, text):
        return text
    name = _NOT_IN_NAMES.sub("-", text.lower()).strip("-")[:NAME_CHARS_MAX].strip("-")
    return name or fallback


def told_name(text: str, *, key: str, line: int, findings: Findings) -> str:
    """The name for `text`, with a note where it had to be changed."""
    name = name_of(text)
    if name != text and text:
        findings.note(key, line, f"{text!r} is no name here; it is {name or 'made up'!r} now")
    return name


def env_of(
    values: Mapping[str, Any],
    *,
    key: str,
    line_of: Callable[[str], int],
    replica: bool,
    findings: Findings,
) -> dict[str, str]:
    """Variables that a job may set; those without a value and those that are set here are told."""
    kept: dict[str, str] = {}
    for name, value in values.items():
        line, full = line_of(name), f"{key}.{name}"
        fault = env_name_fault(name, replica=replica)
        if fault:
            findings.note(full, line, fault[0], "leave it out, or " + fault[1])
        elif value is None or value == "":
            advice = f"`gw run FILE --env {name}=…`, from a file that is not shared if it is secret"
            findings.note(full, line, "has no value in the file", advice)
        elif "${{" in str(value):
            detail = "is filled in by the other system, and is left out"
            findings.note(full, line, detail, f"write its value, or `gw run FILE --env {name}=…`")
        elif _SECRET.search(name):
            detail = (
                "looks like a secret and is left out: a job's variables are shown to its readers"
            )
            findings.note(full, line, detail, "let the program read it from a file on the node")
        else:
            kept[name] = _text(value)
    return kept


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
