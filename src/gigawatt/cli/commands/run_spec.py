"""From the files, the command and the flags of `gw run` to what the API takes, before anything is sent."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.commands.gang_flags import NO_GANG, GangFlags
from gigawatt.cli.commands.run_filling import NO_FILLING, Filling
from gigawatt.cli.session import pairs

if TYPE_CHECKING:
    from gigawatt.sdk.jobfile import Ready, Written

STDIN = Path("-")
PROGRAMS = {".py": "python", ".sh": "bash"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of `gw run` that say what a job is; None or empty where one was not given."""

    name: str | None = None
    gang: GangFlags = NO_GANG
    env: tuple[str, ...] = ()
    environment: str | None = None
    requirements: Path | None = None
    python: str | None = None
    bundle: Path | None = None
    no_bundle: bool = False
    priority: int | None = None
    timeout: str | None = None
    start_after: str | None = None
    start_before: str | None = None
    deadline: str | None = None
    finish_within: str | None = None
    at_deadline: str | None = None
    retries: int | None = None
    after: tuple[str, ...] = ()
    after_failed: tuple[str, ...] = ()
    after_done: tuple[str, ...] = ()
    after_each: str | None = None
    start_from: str | None = None
    labels: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    model: str | None = None
    array: str | None = None
    sweep: tuple[str, ...] = ()
    max_failures: int | None = None
    terminal: bool = False
    isolation: str | None = None

    @classmethod
    def taken_from(cls, given: dict[str, Any]) -> "Flags":
        """Of the options of a command, all of which say what a job is."""
        return cls(gang=GangFlags.taken_from(given), **given)

    def fields(self) -> dict[str, Any]:
        """The fields of a job that they set, in the job file's words. Raises click.UsageError."""
        fields: dict[str, Any] = {
            "name": self.name,
            "priority": self.priority,
            "timeout": self.timeout,
            "start_after": self.start_after,
            "start_before": self.start_before,
            "deadline": self.deadline,
            "finish_within": self.finish_within,
            "at_deadline": self.at_deadline,
            "retries": {"user": self.retries} if self.retries is not None else None,
            "gang": self.gang.fields(),
            "env": pairs(self.env, "--env"),
            "labels": pairs(self.labels, "--label"),
            "after": list(self.after),
            "after_failed": list(self.after_failed),
            "after_done": list(self.after_done),
            "after_each": self.after_each,
            "volumes": list(self.volumes),
            "secrets": secret_fields(self.secrets),
            "from": self.start_from,
            "environment": environment_fields(self.environment, self.requirements, self.python),
            "bundle": self._bundle(),
            "model": self._model(),
            "terminal": self.terminal or None,
            "isolation": self.isolation,
            "array": self._array(),
            "sweep": {k: v.split(",") for k, v in pairs(self.sweep, "--sweep").items()},
        }
        return {name: value for name, value in fields.items() if value not in (None, {}, [])}

    def _bundle(self) -> str | None:
        if self.no_bundle:
            if self.bundle:
                raise click.UsageError("--bundle and --no-bundle exclude each other")
            return ""
        return str(self.bundle.absolute()) if self.bundle else None

    def _array(self) -> dict[str, Any]:
        """Which tasks; over a file that says how many, how many at once is merged in."""
        if self.array is None and self.max_failures is None:
            return {}
        indices, _, parallel = (self.array or "").partition("%")
        if parallel and not parallel.isdecimal():
            raise click.BadParameter(f"{parallel!r} is no number", param_hint="--array")
        array: dict[str, Any] = {
            "count": int(indices) if indices.isdecimal() else None,
            "indices": None if indices.isdecimal() else indices or None,
            "parallel": int(parallel) if parallel else None,
            "max_failures": self.max_failures,
        }
        return {name: value for name, value in array.items() if value is not None}

    def _model(self) -> dict[str, Any] | None:
        if not self.model:
            return None
        ((name, path),) = pairs((self.model,), "--model").items()
        return {"name": name, "path": path}


def written_jobs(
    files: tuple[Path, ...],
    command: tuple[str, ...],
    flags: Flags,
    filling: Filling = NO_FILLING,
) -> "list[Ready]":
    """Everything to submit, with the files read that it names; each job after those it names in `after`.

    Raises:
        click.UsageError: neither a file nor a command, or both.
        RefusalError: a file is missing, is not YAML, or says something that no job can be; jobs that come after
            each other in a circle.
    """
    from gigawatt.sdk.jobfile import made_ready, with_values

    if filling.template:
        if files or command:
            raise click.UsageError("--template takes the place of files and commands")
        return [filling.job(flags.fields())]
    if files and command:
        raise click.UsageError("give files or a command after `--`, not both")
    if not files and not command:
        raise click.UsageError("nothing to run: name a file, or write a command after `--`")
    if command and filling.parameters:
        raise click.UsageError("-p gives values to a file or a template that declares parameters")
    fields = flags.fields()
    read = [_of_command(command)] if command else [job for file in files for job in _read(file)]
    written = read if command else with_values(tuple(read), filling.values())
    if flags.name and len(written) > 1:
        raise click.UsageError(f"--name takes one job, and there are {len(written)}")
    ready = [made_ready(each.over(fields)) for each in written]
    return [ready[index] for index in _order(ready)] if len(ready) > 1 else ready


def environment_fields(
    environment: str | None, requirements: Path | None, python: str | None
) -> dict[str, Any] | str | None:
    """The environment that flags name: host, a lock, or a requirements file. Raises click.UsageError."""
    if environment and requirements:
        raise click.UsageError("--environment and --requirements exclude each other")
    if python and (environment == "host" or not (environment or requirements)):
        raise click.UsageError("--python goes with --requirements or a lock")
    if environment == "host":
        return "host"
    found: dict[str, Any] = {"kind": "uv", "python": python} if python else {"kind": "uv"}
    if requirements:
        return {**found, "requirements_file": str(requirements.absolute())}
    return {**found, "lock": str(Path(environment).absolute())} if environment else None


def secret_fields(written: tuple[str, ...]) -> dict[str, Any]:
    """What flags say of secrets, VARIABLE=NAME or VARIABLE=NAME:file. Raises click.UsageError."""
    return {
        variable: {"secret": name, "into": into} if into else name
        for variable, text in pairs(written, "--secret").items()
        for name, _, into in (text.partition(":"),)
    }


def default_bundle(here: Path, home: Path) -> str:
    """The directory whose code a bare command takes along: this one, unless it is a home or the root."""
    return "" if here in {home, Path(here.anchor)} else str(here)


def command_word(command: tuple[str, ...]) -> str | list[str]:
    """What a job file would say: one word with spaces in it runs under a shell."""
    shell = len(command) == 1 and " " in command[0]
    return command[0] if shell else list(command)


def _of_command(command: tuple[str, ...]) -> "Written":
    from gigawatt.sdk.jobfile import Written

    here = Path.cwd()
    fields: dict[str, Any] = {"command": command_word(command)}
    bundle = default_bundle(here, Path.home())
    if bundle:
        fields["bundle"] = bundle
    return Written(kind="job", fields=fields, base=here)


def _read(file: Path) -> "tuple[Written, ...]":
    from gigawatt.model.refusal import RefusalCode, RefusalError
    from gigawatt.sdk.jobfile import read_file, read_written

    program = PROGRAMS.get(file.suffix)
    if program:
        detail = f"{file} is a program, not a job file"
        raise RefusalError(RefusalCode.INVALID, detail, hint=f"gw run -- {program} {file}")
    if file == STDIN:
        found = read_written(sys.stdin.read(), source="<stdin>", base=Path.cwd())
    elif not file.exists():
        hint = f"a command goes after `--`: gw run -- {file} …" if not file.suffix else ""
        raise RefusalError(RefusalCode.NOT_FOUND, f"no such file: {file}", hint=hint)
    else:
        found = read_file(file)
    for each in found:
        if each.kind != "job":
            raise each.located(
                RefusalError(
                    RefusalCode.INVALID,
                    f"{_one(each.kind)}, and gw run takes jobs",
                    field="kind",
                    hint=f"gw {'serve' if each.kind == 'endpoint' else 'dev'} {file}",
                )
            )
    return found


def _one(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _order(ready: "list[Ready]") -> tuple[int, ...]:
    from gigawatt.spec.order import order_by_after

    return order_by_after([(_name(each), _earlier(each)) for each in ready])


def _name(ready: "Ready") -> str:
    return str(ready.fields.get("name", ""))


def _earlier(ready: "Ready") -> list[str]:
    from gigawatt.model.array import task_reference

    found: list[str] = []
    for way in ("after", "after_failed", "after_done", "after_each"):
        names: str | list[str] = ready.fields.get(way) or []
        found += [names] if isinstance(names, str) else names
    return [task[0] if (task := task_reference(name)) else name for name in found]
