"""From the flags and the file of `gw dev` to what the API takes, before anything is sent."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.commands.run_spec import environment_fields, secret_fields
from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Command, pairs

if TYPE_CHECKING:
    from gigawatt.sdk.jobfile import Written

SUFFIXES = {".yaml", ".yml", ".json"}
KINDS = ("jupyter", "vscode", "shell")

_OPTIONS = (
    click.option("--kind", type=click.Choice(KINDS), help="What to work in; default jupyter."),
    click.option(
        "--like",
        metavar="JOB",
        shell_complete=job_names,
        help="Environment, code, variables, volumes and resources of a job.",
    ),
    click.option("--cpus", type=float, help="CPUs; default 1."),
    click.option("--memory", help="Memory, e.g. 16GiB."),
    click.option("--gpus", type=float, help="GPUs; a fraction shares one."),
    click.option(
        "--volume",
        "volumes",
        multiple=True,
        metavar="NAME[:V][:PATH[:rw]]",
        help="A volume to see there, e.g. imagenet:3 or scratch:out:rw.",
    ),
    click.option(
        "--secret",
        "secrets",
        multiple=True,
        metavar="VARIABLE=NAME[:file]",
        help="A secret of the project in a variable, or as a file alone.",
    ),
    click.option("--env", multiple=True, metavar="NAME=VALUE", help="An environment variable."),
    click.option("--environment", help="host, or the path of a lock (exact pins) for uv."),
    click.option(
        "--requirements", type=click.Path(path_type=Path), help="A requirements file for uv."
    ),
    click.option("--python", help='Python of the environment, e.g. "3.11".'),
    click.option(
        "--bundle", type=click.Path(path_type=Path), help="Code to put into the home at first."
    ),
    click.option("--idle", help="Suspend it when unused for this long, e.g. 30m."),
    click.option("--for", "lease", help="Suspend it after this long in any case, e.g. 8h."),
    click.option("--priority", type=int, help="-1000 to 1000; default 100."),
    click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="A label."),
)


def dev_options(command: Command) -> Command:
    """The options that say what a workspace is."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class DevFlags:
    """The flags of `gw dev` that say what a workspace is; None or empty where one was not given."""

    kind: str | None
    like: str | None
    cpus: float | None
    memory: str | None
    gpus: float | None
    volumes: tuple[str, ...]
    secrets: tuple[str, ...]
    env: tuple[str, ...]
    environment: str | None
    requirements: Path | None
    python: str | None
    bundle: Path | None
    idle: str | None
    lease: str | None
    priority: int | None
    labels: tuple[str, ...]

    def fields(self) -> dict[str, Any]:
        """The fields of a workspace that they set. Raises click.UsageError."""
        gang = {"cpus": self.cpus, "memory": self.memory, "gpus": self.gpus}
        fields: dict[str, Any] = {
            "program": self.kind,
            "like": self.like,
            "gang": {name: each for name, each in gang.items() if each is not None},
            "volumes": list(self.volumes),
            "secrets": secret_fields(self.secrets),
            "env": dict(pairs(self.env, "--env")),
            "labels": dict(pairs(self.labels, "--label")),
            "environment": environment_fields(self.environment, self.requirements, self.python),
            "bundle": str(self.bundle.absolute()) if self.bundle else None,
            "idle": self.idle,
            "lease": self.lease,
            "priority": self.priority,
        }
        return {name: value for name, value in fields.items() if value not in (None, {}, [])}


def written_workspace(what: str, flags: dict[str, Any]) -> "Written":
    """The one that a file describes, or that is named, with what flags set. Raises RefusalError."""
    from gigawatt.model.refusal import RefusalCode, RefusalError
    from gigawatt.sdk.jobfile import Written, read_file

    path = Path(what)
    if path.suffix not in SUFFIXES:
        fields = {"name": what, **flags}
        return Written(kind="workspace", fields=fields, base=Path.cwd())
    found = read_file(path)
    for each in found:
        if each.kind != "workspace":
            verb = "serve" if each.kind == "endpoint" else "run"
            detail = f"a {each.kind}, and gw dev takes workspaces"
            wrong = RefusalError(
                RefusalCode.INVALID, detail, field="kind", hint=f"gw {verb} {what}"
            )
            raise each.located(wrong)
    if len(found) != 1:
        detail = f"{what} holds {len(found)} workspaces, and gw dev takes one"
        raise RefusalError(RefusalCode.INVALID, detail, field="file")
    return found[0].over(flags)
