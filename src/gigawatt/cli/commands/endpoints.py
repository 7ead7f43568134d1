"""`gw endpoints`: what is served, by which replicas, and how to reach it."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import endpoint_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.printing import Origin, byte_printer
from gigawatt.cli.rollouts import rollout_fields, show_revisions
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.endpoint_views import EndpointView, StartView


@click.group("endpoints", cls=NounGroup)
def endpoints() -> None:
    """List, show and stop endpoints, and steer their rollouts. `gw endpoints` lists, `gw endpoints NAME` shows one."""


@endpoints.command("show")
@click.argument("name", required=False, shell_complete=endpoint_names)
@with_project
@with_session
def show(session: Session, *, name: str | None) -> None:
    """Show the endpoint NAME (or id) with its replicas; without NAME, list all."""
    if name:
        _show_one(session, session.client.endpoints.find(name))
    else:
        _list(session)


@endpoints.command("list")
@with_project
@with_session
def list_endpoints(session: Session) -> None:
    """List endpoints."""
    _list(session)


@endpoints.command("stop")
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=endpoint_names)
@with_project
@with_session
def stop(session: Session, *, names: tuple[str, ...]) -> None:
    """Delete endpoints; their replicas are stopped and requests to them are refused."""
    views: list[object] = []
    for name in names:
        view = session.client.endpoints.stop(name)
        views.append(view)
        session.say(f"{name} is {view['phase']}")
    if session.as_json:
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})


@endpoints.command("promote")
@click.argument("name", shell_complete=endpoint_names)
@click.option("--reason", default="", help="Kept with the event.")
@with_project
@with_session
def promote(session: Session, *, name: str, reason: str) -> None:
    """Give NAME's new revision all requests as soon as it is ready, and let the old one go."""
    _steer(session, name, "promote", reason=reason)


@endpoints.command("rollback")
@click.argument("name", shell_complete=endpoint_names)
@click.option("--to", type=int, default=0, help="A revision's number; default: the one before.")
@click.option("--reason", default="", help="Kept with the event.")
@with_project
@with_session
def rollback(session: Session, *, name: str, to: int, reason: str) -> None:
    """Take NAME's rollout back; where none is under way, serve an earlier revision's spec as a new one."""
    _steer(session, name, "rollback", to=to, reason=reason)


@endpoints.command("pause")
@click.argument("name", shell_complete=endpoint_names)
@click.option("--reason", default="", help="Kept with the event.")
@with_project
@with_session
def pause(session: Session, *, name: str, reason: str) -> None:
    """Have NAME's rollout take no further step; it still goes back by itself if the new revision is bad."""
    _steer(session, name, "pause", reason=reason)


@endpoints.command("resume")
@click.argument("name", shell_complete=endpoint_names)
@with_project
@with_session
def resume(session: Session, *, name: str) -> None:
    """Have NAME's rollout go on."""
    _steer(session, name, "resume")


@endpoints.command("revisions")
@click.argument("name", shell_complete=endpoint_names)
@with_project
@with_session
def revisions(session: Session, *, name: str) -> None:
    """List the revisions that NAME has had, newest first."""
    found = list(session.client.endpoints.revisions(name))
    if session.as_json:
        session.show_json({"items": found, "next": ""})
        return
    show_revisions(found, session.now_ms)


@endpoints.command("logs")
@click.argument("name", shell_complete=endpoint_names)
@click.option("--replica", default="", help="A replica's id; default: the newest.")
@with_project
@with_session
def logs(session: Session, *, name: str, replica: str) -> None:
    """Print what a replica of NAME wrote."""
    printer = byte_printer()
    for stream in ("stdout", "stderr"):
        origin = Origin(attempt=1, rank=0, stream=stream)
        for chunk in session.client.endpoints.logs(name, replica=replica, stream=stream):
            printer.write(origin, chunk)
    printer.close()


def _steer(session: Session, name: str, steer: str, *, to: int = 0, reason: str = "") -> None:
    view = session.client.endpoints.steer(name, steer, to=to, reason=reason)
    if session.as_json:
        session.show_json(view)
        return
    rollout = view["rollout"]
    if rollout is None:
        session.say(view["last_rollout"] or f"{name} is at revision {view['revision']}")
        return
    state = "paused" if rollout["paused"] else f"{rollout['weight']} % of the requests"
    session.say(f"{name}: revision {rollout['revision']} beside {rollout['before']}, {state}")


def _list(session: Session) -> None:
    page = session.client.endpoints.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no endpoints yet: gw serve MODEL -- COMMAND")
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="PHASE", phase=True),
        Column(name="MODEL"),
        Column(name="READY", right=True),
        Column(name="IN FLIGHT", right=True),
        Column(name="QUEUED", right=True),
        Column(name="REQUESTS", right=True),
        Column(name="TOKENS", right=True),
        Column(name="AGE", right=True),
        Column(name="MESSAGE", wraps=True),
    ]
    show_table(columns, [_row(each, session.now_ms) for each in page["items"]])


def _row(endpoint: "EndpointView", now_ms: int) -> list[str]:
    return [
        endpoint["name"],
        endpoint["phase"],
        endpoint["model"],
        _ready(endpoint),
        str(endpoint["in_flight"]),
        str(endpoint["queued"]),
        form.count(endpoint["requests"]),
        form.count(endpoint["completion_tokens"]),
        form.age(endpoint["created_ms"], now_ms),
        endpoint["message"],
    ]


def _ready(endpoint: "EndpointView") -> str:
    """`1/2 of 0-4`: ready of wanted, between min and max."""
    replicas = endpoint["replicas"]
    bounds = f"{replicas['min']}-{replicas['max']}"
    return f"{replicas['ready']}/{replicas['wanted']} of {bounds}"


def _show_one(session: Session, endpoint: "EndpointView") -> None:
    if session.as_json:
        session.show_json(endpoint)
        return
    from gigawatt.cli.style import Column, show_fields, show_heading, show_table

    show_fields(_fields(endpoint, session.now_ms))
    if endpoint["rollout"]:
        show_heading("rollout")
        show_fields(rollout_fields(endpoint["rollout"], session.now_ms))
    if not endpoint["replicas_list"]:
        return
    show_heading("replicas")
    columns = [
        Column(name="ID"),
        Column(name="PHASE", phase=True),
        Column(name="READY"),
        Column(name="REVISION", right=True),
        Column(name="NODE"),
        Column(name="PID", right=True),
        Column(name="PORT", right=True),
        Column(name="WAITS", wraps=True),
    ]
    rows = [
        [
            each["id"],
            each["phase"],
            "draining" if each["draining"] else "yes" if each["ready"] else "no",
            str(each["revision"]),
            each["node"] or form.NOTHING,
            str(each["pid"] or form.NOTHING),
            str(each["port"] or form.NOTHING),
            each["reason"],
        ]
        for each in endpoint["replicas_list"]
    ]
    show_table(columns, rows)


def _start(start: "StartView | None") -> str:
    """`1.1 s: place 0.0, fetch 0.1, launch 0.2, load 0.8`."""
    if start is None:
        return ""
    stages = {
        "place": start["place_ms"],
        "fetch": start["fetch_ms"],
        "launch": start["launch_ms"],
        "load": start["load_ms"],
    }
    told = ", ".join(f"{name} {at_ms / 1000:.1f}" for name, at_ms in stages.items())
    return f"{sum(stages.values()) / 1000:.1f} s: {told}"


def _fields(endpoint: "EndpointView", now_ms: int) -> list[tuple[str, str]]:
    return [
        ("name", endpoint["name"]),
        ("id", endpoint["id"]),
        ("phase", endpoint["phase"] + (", asleep" if endpoint["asleep"] else "")),
        ("message", endpoint["message"]),
        ("url", endpoint["url"]),
        ("served as", endpoint["served_name"]),
        ("model", endpoint["model"]),
        ("environment", endpoint["environment"]),
        ("volumes", form.mounts(endpoint["volumes"])),
        ("revision", str(endpoint["revision"])),
        ("last rollout", endpoint["last_rollout"]),
        ("replicas", _ready(endpoint)),
        ("why", endpoint["replicas"]["why"]),
        ("in flight", f"{endpoint['in_flight']}, {endpoint['queued']} queued"),
        ("requests", form.count(endpoint["requests"])),
        (
            "tokens",
            f"{form.count(endpoint['prompt_tokens'])} prompt, "
            f"{form.count(endpoint['completion_tokens'])} completion",
        ),
        ("first token", _high(endpoint["ttft_ms"])),
        ("between tokens", _high(endpoint["tpot_ms"])),
        ("last start", _start(endpoint["start"])),
        ("age", form.age(endpoint["created_ms"], now_ms)),
    ]


def _high(ms: int | None) -> str:
    return "" if ms is None else f"{form.duration(ms)} for nine in ten of the newest requests"
