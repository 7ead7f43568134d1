"""`gw data`: volumes and data sets."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import volume_names
from gigawatt.cli.following import upload_bar
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.volume_views import VolumeChangeView, VolumeDiffView, VolumeView

UNLIMITED = "0"


@click.group("data", cls=NounGroup)
def data() -> None:
    """Push, pull, list and compare data sets. `gw data` lists volumes, `gw data NAME` shows one."""


@data.command("show")
@click.argument("name", required=False, shell_complete=volume_names)
@with_project
@with_session
def show(session: Session, *, name: str | None) -> None:
    """Show the volume NAME with its versions; without NAME, list all volumes."""
    if name:
        _show_one(session, name)
    else:
        _list(session)


@data.command("list")
@with_project
@with_session
def list_volumes(session: Session) -> None:
    """List volumes."""
    _list(session)


@data.command("create")
@click.argument("name")
@click.option("--quota", metavar="SIZE", help="What its versions may hold together, e.g. 1TiB.")
@click.option("--path", metavar="DIR", help="It is this directory of the nodes, e.g. on NFS.")
@click.option(
    "--s3", "url", metavar="URL", help="It is a bucket: s3://bucket/prefix[?endpoint=URL&region=R]."
)
@click.option("--secret", metavar="NAME", help="The secret that opens the bucket; none: public.")
@with_project
@with_session
def create(
    session: Session,
    *,
    name: str,
    quota: str | None,
    path: str | None,
    url: str | None,
    secret: str | None,
) -> None:
    """Create a volume: managed, with versions that are pushed; a directory that the nodes have; or a bucket.

    A bucket is looked at once, and again with `gw data refresh`; it is only read.
    """
    if sum(bool(each) for each in (quota, path, url)) > 1:
        raise click.UsageError("--quota, --path and --s3 exclude each other: quotas are for pushes")
    if secret and not url:
        raise click.UsageError("--secret opens a bucket: give --s3 URL too")
    volumes = session.client.volumes
    if url:
        view = volumes.create_s3(name, url, secret=secret or "")
    else:
        view = volumes.create_path(name, path) if path else volumes.create(name, quota=quota or 0)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["name"])
    hint = f"gw run --volume {name} -- …" if path or url else f"gw data push {name} DIRECTORY"
    session.say(f"{name} is a {view['kind']} volume: {hint}")


@data.command("refresh")
@click.argument("name", shell_complete=volume_names)
@with_project
@with_session
def refresh(session: Session, *, name: str) -> None:
    """Look at the bucket of the S3 volume NAME again: what it holds now is the next version, if it has changed."""
    view = session.client.volumes.refresh(name)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["ref"])
    session.say(
        f"{view['ref']}: {form.plural(view['files'], 'object')}, {form.size(view['size_bytes'])}"
    )


@data.command("push")
@click.argument("name", shell_complete=volume_names)
@click.argument("directory", metavar="PATH", type=click.Path(path_type=Path))
@click.option(
    "--message", "-m", default="", metavar="TEXT", help="What is new, for `gw data NAME`."
)
@click.option("--no-create", is_flag=True, help="Fail if there is no such volume.")
@click.option("--rehash", is_flag=True, help="Read files again that an earlier push has read.")
@with_project
@with_session
def push(
    session: Session, *, name: str, directory: Path, message: str, no_create: bool, rehash: bool
) -> None:
    """Make the files at PATH the next version of NAME. Only what the store lacks is sent; a broken push goes on.

    The same data as the newest version makes no new one.
    """
    with upload_bar(session, name) as progress:
        view = session.client.volumes.push(
            name,
            directory,
            message=message,
            create=not no_create,
            rehash=rehash,
            progress=progress,
        )
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["ref"])
    session.say(
        f"{view['ref']}: {form.plural(view['files'], 'file')}, {form.size(view['size_bytes'])}, "
        f"{view['digest']}"
    )


@data.command("pull")
@click.argument("reference", metavar="NAME[:V]", shell_complete=volume_names)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@with_project
@with_session
def pull(session: Session, *, reference: str, directory: Path) -> None:
    """Put the files of a version below DIR, every byte verified; a broken pull goes on."""
    with upload_bar(session, reference) as progress:
        view = session.client.volumes.pull(reference, directory, progress=progress, say=session.say)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(str(directory))
    session.say(
        f"{view['ref']}: {form.plural(view['files'], 'file')}, {form.size(view['size_bytes'])}, "
        f"verified against {view['digest']}"
    )


@data.command("ls")
@click.argument("reference", metavar="NAME[:V]", shell_complete=volume_names)
@click.argument("prefix", required=False, default="")
@with_project
@with_session
def ls(session: Session, *, reference: str, prefix: str) -> None:
    """List the files of a version, those whose path begins with PREFIX."""
    found = session.client.volumes.files(reference, prefix)
    if session.as_json:
        for file in found:
            session.show_json_line(file)
        return
    for file in found:
        click.echo(f"{form.size(file['size_bytes']):>10}  {file['path']}")


@data.command("diff")
@click.argument("before", metavar="A", shell_complete=volume_names)
@click.argument("after", metavar="B", shell_complete=volume_names)
@with_project
@with_session
def diff(session: Session, *, before: str, after: str) -> None:
    """Show what B has added, removed and changed: each a version (NAME[:V]) or a directory (./DIR)."""
    found = session.client.volumes.diff(before, after)
    if session.as_json:
        session.show_json(found)
        return
    for sign, kind in (("+", "added"), ("-", "removed"), ("~", "changed")):
        for change in _changes(found, kind):
            click.echo(f"{sign} {_sizes(change):>22}  {change['path']}")
    session.say(_summary(found))


@data.command("quota")
@click.argument("name", shell_complete=volume_names)
@click.argument("size", metavar="SIZE")
@with_project
@with_session
def quota(session: Session, *, name: str, size: str) -> None:
    """Let NAME's versions hold at most SIZE together, e.g. 500GiB; 0 is without limit."""
    view = session.client.volumes.set_quota(name, 0 if size == UNLIMITED else size)
    if session.as_json:
        session.show_json(view)
        return
    limit = form.size(view["quota_bytes"]) if view["quota_bytes"] else "without limit"
    session.say(f"{name} holds {form.size(view['stored_bytes'])} of {limit}")


@data.command("delete")
@click.argument("reference", metavar="NAME[:V]", shell_complete=volume_names)
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_project
@with_session
def delete(session: Session, *, reference: str, yes: bool) -> None:
    """Delete a version, or all of a volume. Refused while a job mounts it; a directory itself stays."""
    what = "version" if ":" in reference else "volume, with all its versions,"
    if not yes:
        click.confirm(f"delete the {what} {reference}?", abort=True, err=True)
    session.client.volumes.delete(reference)
    session.say(f"{reference} is deleted")
    if session.as_json:
        session.show_json({"deleted": reference})


def _list(session: Session) -> None:
    volumes = session.client.volumes
    if session.as_json:
        from gigawatt.sdk.paging import whole

        session.show_json(whole(volumes.page, {}))
        return
    from gigawatt.cli.style import Column, show_table

    found = list(volumes.list())
    if not found:
        session.say("no volumes yet: gw data push NAME DIRECTORY")
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="KIND"),
        Column(name="LATEST"),
        Column(name="HOLDS", right=True),
        Column(name="QUOTA", right=True),
        Column(name="CHANGED", right=True),
        Column(name="PLACE"),
    ]
    rows = [
        [
            each["name"],
            each["kind"],
            f"{each['name']}:{each['latest']}" if each["latest"] else form.NOTHING,
            form.size(each["stored_bytes"]) if each["kind"] == "managed" else form.NOTHING,
            form.size(each["quota_bytes"]) if each["quota_bytes"] else form.NOTHING,
            form.age(each["changed_ms"], session.now_ms),
            each["path"] or each["url"] or form.NOTHING,
        ]
        for each in found
    ]
    show_table(columns, rows)


def _show_one(session: Session, name: str) -> None:
    volume = session.client.volumes.find(name)
    versions = [] if volume["kind"] == "path" else list(session.client.volumes.versions(name))
    if session.as_json:
        session.show_json({**volume, "items": versions})
        return
    click.echo(_headline(volume))
    if not versions:
        return
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="VERSION", style="bold"),
        Column(name="FILES", right=True),
        Column(name="SIZE", right=True),
        Column(name="AGE", right=True),
        Column(name="BY"),
        Column(name="DIGEST"),
        Column(name="MESSAGE", wraps=True),
    ]
    rows = [
        [
            each["ref"],
            str(each["files"]),
            form.size(each["size_bytes"]),
            form.age(each["created_ms"], session.now_ms),
            each["created_by"],
            form.short_digest(each["digest"]),
            each["message"] or form.NOTHING,
        ]
        for each in versions
    ]
    show_table(columns, rows)


def _headline(volume: "VolumeView") -> str:
    if volume["kind"] != "managed":
        opened = f"  opened by {volume['secret']}" if volume["secret"] else ""
        return f"{volume['name']}  {volume['kind']}  {volume['path'] or volume['url']}{opened}"
    limit = f" of {form.size(volume['quota_bytes'])}" if volume["quota_bytes"] else ""
    count = form.plural(volume["versions"], "version")
    return f"{volume['name']}  {count}, {form.size(volume['stored_bytes'])}{limit}"


def _changes(diff: "VolumeDiffView", kind: str) -> "list[VolumeChangeView]":
    kinds = {"added": diff["added"], "removed": diff["removed"], "changed": diff["changed"]}
    return kinds[kind]


def _sizes(change: "VolumeChangeView") -> str:
    sides = (change["before_bytes"], change["after_bytes"])
    return " → ".join(form.size(side) for side in sides if side is not None)


def _summary(diff: "VolumeDiffView") -> str:
    parts: list[str] = []
    for kind in ("added", "removed", "changed"):
        changes = _changes(diff, kind)
        total = sum(each["after_bytes"] or each["before_bytes"] or 0 for each in changes)
        parts.append(f"{len(changes)} {kind} ({form.size(total)})")
    cut = "; not all are listed" if diff["cut"] else ""
    return f"{diff['before']} → {diff['after']}: {', '.join(parts)}, {diff['same']} the same{cut}"
