"""A dstack dev environment as a workspace."""

from typing import Any

from gigawatt.spec.foreign.amounts import shown_span
from gigawatt.spec.foreign.dstack_resources import gang_of
from gigawatt.spec.foreign.dstack_volumes import dstack_volumes
from gigawatt.spec.foreign.names import env_of, told_name
from gigawatt.spec.foreign.packages import environment_of
from gigawatt.spec.foreign.section import Section
from gigawatt.spec.units import UnitError, duration_s

TAKEN = frozenset(
    {
        *("type", "name", "ide", "init", "env", "python", "resources", "priority"),
        *("repos", "files", "max_duration", "inactivity_duration", "volumes"),
    }
)
TOLD = {
    "version": "what is installed on the node is started",
    "nodes": "a workspace is on one node",
    "working_dir": "a workspace begins in its home, or in the bundle below it",
    "retry": "a workspace whose node is lost starts again by itself",
    "stop_duration": "a suspended workspace gets 5 s",
}
BY_SSH = frozenset({"cursor", "windsurf", "zed"})
DEFAULT_NAME = "dev"


def workspace_of(section: Section, *, bundle: str) -> dict[str, Any]:
    """The workspace of a section whose keys are known. Raises RefusalError."""
    name = told_name(
        section.text("name"), key="name", line=section.line("name"), findings=section.findings
    )
    found: dict[str, Any] = {
        "kind": "workspace",
        "name": name or DEFAULT_NAME,
        "program": _program(section),
    }
    gang = {key: value for key, value in gang_of(section).items() if key != "nodes"}
    if gang:
        found["gang"] = gang
    if environment := _environment(section):
        found["environment"] = environment
    if bundle:
        found["bundle"] = bundle
    env = env_of(
        section.variables("env"),
        key="env",
        line_of=lambda each: section.line(f"env.{each}"),
        replica=True,
        findings=section.findings,
    )
    if env:
        found["env"] = env
    if volumes := dstack_volumes(section):
        found["volumes"] = volumes
    if priority := section.whole("priority", 0):
        found["priority"] = priority
    for key, ours in (("inactivity_duration", "idle"), ("max_duration", "lease")):
        if seconds := _seconds(section, key):
            found[ours] = shown_span(seconds)
    return found


def _program(section: Section) -> str:
    ide = section.text("ide")
    if not ide:
        return "shell"
    if ide in BY_SSH:
        detail = f"{ide} connects by SSH from its own window, and nothing here speaks SSH"
        section.note("ide", detail, "VS Code in a browser takes its place; JupyterLab does too")
    return "vscode"


def _environment(section: Section) -> dict[str, Any] | None:
    """Commands that only install packages are the environment; others are for a person to run once."""
    commands = section.texts("init")
    python = section.text("python")
    environment = environment_of("\n".join(commands), python) if commands else None
    if commands and environment is None:
        advice = "run them once in a terminal: the home keeps what they leave there"
        section.note("init", "its commands are not run at the start", advice)
    if python and environment is None:
        detail = f"{python} alone makes no environment; it is the machine's own Python"
        section.note("python", detail, "write packages under `environment`")
    return environment


def _seconds(section: Section, key: str) -> int:
    """0 for none, and for `off`."""
    value = section.data.get(key)
    if value is None or isinstance(value, bool) or value == "off":
        return 0
    try:
        return duration_s(value)
    except UnitError as error:
        raise section.wrong(key, error.detail, error.hint) from None
