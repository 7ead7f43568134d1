"""`gw dev`: a place to work on a node, opened in a browser or a terminal."""

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.dev_spec import DevFlags, dev_options, written_workspace
from gigawatt.cli.complete import workspace_names
from gigawatt.cli.failure import FAILED, INTERRUPTED, say_error
from gigawatt.cli.printing import Origin, byte_printer
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.workspace_views import WorkspaceView

MAKE = "make"
DEFAULT_NAME = "dev"


class DevGroup(click.Group):
    """`gw dev [NAME]` makes, starts and opens; `gw dev VERB …` does something else.

    A name that looks like a misspelt verb makes nothing: `gw dev make lsit` does.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        known = first in self.commands or first in self.get_help_option_names(ctx)
        if known or ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        words = [each for each in args[:2] if not each.startswith("-")]
        if len(words) == 2 or (words == args and get_close_matches(first, self.commands, n=1)):
            raise click.exceptions.NoSuchCommand(first, possibilities=self.commands, ctx=ctx)
        return super().parse_args(ctx, [MAKE, *args])


@click.group("dev", cls=DevGroup)
def dev() -> None:
    """Workspaces: JupyterLab, VS Code or a shell on a node. `gw dev NAME` makes or starts one, and opens it."""


@dev.command(MAKE)
@click.argument("what", metavar="[NAME|FILE]", default=DEFAULT_NAME, shell_complete=workspace_names)
@dev_options
@click.option("--no-wait", is_flag=True, help="Return at once; do not open it.")
@with_project
@with_session
def make(session: Session, *, what: str, no_wait: bool, **given: Any) -> None:
    """Make the workspace NAME (default: dev) or the one a FILE describes; start it if it is suspended; open it.

    A link that works once is printed; a shell is attached to when this is a terminal. Its home outlives it.
    """
    from gigawatt.cli.following import upload_bar

    flags = DevFlags(**given).fields()
    written = written_workspace(what, flags)
    name = str(written.fields.get("name", ""))
    workspaces = session.client.workspaces
    view = workspaces.found(name) if name and not flags and not written.document else None
    if view is None:
        with upload_bar(session, "bundle") as progress:
            view = workspaces.send(workspaces.ready(written, progress=progress))
    elif view["phase"] in {"suspended", "failed"}:
        view = workspaces.start(view["id"])
    _opened(session, view, wait=not no_wait)


@dev.command("list")
@with_project
@with_session
def list_workspaces(session: Session) -> None:
    """List workspaces: where they are, what they use, and when they will be suspended."""
    page = session.client.workspaces.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no workspaces yet: gw dev")
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="KIND"),
        Column(name="PHASE", phase=True),
        Column(name="NODE"),
        Column(name="CPUS", right=True),
        Column(name="GPUS", right=True),
        Column(name="IN USE"),
        Column(name="SUSPENDS IN", right=True),
        Column(name="AGE", right=True),
        Column(name="MESSAGE", wraps=True),
    ]
    show_table(columns, [_row(each, session.now_ms) for each in page["items"]])


@dev.command("show")
@click.argument("name", shell_complete=workspace_names)
@with_project
@with_session
def show(session: Session, *, name: str) -> None:
    """Show the workspace NAME."""
    view = session.client.workspaces.find(name)
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import show_fields

    show_fields(_fields(view, session.now_ms))


@dev.command("open")
@click.argument("name", shell_complete=workspace_names)
@click.option("--browser", is_flag=True, help="Open the link in this machine's browser.")
@with_project
@with_session
def open_workspace(session: Session, *, name: str, browser: bool) -> None:
    """Start NAME if it is suspended, and print a link into it that works once, within a minute."""
    view = session.client.workspaces.find(name)
    if view["phase"] in {"suspended", "failed"}:
        view = session.client.workspaces.start(view["id"])
    _opened(session, view, wait=True, browser=browser)


@dev.command("shell")
@click.argument("name", shell_complete=workspace_names)
@click.option("--terminal", default="1", help="Which one; each goes on when nobody is attached.")
@with_project
@with_session
def shell(session: Session, *, name: str, terminal: str) -> None:
    """Attach this terminal to a shell in NAME, of any kind. Ctrl-] leaves it running."""
    view = session.client.workspaces.find(name)
    if view["phase"] in {"suspended", "failed"}:
        view = session.client.workspaces.start(view["id"])
    view = _awaited(session, view)
    _attach(session, view, terminal)


@dev.command("stop")
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=workspace_names)
@with_project
@with_session
def stop(session: Session, *, names: tuple[str, ...]) -> None:
    """Suspend workspaces: what they hold is given back, their homes are kept. What kernels had in memory is not."""
    views = [session.client.workspaces.suspend(name) for name in names]
    _told(session, views)


@dev.command("start")
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=workspace_names)
@with_project
@with_session
def start(session: Session, *, names: tuple[str, ...]) -> None:
    """Start suspended workspaces again."""
    views = [session.client.workspaces.start(name) for name in names]
    _told(session, views)


@dev.command("extend")
@click.argument("name", shell_complete=workspace_names)
@click.option("--by", required=True, help="How much later its lease is to end, e.g. 2h.")
@with_project
@with_session
def extend(session: Session, *, name: str, by: str) -> None:
    """Have the lease of NAME end later."""
    view = session.client.workspaces.extend(name, by)
    if session.as_json:
        session.show_json(view)
        return
    left_ms = (view["lease_end_ms"] or 0) - session.now_ms
    session.say(f"the lease of {view['name']} ends in {form.duration(left_ms)}")


@dev.command("delete")
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=workspace_names)
@click.option("--purge", is_flag=True, help="Their homes too, with all that is in them.")
@with_project
@with_session
def delete(session: Session, *, names: tuple[str, ...], purge: bool) -> None:
    """Delete workspaces. Their homes stay for others of their names, unless --purge removes them."""
    views = [session.client.workspaces.delete(name, purge=purge) for name in names]
    _told(session, views)


@dev.command("logs")
@click.argument("name", shell_complete=workspace_names)
@with_project
@with_session
def logs(session: Session, *, name: str) -> None:
    """Print what the program of NAME wrote since it was last started."""
    printer = byte_printer()
    for stream in ("stdout", "stderr"):
        origin = Origin(attempt=1, rank=0, stream=stream)
        for chunk in session.client.workspaces.logs(name, stream=stream):
            printer.write(origin, chunk)
    printer.close()


def _opened(session: Session, view: "WorkspaceView", *, wait: bool, browser: bool = False) -> None:
    """Wait until it runs, then attach to it or print the way in."""
    if not wait:
        if session.as_json:
            session.show_json(view)
        else:
            click.echo(view["id"])
            session.say(f"{view['name']} is {view['phase']}: gw dev open {view['name']}")
        return
    view = _awaited(session, view)
    if session.as_json:
        session.show_json({**view, "link": session.client.workspaces.open(view["id"])["url"]})
        return
    if view["program"] == "shell":
        if sys.stdin.isatty() and not browser:
            _attach(session, view, "1")
        else:
            click.echo(view["id"])
            session.say(f"{view['name']} runs: gw dev shell {view['name']} in a terminal")
        return
    link = session.client.workspaces.open(view["id"])["url"]
    click.echo(link)
    session.say(_when(view, session.now_ms))
    if browser:
        click.launch(link)


def _awaited(session: Session, view: "WorkspaceView") -> "WorkspaceView":
    """It, once it runs; else why not, and exit code 1."""
    from gigawatt.cli.following import told

    try:
        with told(session) as tell:
            for stage in session.client.workspaces.stages(view["id"]):
                view = stage
                tell(f"{view['name']}  {view['phase']}  {view['message']}".rstrip())
    except (KeyboardInterrupt, click.Abort):
        click.echo(f"\n{view['name']} goes on: gw dev open {view['name']}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    if view["phase"] != "running":
        if session.as_json:
            session.show_json(view)
        say_error(
            f"{view['name']} is {view['phase']}: {view['message']}", f"gw dev logs {view['name']}"
        )
        raise click.exceptions.Exit(FAILED)
    return view


def _attach(session: Session, view: "WorkspaceView", terminal: str) -> None:
    from gigawatt.cli.workspace_terminal import attach

    if session.as_json or not sys.stdin.isatty():
        raise click.UsageError("a shell is attached to from a terminal, without -o json")
    session.say(f"attached to {view['name']}; Ctrl-] leaves it running")
    link, address = session.client.workspaces.open(view["id"])["url"], session.client.address
    trust = address.trust() if link.startswith("https:") and address.ca else None
    code = attach(link, name=terminal, trust=trust)
    if code is None:
        session.say(f"\nleft {view['name']}: gw dev shell {view['name']} comes back")
        return
    raise click.exceptions.Exit(code)


def _told(session: Session, views: "list[WorkspaceView]") -> None:
    for view in views:
        session.say(f"{view['name']} is {view['phase']}")
    if session.as_json:
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})


def _row(view: "WorkspaceView", now_ms: int) -> list[str]:
    ends = [each for each in (view["suspends_ms"], view["lease_end_ms"]) if each]
    runs = view["phase"] == "running"
    return [
        view["name"],
        view["program"],
        view["phase"],
        view["node"],
        f"{view['cpus']:g}",
        f"{view['gpus']:g}",
        _use(view),
        form.duration(max(min(ends) - now_ms, 0)) if runs and ends else "",
        form.age(view["created_ms"], now_ms),
        view["message"],
    ]


def _use(view: "WorkspaceView") -> str:
    """`0.4 CPU, 30% GPU, 1 kernel`."""
    use = view["use"]
    if use is None:
        return ""
    parts = [f"{use['cpus']:.2g} CPU"]
    parts += [f"{use['gpu_percent']}% GPU"] if view["gpus"] else []
    parts += [f"{use['busy']} busy"] if use["busy"] else []
    return ", ".join(parts)


def _when(view: "WorkspaceView", now_ms: int) -> str:
    idle = f"suspended when unused for {form.duration(view['idle_s'] * 1000)}"
    if not view["lease_end_ms"]:
        return idle
    return f"{idle}, or in {form.duration(view['lease_end_ms'] - now_ms)}: gw dev extend {view['name']} --by 2h"


def _fields(view: "WorkspaceView", now_ms: int) -> list[tuple[str, str]]:
    return [
        ("name", view["name"]),
        ("id", view["id"]),
        ("kind", view["program"]),
        ("phase", view["phase"]),
        ("message", view["message"]),
        ("url", view["url"]),
        ("node", view["node"]),
        ("in use", _use(view)),
        ("suspension", _when(view, now_ms)),
        ("environment", view["environment"]),
        ("like", view["like"]),
        ("volumes", form.mounts(view["volumes"])),
        ("home", view["home"]),
        ("age", form.age(view["created_ms"], now_ms)),
    ]
