"""`gw ask`: what would happen to a gang, and what would start it, with nothing submitted."""

from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.commands.gang_flags import GangFlags, gang_options
from gigawatt.cli.failure import FAILED
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.views import AskView

NAMES_SHOWN_MAX = 8
WORDS = {"leaf": ("leaf", "leaves"), "nvlink": ("NVLink domain", "NVLink domains")}
EXAMPLES = """\b
Examples:
  gw ask --nodes 16 --gpus 8 --gpu b200 --for 6h
  gw ask --nodes 2-4 --cpus 32 --memory 64GiB --same rack
  gw ask --nodes 64 --gpus 4 --segment 16:nvlink --spares 2
  gw ask --gpus 8 -o json                what the API says of it
"""


@click.command("ask", epilog=EXAMPLES)
@gang_options
@click.option("--priority", type=int, default=0, help="-1000 to 1000; default 0.")
@click.option("--for", "limit", metavar="TIME", help="It is stopped after this long, e.g. 6h.")
@with_project
@with_session
def ask(session: Session, *, priority: int, limit: str | None, **given: Any) -> None:
    """Ask what would happen: whether a gang of this size would start now and where, or wait, and why.

    Nothing is submitted. The exit code is 1 if it could never start here, else 0.
    """
    timeout = _seconds(limit) if limit is not None else 0
    view = session.client.ask(priority=priority, timeout=timeout, **GangFlags(**given).fields())
    if session.as_json:
        session.show_json(view)
    else:
        click.echo("\n".join(told(view, session.now_ms)))
    if view["starts"] == "never":
        raise click.exceptions.Exit(FAILED)


def told(view: "AskView", now_ms: int = 0) -> list[str]:
    """The answer in a few lines."""
    reason, change, nodes = view["reason"], view["cheapest_change"], view["nodes"]
    if view["starts"] == "now":
        many = f"{len(nodes)} nodes" if len(nodes) > 1 else "1 node"
        return [f"It would start now on {many}{_where(view['domains'])}.", f"nodes: {_some(nodes)}"]
    because = reason["message"] if reason else ""
    lines = [f"It would wait at place {view['position']}: {because}."]
    if view["starts"] == "never":
        lines = [f"It can never start here: {because}."]
    if estimate := view["estimate"]:
        lines.append(f"It would start {form.estimate(estimate['p50'], estimate['p90'], now_ms)}.")
    if change:
        before, after = change["from"] or "none", change["to"] or "none"
        lines.append(
            f"It would start {form.start(change['start'])} with {change['field']} {after} instead of {before}."
        )
    return lines


def _seconds(text: str) -> int:
    """Raises click.BadParameter."""
    from gigawatt.spec.units import UnitError, duration_s

    try:
        return duration_s(text)
    except UnitError as error:
        context = click.get_current_context()
        detail = f"{error.detail}: {error.hint}"
        raise click.BadParameter(detail, param_hint="--for", ctx=context) from error


def _where(domains: dict[str, list[str]]) -> str:
    """The narrowest part of the site that holds all, and those next within it that share them."""
    levels = list(domains.items())
    whole = [place for place, (_, names) in enumerate(levels) if len(names) == 1]
    narrowest = whole[-1] if whole else -1
    found = f" in {_word(levels[narrowest][0])} {levels[narrowest][1][0]}" if whole else ""
    if narrowest + 1 == len(levels):
        return found
    level, names = levels[narrowest + 1]
    return f"{found}, in {len(names)} {_word(level, many=True)}: {_some(names)}"


def _word(level: str, *, many: bool = False) -> str:
    one, several = WORDS.get(level, (level, f"{level}s"))
    return several if many else one


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN_MAX
    listed = ", ".join(names[:NAMES_SHOWN_MAX])
    return f"{listed} and {more} more" if more > 0 else listed
