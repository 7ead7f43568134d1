"""`gw up`: start gigawatt on this machine."""

from pathlib import Path
from typing import Any

import click


@click.command("up")
@click.option("--data", type=click.Path(path_type=Path), help="The directory that holds all state.")
@click.option("--host", help="The address that the API listens on.  [default: 127.0.0.1]")
@click.option(
    "--port", type=int, help="The port of API and console; 0 is a free one.  [default: 8484]"
)
@click.option(
    "--gateway-port", type=int, help="The gateway's port; 0 is a free one.  [default: 8485]"
)
@click.option("--nodes", type=int, help="Virtual nodes to share this machine out to.  [default: 1]")
@click.option("--engine", help="What runs processes: local.  [default: local]")
@click.option("--store", metavar="URL", help="The database; default: SQLite in the data directory.")
@click.option("--detach", is_flag=True, help="Return when it is ready, and leave it running.")
def up(*, detach: bool, **given: Any) -> None:
    """Start the control plane, the gateway and the nodes of this machine.

    GIGAWATT_DATA, GIGAWATT_PORT and so on set the same; options win. Jobs run on when it stops with Ctrl-C.
    """
    from gigawatt import server, settings

    chosen = settings.from_environment()
    for name, value in given.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            chosen = settings.with_value(chosen, name, value, source=option)
    options = server.UpOptions(settings=chosen, detach=detach)
    raise click.exceptions.Exit(server.up(options))
