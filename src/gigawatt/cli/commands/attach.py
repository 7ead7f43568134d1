"""`gw attach`: a rank's output as it is written, and its terminal where it has one."""

import asyncio
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from gigawatt.cli.complete import job_names
from gigawatt.cli.session import Session, with_project, with_session
from gigawatt.cli.targets import live_of, with_rank

if TYPE_CHECKING:
    from gigawatt.sdk.live import Live

PROXIED = ("INT", "TERM", "QUIT", "HUP", "USR1", "USR2")


@click.command("attach")
@click.argument("job", shell_complete=job_names)
@click.option("--sig-proxy", is_flag=True, help="Pass Ctrl-C and other signals on to the rank.")
@click.option("--no-stdin", is_flag=True, help="Only look.")
@with_rank
@with_project
@with_session
def attach(
    session: Session, *, job: str, sig_proxy: bool, no_stdin: bool, rank: int, replica: str
) -> None:
    """Follow what a rank of JOB writes from now on; ends with it, with its exit code.

    A rank that was started with `terminal: true` can be talked to, for instance in pdb; Ctrl-P Ctrl-Q leaves it.
    Of any other, Ctrl-C leaves, unless --sig-proxy has it reach the rank.
    """
    from gigawatt.cli.terminal import DetachedError, status

    live = live_of(session, job, rank=rank, replica=replica)
    try:
        code = asyncio.run(_attached(session, live, sig_proxy=sig_proxy, typed=not no_stdin))
    except (DetachedError, KeyboardInterrupt):
        session.say(f"\n{job} goes on")
        return
    raise click.exceptions.Exit(status(code))


async def _attached(session: Session, live: "Live", *, sig_proxy: bool, typed: bool) -> int | None:
    from gigawatt.cli.terminal import DetachKeys, converse, raw_terminal, window

    talking = await live.attach()
    both = bool(talking.started.get("terminal")) and typed
    raw = both and sys.stdin.isatty()
    keys = "Ctrl-P Ctrl-Q leaves" if raw else "Ctrl-C leaves"
    told = "signals reach the rank" if sig_proxy and not raw else keys
    try:
        with raw_terminal() if raw else nullcontext():
            if raw:
                size = window()
                await talking.resize(size.rows, size.columns)
            return await converse(
                talking,
                keys=DetachKeys() if raw else None,
                terminal=raw,
                typed=both,
                signals=PROXIED if sig_proxy else (),
                begun=lambda: session.say(f"attached; {told}\r" if raw else f"attached; {told}"),
            )
    finally:
        await talking.close()
