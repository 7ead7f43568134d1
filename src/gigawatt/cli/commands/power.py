"""`gw power`: the tree of what supplies nodes, its caps, and what gangs draw."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.power import FeedView

NONE = "none"
STEP = "  "


@click.group("power", cls=NounGroup)
def power() -> None:
    """Show or set the power tree and its caps. `gw power` shows."""


@power.command("show")
@with_session
def show(session: Session) -> None:
    """Show every feed, its cap, and what gangs draw through it."""
    page = session.client.power.page(limit=500)
    items = list(page["items"])
    while page["next"]:
        page = session.client.power.page(limit=500, cursor=page["next"])
        items += page["items"]
    if session.as_json:
        session.show_json({"items": items, "next": ""})
        return
    if not items:
        session.say("no feeds: gw power set FEED --cap 120kW --supplies rack=r1")
        return
    _shown([*_in_tree(items)])


@power.command("set")
@click.argument("feed")
@click.option("--cap", metavar="WATTS|none", help="Carry at most so much, e.g. 120kW.")
@click.option("--parent", metavar="FEED|none", help="The feed that carries it.")
@click.option(
    "--supplies",
    multiple=True,
    metavar="LEVEL=NAME",
    help="A part of the site that hangs on it, e.g. rack=r7. Those given replace all.",
)
@with_session
def change(
    session: Session, *, feed: str, cap: str | None, parent: str | None, supplies: tuple[str, ...]
) -> None:
    """Make FEED or change it; what is not named stays as it is."""
    terms: dict[str, Any] = {}
    if cap is not None:
        terms["cap"] = None if cap == NONE else _watts(cap)
    if parent is not None:
        terms["parent"] = "" if parent == NONE else parent
    if supplies:
        terms["supplies"] = list(supplies)
    view = session.client.power.change(feed, **terms)
    if session.as_json:
        session.show_json(view)
        return
    _shown([(0, view)])


@power.command("remove")
@click.argument("feed")
@with_session
def remove(session: Session, *, feed: str) -> None:
    """Remove FEED, which carries no other."""
    view = session.client.power.remove(feed)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{view['name']} is removed")


def _watts(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _in_tree(views: "Sequence[FeedView]") -> "Iterator[tuple[int, FeedView]]":
    """Each with its depth, those that it carries after it, by name."""
    below: dict[str, list[FeedView]] = {}
    names = {view["name"] for view in views}
    for view in sorted(views, key=lambda each: each["name"], reverse=True):
        below.setdefault(view["parent"] if view["parent"] in names else "", []).append(view)
    line = [(0, view) for view in below.get("", [])]
    while line:
        depth, view = line.pop()
        yield depth, view
        line += [(depth + 1, each) for each in below.get(view["name"], [])]


def _shown(rows: "Sequence[tuple[int, FeedView]]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="FEED", style="bold"),
        Column(name="CAP", right=True),
        Column(name="DRAWN", right=True),
        Column(name="LEFT", right=True),
        Column(name="SUPPLIES", cut=True),
    ]
    show_table(columns, [_row(depth, view) for depth, view in rows])


def _row(depth: int, view: "FeedView") -> list[str]:
    cap, drawn = view["cap"], view["drawn"]
    return [
        STEP * depth + view["name"],
        "-" if cap is None else _told(cap),
        _told(drawn),
        "-" if cap is None else _told(cap - drawn),
        " ".join(view["supplies"]),
    ]


def _told(amount: float) -> str:
    """As people write it: `700 W`, `120 kW`, `1.5 MW`."""
    for unit, size in (("GW", 1e9), ("MW", 1e6), ("kW", 1e3)):
        if abs(amount) >= size:
            return f"{amount / size:.4g} {unit}"
    return f"{amount:.4g} W"
