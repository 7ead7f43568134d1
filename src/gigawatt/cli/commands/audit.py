"""`gw audit`: who did what to what, from where, and how it ended."""

import json
from collections.abc import Callable
from functools import reduce
from typing import IO, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.failure import FAILED
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

_FILTERS = (
    click.option("--actor", help="Who: a user, or a key's name."),
    click.option("--verb", help="What was done, or how that begins: keys.revoke, keys."),
    click.option("--target", help="To what, or how that begins: apikey:key-1, job:"),
    click.option("--outcome", type=click.Choice(("done", "refused")), help="How it ended."),
    click.option("--since", help="From this time on: 2026-11-28, 2h."),
    click.option("--until", help="Before this time."),
    click.option("--tenant", help="Only for operators: of this tenant alone."),
    click.option("--project", help="Of this project alone."),
)


def _with_filters(command: Callable[..., Any]) -> Callable[..., Any]:
    return reduce(lambda wrapped, option: option(wrapped), reversed(_FILTERS), command)


@click.group("audit", cls=NounGroup)
def audit() -> None:
    """List, verify and export the audit record, and check the instance. `gw audit` lists."""


@audit.command("show", hidden=True)
@_with_filters
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@with_session
def show(session: Session, *, limit: int, **filters: str | None) -> None:
    """List the newest records."""
    _list(session, limit, filters)


@audit.command("list")
@_with_filters
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@with_session
def list_(session: Session, *, limit: int, **filters: str | None) -> None:
    """List the newest records."""
    _list(session, limit, filters)


@audit.command("verify")
@with_session
def verify(session: Session) -> None:
    """Say whether the record is whole and as it was written. Exit code 1 if it is not."""
    check = session.client.audit.check()
    if session.as_json:
        session.show_json(check)
    elif check["whole"]:
        click.echo("the audit record is whole")
        if check["head_seq"]:
            click.echo(
                f"{check['records']} records, from {check['first_seq']} to {check['head_seq']}"
            )
            click.echo(f"head {check['head_hash']}")
            session.say(
                "keep the head elsewhere: it says what the record was, whoever owns the database"
            )
    else:
        click.echo(f"the audit record was changed: {check['problem']}")
    if not check["whole"]:
        raise click.exceptions.Exit(1)


@audit.command("export")
@_with_filters
@click.option("--file", "out", type=click.File("w"), default="-", help="Where to; default: here.")
@with_session
def export(session: Session, *, out: IO[str], **filters: str | None) -> None:
    """Write every record as a line of JSON, newest first."""
    count = 0
    for record in session.client.audit.all(**_named(session, filters)):
        out.write(json.dumps(record) + "\n")
        count += 1
    session.say(f"{count} records")


@audit.command("self")
@with_session
def audit_self(session: Session) -> None:
    """Check transport, secrets, keys, isolation, health, quotas, audit and backups. Exit 1 if a check fails."""
    view = session.client.self_audit()
    if session.as_json:
        session.show_json(view)
    else:
        from gigawatt.cli.style import Column, show_table

        columns = [Column(name="CHECK", style="bold"), Column(name="RESULT", phase=True)]
        columns += [Column(name="EVIDENCE", wraps=True), Column(name="WHAT TO DO", wraps=True)]
        rows = [
            [each["check"], each["result"], each["evidence"], each["hint"]]
            for each in view["findings"]
        ]
        show_table(columns, rows)
        session.say(f"{view['passed']} passed, {view['failed']} failed")
    if view["failed"]:
        raise click.exceptions.Exit(FAILED)


def _list(session: Session, limit: int, filters: dict[str, str | None]) -> None:
    page = session.client.audit.page(limit=limit, **_named(session, filters))
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import DIM, Column, show_table

    columns = [
        Column(name="AGE", right=True),
        Column(name="WHO", style="bold"),
        Column(name="FROM", style=DIM),
        Column(name="VERB"),
        Column(name="TARGET"),
        Column(name="OUTCOME"),
        Column(name="COUNT", right=True),
    ]
    rows = [
        [
            form.age(each["at_ms"], session.now_ms),
            each["actor"],
            each["address"],
            each["verb"],
            each["target"],
            each["outcome"],
            str(each["count"]),
        ]
        for each in page["items"]
    ]
    show_table(columns, rows)


def _named(session: Session, filters: dict[str, str | None]) -> dict[str, Any]:
    """Those that are given; times may be ages."""
    named: dict[str, Any] = {name: value for name, value in filters.items() if value}
    for name in ("since", "until"):
        if name in named:
            named[name] = _moment(session, named[name])
    return named


def _moment(session: Session, text: str) -> str | int:
    from gigawatt.spec.units import UnitError, duration_ms

    try:
        return session.now_ms - duration_ms(text)
    except UnitError:
        return text
