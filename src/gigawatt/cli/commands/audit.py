"""`gw audit`: what can be vouched for."""

import click

from gigawatt.cli.failure import FAILED
from gigawatt.cli.session import Session, with_session


@click.group("audit")
def audit() -> None:
    """Check the instance, as who buys or audits it would."""


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
