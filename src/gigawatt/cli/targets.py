"""What runs, as people name it: a job, or `endpoint/NAME` for one of its replicas; and paths in it."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli.session import Command, Session

if TYPE_CHECKING:
    from gigawatt.sdk.live import Live

ENDPOINT = "endpoint/"


def with_rank(command: Command) -> Command:
    """The options `--rank` and `--replica`."""
    rank = click.option("--rank", type=click.IntRange(min=0), default=0, help="Which; default 0.")
    replica = click.option(
        "--replica", metavar="ID", default="", help="Of an endpoint: this one; default: any."
    )
    return rank(replica(command))


def live_of(session: Session, target: str, *, rank: int, replica: str) -> "Live":
    """Raises click.BadParameter, RefusalError, ApiError, UnreachableError."""
    if target.startswith(ENDPOINT):
        name = target.removeprefix(ENDPOINT)
        return session.client.endpoints.live(name, replica=replica, rank=rank)
    if replica:
        hint = f"a replica is an endpoint's: {ENDPOINT}NAME"
        raise click.BadParameter(hint, param_hint="--replica")
    return session.client.job(target).live(rank=rank)


def split_path(text: str) -> tuple[str, str]:
    """`JOB:PATH` as its two parts; the first is empty for a path here, as `./a:b` is one."""
    target, colon, path = text.partition(":")
    here = not colon or target.startswith((".", "/", "~")) or not target
    inside = target.startswith(ENDPOINT) and target.count("/") == 1
    if here or ("/" in target and not inside):
        return "", text
    return target, path or "."
