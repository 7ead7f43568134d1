"""`gw nodes`: what there is, what is free, how limits hold, and taking nodes out and back in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import node_names
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import NodeView


@click.group("nodes", cls=NounGroup)
def nodes() -> None:
    """List, show, check, cordon and drain nodes. `gw nodes` lists, `gw nodes NODE` shows one."""


@nodes.command("show")
@click.argument("node", required=False, shell_complete=node_names)
@with_session
def show(session: Session, *, node: str | None) -> None:
    """Show NODE with its devices and what runs there; without NODE, list all."""
    if node:
        _show_one(session, session.client.nodes.find(node))
    else:
        _list(session)


@nodes.command("list")
@with_session
def list_nodes(session: Session) -> None:
    """List nodes."""
    _list(session)


@nodes.command("cordon")
@click.argument("names", nargs=-1, required=True, metavar="NODE…", shell_complete=node_names)
@click.option("--reason", default="", help="Why, for those who look.")
@with_session
def cordon(session: Session, *, names: tuple[str, ...], reason: str) -> None:
    """Let nodes take no new gangs; what runs there goes on."""
    _change(session, names, "cordoned", reason)


@nodes.command("drain")
@click.argument("names", nargs=-1, required=True, metavar="NODE…", shell_complete=node_names)
@click.option("--reason", default="", help="Why, for those who look.")
@click.option(
    "--within",
    default="0",
    metavar="TIME",
    help="By when they must be empty, e.g. 10m: jobs are asked for a checkpoint, and go once they have it.",
)
@with_session
def drain(session: Session, *, names: tuple[str, ...], reason: str, within: str) -> None:
    """Cordon nodes and move what runs there elsewhere, from its checkpoints."""
    _change(session, names, "draining", reason, int(within) if within.isdigit() else within)


@nodes.command("repair")
@click.argument("names", nargs=-1, required=True, metavar="NODE…", shell_complete=node_names)
@click.option("--reason", default="", help="Why, for those who look.")
@with_session
def repair(session: Session, *, names: tuple[str, ...], reason: str) -> None:
    """Take empty nodes out for repair; `uncordon` has them checked and opened again."""
    _change(session, names, "repair", reason)


@nodes.command("retire")
@click.argument("names", nargs=-1, required=True, metavar="NODE…", shell_complete=node_names)
@click.option("--reason", default="", help="Why, for those who look.")
@with_session
def retire(session: Session, *, names: tuple[str, ...], reason: str) -> None:
    """Take empty nodes out for good: the ledger counts nothing of them any more."""
    _change(session, names, "retired", reason)


@nodes.command("check")
@click.argument("names", nargs=-1, required=True, metavar="NODE…", shell_complete=node_names)
@click.option(
    "--level",
    type=click.Choice(["watch", "quick", "full"]),
    default="quick",
    show_default=True,
    help="watch disturbs nothing; quick and full put load on nodes, and give way to gangs.",
)
@with_session
def check(session: Session, *, names: tuple[str, ...], level: str) -> None:
    """Have checks run on nodes; `gw nodes NODE` shows what they said."""
    views = [session.client.nodes.check(name, level) for name in names]
    for view in views:
        session.say(f"{view['id']} is checked")
    if session.as_json:
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})


@nodes.command("uncordon")
@click.argument("names", nargs=-1, required=True, metavar="NODE…", shell_complete=node_names)
@with_session
def uncordon(session: Session, *, names: tuple[str, ...]) -> None:
    """Let nodes take gangs again."""
    _change(session, names, "ready", "")


def _change(
    session: Session, names: Sequence[str], state: str, reason: str, within: str | int = 0
) -> None:
    change = session.client.nodes.change
    views = [change(name, state, reason=reason, within=within) for name in names]
    for view in views:
        session.say(f"{view['id']} is {view['state']}")
    if session.as_json:
        session.show_json(views[0] if len(views) == 1 else {"items": views, "next": ""})


def _list(session: Session) -> None:
    page = session.client.nodes.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no nodes")
        return
    columns = [
        Column(name="NODE", style="bold"),
        Column(name="STATE", phase=True),
        Column(name="GPUS FREE", right=True),
        Column(name="CPUS FREE", right=True),
        Column(name="MEMORY FREE", right=True),
        Column(name="GANGS", right=True),
        Column(name="LIMITS"),
        Column(name="REASON", cut=True),
    ]
    show_table(columns, [_row(each) for each in sorted(page["items"], key=lambda node: node["id"])])


def _row(node: "NodeView") -> list[str]:
    free, total = node["free"], node["total"]
    return [
        node["id"],
        node["state"],
        _of(form.amount(free["gpus"]), form.amount(total["gpus"])) if total["gpus"] else "0",
        _of(form.amount(free["cpus"]), form.amount(total["cpus"])),
        _of(form.size(free["memory_bytes"]), form.size(total["memory_bytes"])),
        str(len(node["gangs"])),
        node["limits"],
        node["reason"],
    ]


def _of(free: str, total: str) -> str:
    return f"{free} of {total}"


def _show_one(session: Session, node: "NodeView") -> None:
    if session.as_json:
        session.show_json(node)
        return
    from gigawatt.cli.style import Column, show_fields, show_heading, show_table

    row = _row(node)
    place = " / ".join(f"{level} {name}" for level, name in node["topology"].items())
    show_fields(
        [
            ("node", node["id"]),
            ("state", node["state"]),
            ("reason", node["reason"]),
            ("address", node["address"]),
            ("place", place),
            ("gpus free", row[2]),
            ("cpus free", row[3]),
            ("memory free", row[4]),
            ("limits by", node["limits"]),
            ("system", node["system"]),
            ("pythons", " ".join(node["pythons"])),
            ("gangs", " ".join(node["gangs"])),
            ("for", form.age(node["changed_ms"], session.now_ms)),
            ("asked by", node["by"]),
            ("suspicion", f"{node['suspicion']:.1f} failures" if node["marks"] else ""),
        ]
    )
    if node["gpus"]:
        show_heading("devices")
        columns = [
            Column(name="INDEX", right=True),
            Column(name="KIND"),
            Column(name="MEMORY", right=True),
            Column(name="UUID"),
        ]
        rows = [
            [str(each["index"]), each["kind"], form.size(each["memory_bytes"]), each["uuid"]]
            for each in node["gpus"]
        ]
        show_table(columns, rows)
    if node["marks"]:
        _show_marks(session, node)
    if node["checks"]:
        _show_checks(session, node)


def _show_marks(session: Session, node: "NodeView") -> None:
    from gigawatt.cli.style import DIM, Column, show_heading, show_table

    show_heading("failures laid to it")
    columns = [
        Column(name="AGO", style=DIM),
        Column(name="WHAT"),
        Column(name="ATTEMPT"),
        Column(name="DETAIL", wraps=True),
    ]
    rows = [
        [
            form.age(mark["at_ms"], session.now_ms),
            mark["what"],
            f"{mark['gang']}.{mark['attempt']}" if mark["gang"] else form.NOTHING,
            mark["detail"],
        ]
        for mark in node["marks"]
    ]
    show_table(columns, rows)


def _show_checks(session: Session, node: "NodeView") -> None:
    from gigawatt.cli.style import DIM, Column, show_heading, show_table

    show_heading("checks")
    columns = [
        Column(name="CHECK"),
        Column(name="RESULT", phase=True),
        Column(name="AGO", style=DIM),
        Column(name="DETAIL", wraps=True),
    ]
    rows = [
        [each["name"], each["outcome"], form.age(each["at_ms"], session.now_ms), each["detail"]]
        for each in node["checks"]
    ]
    show_table(columns, rows)
