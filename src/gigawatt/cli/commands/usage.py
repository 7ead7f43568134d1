"""`gw usage`: requests and tokens, by whom and of what."""

from typing import Any

import click

from gigawatt.cli.session import Session, with_project, with_session

SUBJECTS = ("tenant", "project", "key", "model", "endpoint", "hour")


@click.command("usage")
@click.option(
    "--by",
    default="key,endpoint",
    show_default=True,
    metavar="SUBJECT,…",
    help=f"Sum by these: {', '.join(SUBJECTS)}.",
)
@click.option("--since", default="", help="From this time on, e.g. 2026-11-01.")
@click.option("--until", default="", help="Up to this time.")
@click.option("--tenant", default="", help="Only this tenant's.")
@with_project
@with_session
def usage(session: Session, *, by: str, **given: Any) -> None:
    """Show how many requests and tokens the gateway has answered. Cached tokens are part of the prompt's."""
    names = [name for name in by.split(",") if name]
    view = session.client.usage.totals(
        by=names, **{name: value for name, value in given.items() if value}
    )
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name=name.upper()) for name in view["by"]]
    columns += [
        Column(name=name, right=True) for name in ("REQUESTS", "PROMPT", "CACHED", "COMPLETION")
    ]
    rows: list[list[str]] = []
    for item in view["items"]:
        fields: dict[str, Any] = dict(item)
        counts = ("requests", "prompt_tokens", "cached_tokens", "completion_tokens")
        rows.append([str(fields[name]) for name in (*view["by"], *counts)])
    show_table(columns, rows)
