"""`gw up`: start gigawatt on this machine."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.colour import painted

if TYPE_CHECKING:
    from gigawatt.server.instance import Instance


@click.command("up")
@click.option("--data", type=click.Path(path_type=Path), help="The directory that holds all state.")
@click.option("--host", help="The address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, help="The API's port; 0 is a free one.  [default: 8484]")
@click.option("--gateway-port", type=int, help="The gateway's; 0 is a free one.  [default: 8485]")
@click.option("--nodes", type=int, help="Virtual nodes to share this machine out to.  [default: 1]")
@click.option("--engine", help="What runs processes: local, ray or slurm.  [default: local]")
@click.option("--policy", help="Who starts when, by name: default, levels, …  [default: default]")
@click.option(
    "--placement", help="Which nodes, by name: best, first, fgd, …  [default: the policy's]"
)
@click.option("--levels", metavar="TIMES", help="Of the policy levels, e.g. 8h,3d.")
@click.option("--slurm-rest", metavar="URL", help="slurmrestd's; default: Slurm's commands.")
@click.option("--store", metavar="URL", help="The database; default: SQLite in the data directory.")
@click.option("--tls", is_flag=True, help="Serve by TLS, with a local authority of its own.")
@click.option("--tls-cert", metavar="FILE", help="Serve by TLS with this certificate, PEM.")
@click.option("--tls-key", metavar="FILE", help="Its key, PEM.")
@click.option("--tls-names", metavar="NAMES", help="Names of this machine, for --tls and URLs.")
@click.option("--insecure-no-tls", is_flag=True, help="Serve other machines without TLS.")
@click.option("--isolation", metavar="CLASS", help="Of gangs at least: auto, process, user, none.")
@click.option("--detach", is_flag=True, help="Return when it is ready, and leave it running.")
@click.option("--standby", is_flag=True, help="Where another leads, wait and take over at its end.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    help="What is said when it is ready: for people, or instance.json's content.",
)
def up(*, detach: bool, standby: bool, output: str, **given: Any) -> None:
    """Start the control plane, the gateway and the nodes of this machine.

    Without --detach, Ctrl-C stops it and what runs on it. GIGAWATT_DATA, GIGAWATT_PORT, GIGAWATT_NODES and so on set
    what the options do; options win.
    """
    from gigawatt import server, settings
    from gigawatt.server.walls import sentence

    chosen = settings.from_environment()
    for flag in ("tls", "insecure_no_tls"):
        given[flag] = "on" if given[flag] else None
    for path in ("tls_cert", "tls_key"):
        given[path] = given[path] and str(Path(given[path]).absolute())
    for name, value in given.items():
        if value is not None:
            option = f"--{name.replace('_', '-')}"
            chosen = settings.with_value(chosen, name, value, source=option)
    data = chosen.data

    def ready(instance: "Instance") -> None:
        if output == "json":
            click.echo(json.dumps(asdict(instance), indent=2))
        else:
            _say_ready(instance, data, walls=sentence(chosen), detach=detach)

    def waits(whom: str) -> None:
        click.echo(f"standing by: {whom}", err=True)

    options = server.UpOptions(settings=chosen, detach=detach, waits=waits if standby else None)
    raise click.exceptions.Exit(server.up(options, ready=ready))


def _say_ready(instance: "Instance", data: Path, *, walls: str, detach: bool) -> None:
    from gigawatt.sdk.instance import data_option

    option = data_option(data)
    stop = f"gw down{option}" if detach else f"Ctrl-C, or gw down{option}"
    lines = [
        ("api", instance.api_url),
        ("gateway", f"{instance.gateway_url}/v1"),
        ("data", str(data)),
        ("token", f"{instance.token_path} (gw on this machine finds it)"),
        ("try", f"gw run{option} -- python -c 'print(1)'"),
        ("walls", walls),
        ("stop", stop),
    ]
    click.echo(painted("gigawatt is ready", bold=True), err=True)
    for name, value in lines:
        click.echo(f"  {name.ljust(8)} {value}", err=True)
