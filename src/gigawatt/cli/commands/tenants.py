"""`gw tenants`: who pays, and is isolated from the others."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.account_views import TenantView

EXAMPLES = "The first key of a new tenant: gw keys create ada --tenant acme --role tenant-admin"


@click.group("tenants", cls=NounGroup, epilog=EXAMPLES)
def tenants() -> None:
    """List, show, create and set tenants. `gw tenants` lists."""


@tenants.command("show")
@click.argument("tenant", required=False)
@with_session
def show(session: Session, *, tenant: str | None) -> None:
    """List tenants, or show TENANT."""
    if tenant is None:
        _list(session)
        return
    view = session.client.tenants.show(tenant)
    if session.as_json:
        session.show_json(view)
    else:
        _table(session, [view])


@tenants.command("list")
@with_session
def list_(session: Session) -> None:
    """List the tenants that you can see: your own, and for operators every one."""
    _list(session)


@tenants.command("create")
@click.argument("tenant")
@with_session
def create(session: Session, *, tenant: str) -> None:
    """Create TENANT, with a project called default. For operators."""
    view = session.client.tenants.create(tenant)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"tenant {view['id']} is there")
        session.say(f"next: gw keys create NAME --tenant {view['id']} --role tenant-admin")


@tenants.command("set")
@click.argument("tenant")
@click.option(
    "--isolation",
    required=True,
    type=click.Choice(["none", "process", "user"]),
    help="What all that it starts from now on has at least.",
)
@with_session
def set_(session: Session, *, tenant: str, isolation: str) -> None:
    """Set TENANT's least class of isolation. What runs keeps what it started with. For operators."""
    view = session.client.tenants.set_isolation(tenant, isolation)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(
            f"what tenant {view['id']} starts from now on has isolation {view['isolation']} at least"
        )


def _list(session: Session) -> None:
    page = session.client.tenants.page()
    if session.as_json:
        session.show_json(page)
    else:
        _table(session, page["items"])


def _table(session: Session, shown: "Sequence[TenantView]") -> None:
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="TENANT", style="bold"),
        Column(name="ISOLATION"),
        Column(name="AGE", right=True),
    ]
    rows = [
        [each["id"], each["isolation"], form.age(each["created_ms"], session.now_ms)]
        for each in shown
    ]
    show_table(columns, rows)
