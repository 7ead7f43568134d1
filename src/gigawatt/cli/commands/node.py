"""`gw node`: this machine as a node of a cluster."""

import re
import socket
from pathlib import Path

import click

from gigawatt.cli.lazy import NounGroup

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@click.group("node", cls=NounGroup)
def node() -> None:
    """Make this machine a node of a cluster."""


@node.command("join")
@click.argument("head", metavar="HOST:PORT")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="A copy of the cluster's token: DATA/ray/token of the instance.",
)
@click.option("--name", help="What the node is called.  [default: the host's name]")
@click.option("--address", help="This machine's address that the others reach.")
@click.option("--cpus", type=int, help="Processors to give.  [default: all]")
@click.option("--gpus", type=int, help="GPUs to give.  [default: all]")
@click.option(
    "--at", "levels", multiple=True, metavar="LEVEL=NAME", help="Where it stands: rack=r7."
)
@click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="For `gw run --require`."
)
@click.option(
    "--dir", "directory", help="Where the node keeps its state.  [default: ~/.gigawatt-node]"
)
@click.option("--ray-dir", default="", help="Where Ray keeps its files.  [default: Ray's own]")
def join(  # noqa: PLR0913 - each is an option
    *,
    head: str,
    token_file: Path,
    name: str | None,
    address: str | None,
    cpus: int | None,
    gpus: int | None,
    levels: tuple[str, ...],
    labels: tuple[str, ...],
    directory: str | None,
    ray_dir: str,
) -> None:
    """Join the Ray cluster whose head is at HOST:PORT, and stay until Ctrl-C or SIGTERM.

    It joins again when the head has come back. What runs here goes on meanwhile.
    """
    from gigawatt.engine.ray.heads import Member, check_ray
    from gigawatt.engine.ray.joining import address_towards, check_own, stay_joined

    check_ray()
    towards = address_towards(head)
    check_own(address or towards)
    _check_secret(token_file)
    member = Member(
        node=_node_name(name or socket.gethostname().split(".")[0].lower()),
        address=address or towards,
        token_file=token_file.resolve(),
        cpus=cpus,
        gpus=gpus,
        levels=_levels(levels),
        labels=_pairs(labels, "--label"),
        directory=str(Path(directory).resolve()) if directory else "",
        ray_directory=ray_dir,
    )
    stay_joined(member, head, say=lambda text: click.echo(text, err=True))


def _node_name(name: str) -> str:
    """It names a directory and stands in commands."""
    if NAME.fullmatch(name):
        return name
    why = f"{name!r} is not made of letters, digits, dots, dashes and underscores, 63 at most"
    raise click.BadParameter(why, param_hint="--name")


def _check_secret(token_file: Path) -> None:
    if token_file.stat().st_mode & 0o077:
        click.echo(f"others can read {token_file}: chmod 600 {token_file}", err=True)


def _levels(given: tuple[str, ...]) -> dict[str, str]:
    from gigawatt.model.node import TOPOLOGY_LEVELS

    pairs = _pairs(given, "--at")
    for level in pairs:
        if level not in TOPOLOGY_LEVELS[:-1]:
            known = ", ".join(TOPOLOGY_LEVELS[:-1])
            raise click.BadParameter(f"{level!r} is not one of {known}", param_hint="--at")
    return pairs


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        pairs[name] = value
    return pairs
