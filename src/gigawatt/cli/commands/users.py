"""`gw users` and `gw service-accounts`: who there is in a tenant."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gigawatt.sdk.account_views import UserView

ROLES = ("viewer", "developer", "project-admin", "tenant-admin", "auditor", "operator")
PERSON, SERVICE = "person", "service"


@click.group("users", cls=NounGroup, epilog="A key for somebody: gw keys create NAME --user USER")
def users() -> None:
    """List, show, create, disable and enable people. `gw users` lists."""


@click.group(
    "service-accounts", cls=NounGroup, epilog="A key for one: gw keys create NAME --user ACCOUNT"
)
def service_accounts() -> None:
    """List, show, create, disable and enable accounts of programs. `gw service-accounts` lists."""


def _add_verbs(group: click.Group, kind: str) -> None:
    """The same verbs for people and for service accounts."""
    noun = "person" if kind == PERSON else "service account"

    @group.command("show", help=f"List them, or show one {noun}.")
    @click.argument("name", required=False)
    @click.option("--tenant", default="", help="Only for operators: another tenant.")
    @with_session
    def show(session: Session, *, name: str | None, tenant: str) -> None:  # pyright: ignore[reportUnusedFunction] - click has it
        if name is not None:
            _told(session, session.client.users.show(name, tenant=tenant))
            return
        named = {"tenant": tenant} if tenant else {}
        page = session.client.users.page(kind=kind, **named)
        if session.as_json:
            session.show_json(page)
        else:
            _table(session, page["items"])

    @group.command("create", help=f"Create the {noun} NAME with a first role.")
    @click.argument("name")
    @click.option("--role", type=click.Choice(ROLES), default="developer", show_default=True)
    @click.option("--project", default="", help="Where; default: in all of the tenant.")
    @click.option("--email", default="", help="By which sign-in knows the person.")
    @click.option("--tenant", default="", help="Only for operators: another tenant.")
    @with_session
    def create(  # pyright: ignore[reportUnusedFunction] - click has it
        session: Session, *, name: str, role: str, **fields: str
    ) -> None:
        _told(session, session.client.users.create(name, role=role, kind=kind, **fields))

    @group.command("disable", help="Refuse all keys of NAME from now on.")
    @click.argument("name")
    @click.option("--tenant", default="", help="Only for operators: another tenant.")
    @with_session
    def disable(session: Session, *, name: str, tenant: str) -> None:  # pyright: ignore[reportUnusedFunction] - click has it
        _told(session, session.client.users.disable(name, tenant=tenant))

    @group.command("enable", help="Take the keys of NAME again.")
    @click.argument("name")
    @click.option("--tenant", default="", help="Only for operators: another tenant.")
    @with_session
    def enable(session: Session, *, name: str, tenant: str) -> None:  # pyright: ignore[reportUnusedFunction] - click has it
        _told(session, session.client.users.enable(name, tenant=tenant))


_add_verbs(users, PERSON)
_add_verbs(service_accounts, SERVICE)


def _told(session: Session, user: "UserView") -> None:
    if session.as_json:
        session.show_json(user)
    else:
        _table(session, [user])


def _table(session: Session, shown: "Sequence[UserView]") -> None:
    from gigawatt.cli.style import DIM, Column, show_table

    columns = [
        Column(name="NAME", style="bold"),
        Column(name="KIND"),
        Column(name="ROLES"),
        Column(name="EMAIL", style=DIM),
        Column(name="STATE"),
        Column(name="AGE", right=True),
    ]
    show_table(columns, [_row(each, session.now_ms) for each in shown])


def _row(user: "UserView", now_ms: int) -> list[str]:
    roles = (f"{each['role']} in {each['project'] or '*'}" for each in user["grants"])
    return [
        user["name"],
        user["kind"],
        ", ".join(roles),
        user["email"],
        "active" if user["disabled_ms"] is None else "disabled",
        form.age(user["created_ms"], now_ms),
    ]
