"""`gw version`: this program's version and, where one answers, the instance's."""

import click

from gigawatt.cli.session import Session, with_session
from gigawatt.version import __version__


@click.command("version")
@with_session
def version(session: Session) -> None:
    """Print the version of gw, and what the instance that it would ask is."""
    from gigawatt.sdk.errors import UnreachableError

    try:
        instance = session.client.instance()
    except UnreachableError as error:
        if session.as_json:
            session.show_json({"gw": __version__, "instance": None})
        else:
            click.echo(f"gw        {__version__}")
            session.say(str(error))
        return
    if session.as_json:
        session.show_json({"gw": __version__, "instance": instance})
        return
    from gigawatt.cli.style import show_fields

    show_fields(
        [
            ("gw", __version__),
            ("instance", instance["version"]),
            ("api", instance["api_url"]),
            ("gateway", instance["gateway_url"]),
            ("engine", str(instance["engine"].get("name", ""))),
            ("store", instance["store"]),
            ("epoch", str(instance["epoch"])),
        ]
    )
