"""`gw lineage`: what a model was made from, and what serves it, as a tree in both directions."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import model_names
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.model_views import LineageGraphView, LineageNodeView

SHORTENED = frozenset({"bundle"})


@click.command("lineage")
@click.argument("reference", metavar="MODEL[:V|@ALIAS]", shell_complete=model_names)
@with_project
@with_session
def lineage(session: Session, *, reference: str) -> None:
    """Show what MODEL was made from (code, environment, job, checkpoint), and the endpoints that serve it."""
    graph = session.client.models.lineage(reference)
    if session.as_json:
        session.show_json(graph)
        return
    for line in tree_lines(graph):
        click.echo(line)
    if graph["cut"]:
        session.say("there is more than is shown here")


def tree_lines(graph: "LineageGraphView") -> Iterator[str]:
    """The root; above what it came from, below what it went into, each thing drawn out where it is first met."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    origins: dict[str, list[tuple[str, str]]] = {}
    uses: dict[str, list[tuple[str, str]]] = {}
    for edge in graph["edges"]:
        origins.setdefault(edge["target"], []).append((edge["relation"], edge["source"]))
        uses.setdefault(edge["source"], []).append((edge["relation"], edge["target"]))
    root = graph["root"]
    yield _told(nodes[root])
    from_here = [("origin", each) for each in origins.get(root, [])]
    to_here = [("use", each) for each in uses.get(root, [])]
    branches = [*from_here, *to_here]
    for index, (way, (relation, other)) in enumerate(branches):
        last = index == len(branches) - 1
        words = relation if way == "origin" else f"is {PASSIVE.get(relation, relation)}"
        below = origins if way == "origin" else uses
        yield from _branch(nodes, below, (words, other), ("", last), {root})
    if not branches:
        yield "└─ nothing is on record of where it came from, and nothing serves it"


PASSIVE = {"serves": "served by"}


def _branch(
    nodes: "dict[str, LineageNodeView]",
    below: dict[str, list[tuple[str, str]]],
    branch: tuple[str, str],
    place: tuple[str, bool],
    drawn: set[str],
) -> Iterator[str]:
    (words, node), (indent, last) = branch, place
    yield f"{indent}{'└─ ' if last else '├─ '}{words} {_told(nodes[node])}"
    if node in drawn:
        return
    drawn.add(node)
    children: Sequence[tuple[str, str]] = below.get(node, [])
    for index, child in enumerate(children):
        inner = (indent + ("   " if last else "│  "), index == len(children) - 1)
        yield from _branch(nodes, below, child, inner, drawn)


def _told(node: "LineageNodeView") -> str:
    facts = node["facts"]
    label = form.short_digest(node["label"]) if node["kind"] in SHORTENED else node["label"]
    told = [
        f"{name.removesuffix('_bytes')} {_fact(name, value)}"
        for name, value in facts.items()
        if name != "created_ms"
    ]
    shown = f" ({', '.join(told)})" if told else ""
    return f"{node['kind']} {label}{shown}"


def _fact(name: str, value: str) -> str:
    if name == "digest":
        return form.short_digest(value)
    return form.size(int(value)) if name == "size_bytes" else value
