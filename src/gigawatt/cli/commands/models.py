"""`gw models`: the registry."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.models_pull import pull
from gigawatt.cli.complete import model_names
from gigawatt.cli.following import upload_bar
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, pairs, with_project, with_session
from gigawatt.spec.limits import CARD_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from gigawatt.sdk.model_views import ModelVersionView, ModelView

TYPES_SHOWN = 2


@click.group("models", cls=NounGroup)
def models() -> None:
    """List, show, push and alias models. `gw models` lists, `gw models NAME` shows one."""


models.add_command(pull)


@models.command("show")
@click.argument("name", required=False, shell_complete=model_names)
@with_project
@with_session
def show(session: Session, *, name: str | None) -> None:
    """Show the model NAME with its versions; without NAME, list all models."""
    if name:
        _show_one(session, session.client.models.find(name))
    else:
        _list(session)


@models.command("list")
@with_project
@with_session
def list_models(session: Session) -> None:
    """List models."""
    _list(session)


@models.command("push")
@click.argument("name")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--alias", "aliases", multiple=True, help="An alias that means this version.")
@click.option("--metric", "metrics", multiple=True, metavar="NAME=NUMBER", help="A figure of it.")
@click.option("--allow-pickle", is_flag=True, help="Take pickles too: loading one runs its code.")
@with_project
@with_session
def push(
    session: Session,
    *,
    name: str,
    directory: Path,
    aliases: tuple[str, ...],
    metrics: tuple[str, ...],
    allow_pickle: bool,
) -> None:
    """Store the files of DIRECTORY and register them as the next version of NAME.

    Pickles are refused unless asked for. A push that broke goes on where it was.
    """
    figures = _metrics(metrics)
    with upload_bar(session, name) as progress:
        view = session.client.models.push(
            name,
            directory,
            allow_pickle=allow_pickle,
            aliases=aliases,
            metrics=figures,
            progress=progress,
        )
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["ref"])
    session.say(f"{view['ref']}: {form.size(view['size_bytes'])}, {view['digest']}")


@models.command("import")
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--alias", "aliases", multiple=True, help="An alias that means this version.")
@click.option("--allow-pickle", is_flag=True, help="Take pickles too: loading one runs its code.")
@with_project
@with_session
def import_files(
    session: Session, *, name: str, path: Path, aliases: tuple[str, ...], allow_pickle: bool
) -> None:
    """Check PATH and register it as the next version of NAME.

    PATH is a directory in Hugging Face's layout, or a safetensors or GGUF file. What is damaged or incomplete is refused
    before anything is sent.
    """
    with upload_bar(session, name) as progress:
        view = session.client.models.import_files(
            name, path, allow_pickle=allow_pickle, aliases=aliases, progress=progress
        )
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["ref"])
    session.say(f"{view['ref']}: {weights_line(view)}, {form.size(view['size_bytes'])}")


@models.command("export")
@click.argument("reference", metavar="NAME[:V|@ALIAS]", shell_complete=model_names)
@click.argument("directory", type=click.Path(path_type=Path))
@with_project
@with_session
def export(session: Session, *, reference: str, directory: Path) -> None:
    """Put the files of a version below DIRECTORY, as they were registered, verified; a broken export goes on."""
    with upload_bar(session, reference) as progress:
        view = session.client.models.export(reference, directory, progress=progress)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(str(directory))
    session.say(
        f"{view['ref']}: {form.size(view['size_bytes'])}, verified against {view['digest']}"
    )


@models.command("alias")
@click.argument("name", shell_complete=model_names)
@click.argument("alias")
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--remove", is_flag=True, help="Take the alias away.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for `gw models history`.")
@with_project
@with_session
def alias(
    session: Session, *, name: str, alias: str, number: int | None, remove: bool, reason: str
) -> None:
    """Let NAME@ALIAS mean version NUMBER from now on."""
    if remove == (number is not None):
        raise click.UsageError("give the number of a version, or --remove")
    if number is None:
        view = session.client.models.unalias(name, alias, reason=reason)
        session.say(f"{name}@{alias} means nothing any more")
    else:
        view = session.client.models.alias(name, alias, number, reason=reason)
        session.say(f"{name}@{alias} is {name}:{number}")
    if session.as_json:
        session.show_json(view)


@models.command("history")
@click.argument("name", shell_complete=model_names)
@click.option("--alias", default="", help="Of this alias alone.")
@with_project
@with_session
def history(session: Session, *, name: str, alias: str) -> None:
    """Show who moved NAME's aliases from which version to which, when and why; newest first."""
    moves = list(session.client.models.moves(name, alias=alias))
    if session.as_json:
        session.show_json(moves)
        return
    from gigawatt.cli.style import Column, show_table

    if not moves:
        session.say(f"no alias of {name} was moved yet: gw models alias {name} ALIAS NUMBER")
        return
    columns = [
        Column(name="ALIAS", style="bold"),
        Column(name="FROM", right=True),
        Column(name="TO", right=True),
        Column(name="AGE", right=True),
        Column(name="BY"),
        Column(name="REASON", wraps=True),
    ]
    rows = [
        [
            each["alias"],
            str(each["before"] or form.NOTHING),
            str(each["after"] or form.NOTHING),
            form.age(each["at_ms"], session.now_ms),
            each["by"],
            each["reason"] or form.NOTHING,
        ]
        for each in moves
    ]
    show_table(columns, rows)


@models.command("card")
@click.argument("reference", metavar="NAME[:V|@ALIAS]", shell_complete=model_names)
@click.option(
    "--set",
    "file",
    type=click.File("r", encoding="utf-8"),
    help="Take the card from this file; - is stdin.",
)
@with_project
@with_session
def card(session: Session, *, reference: str, file: "TextIO | None") -> None:
    """Print a version's card, or set it: Markdown, led by metadata in YAML between lines of `---`.

    A version that was given none shows the README.md among its files.
    """
    if file is not None:
        view = session.client.models.set_card(reference, _text(file))
        session.say(f"{view['ref']} has another card, of {len(view['text'])} characters")
    else:
        view = session.client.models.card(reference)
    if session.as_json:
        session.show_json(view)
    elif file is None and view["text"]:
        click.echo(view["text"].rstrip("\n"))
    elif file is None:
        session.say(f"{view['ref']} has no card: gw models card {view['ref']} --set FILE")


def weights_line(version: "ModelVersionView") -> str:
    """`safetensors, 1.1B BF16, LlamaForCausalLM`."""
    weights = version.get("weights")
    if weights is None:
        return form.NOTHING
    if weights["problem"]:
        return "damaged"
    types = list(weights["dtypes"])
    parameters = form.count(weights["parameters"]).replace(
        "G", "B"
    )  # billions, as models are named
    amount = f"{parameters} {'+'.join(types[:TYPES_SHOWN])}" if types else ""
    return ", ".join(part for part in (weights["format"], amount, weights["architecture"]) if part)


def _text(file: "TextIO") -> str:
    """Raises click.BadParameter."""
    try:
        return file.read(CARD_CHARS_MAX + 1)
    except UnicodeDecodeError as error:
        raise click.BadParameter("it is not UTF-8 text", param_hint="--set") from error


def _metrics(given: tuple[str, ...]) -> "Mapping[str, float]":
    """Raises click.BadParameter."""
    found: dict[str, float] = {}
    for key, text in pairs(given, "--metric").items():
        try:
            found[key] = float(text)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is not a number", param_hint="--metric") from error
    return found


def _list(session: Session) -> None:
    page = session.client.models.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import DIM, Column, show_table

    if not page["items"]:
        session.say(
            "no models yet: gw models pull SOURCE, gw models push NAME DIRECTORY, or `model:` in a job"
        )
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="NEWEST", right=True),
        Column(name="ALIASES"),
        Column(name="SIZE", right=True),
        Column(name="AGE", right=True),
        Column(name="DIGEST", style=DIM),
    ]
    show_table(columns, [_model_row(each, session.now_ms) for each in page["items"]])


def _model_row(model: "ModelView", now_ms: int) -> list[str]:
    aliases = " ".join(f"{name}={number}" for name, number in sorted(model["aliases"].items()))
    newest = model["versions"][0] if model["versions"] else None
    return [
        model["name"],
        str(model["newest"]),
        aliases or form.NOTHING,
        form.size(newest["size_bytes"]) if newest else form.NOTHING,
        form.age(newest["created_ms"], now_ms) if newest else form.NOTHING,
        form.short_digest(newest["digest"]) if newest else form.NOTHING,
    ]


def _show_one(session: Session, model: "ModelView") -> None:
    if session.as_json:
        session.show_json(model)
        return
    from gigawatt.cli.style import DIM, Column, show_table

    columns = [
        Column(name="VERSION", style="bold"),
        Column(name="ALIASES"),
        Column(name="SIZE", right=True),
        Column(name="AGE", right=True),
        Column(name="FROM"),
        Column(name="WEIGHTS"),
        Column(name="DIGEST", style=DIM),
        Column(name="METRICS", wraps=True),
    ]
    rows = [_version_row(model, each, session.now_ms) for each in model["versions"]]
    show_table(columns, rows)


def _version_row(model: "ModelView", version: "ModelVersionView", now_ms: int) -> list[str]:
    aliases = sorted(
        name for name, number in model["aliases"].items() if number == version["number"]
    )
    lineage = version["lineage"]
    job = f"{lineage['job']}.{lineage['attempt']}" if lineage["job"] else version["created_by"]
    figures = [f"{name}={value:.4g}" for name, value in sorted(version["metrics"].items())]
    return [
        version["ref"],
        " ".join(aliases) or form.NOTHING,
        form.size(version["size_bytes"]),
        form.age(version["created_ms"], now_ms),
        job,
        weights_line(version),
        form.short_digest(version["digest"]),
        " ".join(figures),
    ]
