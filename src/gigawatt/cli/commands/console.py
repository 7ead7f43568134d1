"""`gw console`: a browser signed in, without a key to copy."""

import click

from gigawatt.cli.session import Session, with_session


@click.command("console")
@click.option("--open", "opens", is_flag=True, help="Open it in the browser of this machine, too.")
@with_session
def console(session: Session, *, opens: bool) -> None:
    """Print a URL that signs one browser in to the console, as who you are here.

    It works once, within a minute. The session lasts for twelve hours, and ends with your key.
    """
    code = session.client.console_code()
    url = session.client.address.api_url.rstrip("/") + code["path"]
    if session.as_json:
        session.show_json({**code, "url": url})
    else:
        click.echo(url)
    if opens:
        import webbrowser

        webbrowser.open(url)
