"""`gw env`: environments, built once and shared."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.failure import FAILED, say_error
from gigawatt.cli.following import stage_line, told
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.views import EnvironmentView


@click.group("env", cls=NounGroup)
def env() -> None:
    """Build, list, show, compare and prune environments. `gw env` lists, `gw env ID` shows one."""


@env.command("show")
@click.argument("id", required=False)
@click.option("--verify", is_flag=True, help="Check every file of it against what was built.")
@with_project
@with_session
def show(session: Session, *, id: str | None, verify: bool) -> None:
    """Show the environment ID: its packages, its lock, why it failed; without ID, list them."""
    if verify and not id:
        raise click.UsageError("--verify needs the ID of an environment")
    if id and verify:
        _verify(session, id)
    elif id:
        _show_one(session, session.client.environments.find(id))
    else:
        _list(session)


@env.command("list")
@with_project
@with_session
def list_environments(session: Session) -> None:
    """List environments."""
    _list(session)


@env.command("build")
@click.argument("packages", nargs=-1, metavar="[PACKAGE…]")
@click.option("--requirements", type=click.Path(path_type=Path), help="A requirements file.")
@click.option("--lock", type=click.Path(path_type=Path), help="A lock: exact pins, used as it is.")
@click.option("--python", help='The version of Python, e.g. "3.11".')
@click.option("--no-wait", is_flag=True, help="Ask for it, and do not wait for it.")
@with_project
@with_session
def build(session: Session, *, no_wait: bool, **given: Any) -> None:
    """Build an environment of PACKAGEs, as pip writes them. One that is there already is not built again."""
    environments = session.client.environments
    view = environments.build(_spec(**given))
    if not no_wait:
        with told(session) as tell:
            for stage in environments.stages(view["id"]):
                view = stage
                tell(stage_line(stage))
    if session.as_json:
        session.show_json(view)
    else:
        click.echo(view["id"])
        took = f" in {form.duration(view['build_ms'])}" if view["build_ms"] else ""
        if view["phase"] != "failed":
            session.say(f"{view['id']} is {view['phase']}{took}")
    if view["phase"] == "failed":
        say_error(f"{view['id']} could not be built")
        session.say(view["message"])  # the resolver's own words
        raise click.exceptions.Exit(FAILED)


@env.command("diff")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@with_project
@with_session
def diff(session: Session, *, before: str, after: str) -> None:
    """Show what changes from A to B: packages added, removed, at another version. A and B are environments or jobs."""
    view = session.client.environments.diff(before, after)
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import Column, show_table

    rows = [["~", each["name"], each["before"], each["after"]] for each in view["changed"]]
    rows += [["+", each["name"], form.NOTHING, each["version"]] for each in view["added"]]
    rows += [["-", each["name"], each["version"], form.NOTHING] for each in view["removed"]]
    rows.sort(key=lambda row: row[1])
    if view["python"]:
        rows.insert(0, ["~", "python", view["python"]["before"], view["python"]["after"]])
    if rows:
        names = ("", "PACKAGE", view["before"], view["after"])
        show_table([Column(name=name) for name in names], rows)
    session.say(f"{len(rows)} differ, {view['same']} are the same")


@env.command("prune")
@click.option(
    "--unused-for", metavar="DURATION", help="Only those unused for this long.  [default: 14d]"
)
@click.option(
    "--keep", metavar="SIZE", help="Only as many as leave the rest within SIZE, e.g. 50GB."
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
@with_project
@with_session
def prune(session: Session, *, unused_for: str | None, keep: str | None, dry_run: bool) -> None:
    """Remove environments that no job and no endpoint refers to, the longest unused first.

    Their locks are kept: whoever asks for one again has it built again.
    """
    view = session.client.environments.prune(unused_for=unused_for, keep=keep, dry_run=dry_run)
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="ID"),
        Column(name="SIZE", right=True),
        Column(name="FREES", right=True),
        Column(name="UNUSED FOR", right=True),
    ]
    rows = [
        [
            each["id"],
            form.size(each["size_bytes"]),
            form.size(each["freed_bytes"]),
            form.age(each["used_ms"], session.now_ms),
        ]
        for each in view["items"]
    ]
    if rows:
        show_table(columns, rows)
    verb = "would be removed" if dry_run else "removed"
    session.say(
        f"{len(rows)} {verb}, {form.size(view['freed_bytes'])} of the disk, {view['left']} stay; "
        "files that the package cache shares stay in it: `uv cache prune`"
    )


def _verify(session: Session, id: str) -> None:
    view = session.client.environments.verify(id)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{id}: {view['files']} files, {form.size(view['size_bytes'])} read")
        for fault in view["faults"]:
            click.echo(fault)
    if not view["whole"]:
        say_error(f"{id} is not what was built")
        session.say(
            "gw env prune removes it once nothing uses it; asked for again, it is built again"
        )
        raise click.exceptions.Exit(FAILED)
    if not session.as_json:
        click.echo("whole")


def _spec(
    *, packages: tuple[str, ...], requirements: Path | None, lock: Path | None, python: str | None
) -> dict[str, Any]:
    """What the API takes. Raises click.UsageError, RefusalError."""
    from gigawatt.sdk.requirements import read_requirements, read_text

    if lock and (packages or requirements):
        raise click.UsageError("--lock excludes packages and --requirements")
    spec: dict[str, Any] = {"kind": "uv"}
    if python:
        spec["python"] = python
    if lock:
        return {**spec, "lock": read_text(lock, field="--lock")}
    listed = read_requirements(requirements, field="--requirements") if requirements else []
    wanted = [*listed, *packages]
    if not wanted:
        raise click.UsageError("nothing to build: name packages, --requirements or --lock")
    return {**spec, "requirements": wanted}


def _list(session: Session) -> None:
    page = session.client.environments.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no environments yet: gw env build PACKAGE…")
        return
    columns = [
        Column(name="ID"),
        Column(name="PHASE", phase=True),
        Column(name="PYTHON"),
        Column(name="SIZE", right=True),
        Column(name="BUILT IN", right=True),
        Column(name="AGE", right=True),
        Column(name="PACKAGES", wraps=True),
    ]
    show_table(columns, _rows(page["items"], session.now_ms))


def _rows(items: "Sequence[EnvironmentView]", now_ms: int) -> list[list[str]]:
    return [
        [
            each["id"],
            each["phase"],
            each["python"] or form.NOTHING,
            form.size(each["size_bytes"]) if each["size_bytes"] else form.NOTHING,
            form.duration(each["build_ms"]) if each["build_ms"] else form.NOTHING,
            form.age(each["created_ms"], now_ms),
            " ".join(each["requirements"]) or ("a lock" if each["lock"] else ""),
        ]
        for each in items
    ]


def _show_one(session: Session, view: "EnvironmentView") -> None:
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import show_fields, show_heading

    show_fields(
        [
            ("id", view["id"]),
            ("phase", view["phase"]),
            ("stage", view["stage"] if view["phase"] == "building" else ""),
            ("kind", view["kind"]),
            ("python", view["python"]),
            ("requirements", " ".join(view["requirements"])),
            ("path", view["path"]),
            ("digest", view["digest"]),
            ("size", form.size(view["size_bytes"]) if view["size_bytes"] else ""),
            ("built in", form.duration(view["build_ms"]) if view["build_ms"] else ""),
            ("age", form.age(view["created_ms"], session.now_ms)),
            ("last used", form.age(view["used_ms"], session.now_ms) + " ago"),
            ("message", view["message"]),
        ]
    )
    if view["lock"]:
        show_heading("lock")
        click.echo(view["lock"].rstrip())
