"""`gw down`: stop the instance that `gw up` started, and no other."""

from pathlib import Path

import click


@click.command("down")
@click.option("--data", type=click.Path(path_type=Path), help="The instance whose state is in DIR.")
@click.option("--keep-running", is_flag=True, help="Leave ranks running; `gw up` adopts them.")
def down(*, data: Path | None, keep_running: bool) -> None:
    """Stop the instance of this data directory: what runs is stopped first, unless it is to run on."""
    from gigawatt import server, settings

    chosen = data.absolute() if data else settings.from_environment().data
    code = server.down(chosen, keep_running=keep_running)
    if not code:
        left = "; ranks run on, and gw up adopts them" if keep_running else ""
        click.echo(f"gigawatt is stopped on {chosen}{left}", err=True)
    raise click.exceptions.Exit(code)
