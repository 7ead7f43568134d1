"""`gw port-forward`: ports here that lead to ports of a rank's host."""

import asyncio
import signal
from typing import TYPE_CHECKING

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.failure import FAILED, say_error
from gigawatt.cli.session import Session, with_project, with_session
from gigawatt.cli.targets import live_of, with_rank

if TYPE_CHECKING:
    from gigawatt.sdk.errors import GigawattError
    from gigawatt.sdk.live import Live

PORT_MAX = 65_535
LOOPBACK = "127.0.0.1"


@click.command("port-forward")
@click.argument("job", shell_complete=job_names)
@click.argument("ports", nargs=-1, required=True, metavar="[HERE:]PORT…")
@click.option("--address", default=LOOPBACK, show_default=True, help="Listen on this one of ours.")
@with_rank
@with_project
@with_session
def port_forward(
    session: Session, *, job: str, ports: tuple[str, ...], address: str, rank: int, replica: str
) -> None:
    """Have ports here lead to ports of the host of a rank of JOB, until Ctrl-C: `gw port-forward train 6006`.

    `8080:80` leads from 8080 here to 80 there, `:80` from any free port. Whoever reaches ADDRESS reaches the port.
    """
    pairs = [_pair(each) for each in ports]
    live = live_of(session, job, rank=rank, replica=replica)
    asyncio.run(_forward(session, live, pairs, address))


async def _forward(
    session: Session, live: "Live", pairs: list[tuple[int, int]], address: str
) -> None:
    from gigawatt.sdk.errors import ApiError, GigawattError
    from gigawatt.sdk.forwarding import Forward, PortForward

    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def failed(error: "GigawattError") -> None:
        """What the rank's end answers is for all connections; that nothing listens yet is for this one."""
        if isinstance(error, ApiError) and error.problem.field == "port":
            session.say(str(error))
        elif not over.done():
            over.set_exception(error)

    forwards = tuple(Forward(here=here, there=there) for here, there in pairs)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: None if over.done() else over.set_result(None))
    async with PortForward(live, forwards, bind=address, failed=failed) as listening:
        shown = [
            {"address": address, "port": here, "to": forward.there}
            for here, forward in zip(listening.ports, forwards, strict=True)
        ]
        if session.as_json:
            session.show_json_line(shown)
        for each in shown:
            session.say(f"{address}:{each['port']} leads to port {each['to']}")
        try:
            await over
        except GigawattError as error:
            say_error(str(error), error.hint)
            raise click.exceptions.Exit(FAILED) from None


def _pair(text: str) -> tuple[int, int]:
    """`8080:80`, `8080`, `:80`. Raises click.BadParameter."""
    here, colon, there = text.rpartition(":")
    if not colon:
        here = there
    return _port(here or "0", text, least=0), _port(there, text, least=1)


def _port(digits: str, text: str, *, least: int) -> int:
    fine = digits.isascii() and digits.isdecimal() and len(digits) <= 5
    if not fine or not least <= int(digits) <= PORT_MAX:
        raise click.BadParameter(f"{text!r} is not a port, nor two as 8080:80", param_hint="PORT")
    return int(digits)
