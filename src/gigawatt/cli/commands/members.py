"""`gw members`: who holds which role, in a project or in all of a tenant."""

import click

from gigawatt.cli.commands.users import ROLES
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session


@click.group("members", cls=NounGroup)
def members() -> None:
    """Show, set and remove roles of people and service accounts. `gw members` shows."""


@members.command("show")
@click.option("--project", default="", help="Only those with a role in this project.")
@click.option("--tenant", default="", help="Only for operators: another tenant.")
@with_session
def show(session: Session, *, project: str, tenant: str) -> None:
    """Show who holds which role."""
    named = {"project": project, "tenant": tenant}
    page = session.client.members.page(**{name: it for name, it in named.items() if it})
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    columns = [
        Column(name="PROJECT"),
        Column(name="USER", style="bold"),
        Column(name="ROLE"),
        Column(name="KIND"),
        Column(name="STATE"),
    ]
    rows = [
        [
            f"{each['tenant']}/{each['project'] or '*'}",
            each["user"],
            each["role"],
            each["kind"],
            "disabled" if each["disabled"] else "active",
        ]
        for each in page["items"]
    ]
    show_table(columns, sorted(rows))


@members.command("set")
@click.argument("user")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--project", default="", help="Where; default: in all of the tenant.")
@click.option("--tenant", default="", help="Only for operators: another tenant.")
@with_session
def set_(session: Session, *, user: str, role: str, project: str, tenant: str) -> None:
    """Give USER the role ROLE, in place of what it held there."""
    view = session.client.members.give(user, role, project=project, tenant=tenant)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{view['name']} is {role} in {project or 'all of the tenant'}")


@members.command("remove")
@click.argument("user")
@click.option("--project", default="", help="Where; default: what is held in all of the tenant.")
@click.option("--tenant", default="", help="Only for operators: another tenant.")
@with_session
def remove(session: Session, *, user: str, project: str, tenant: str) -> None:
    """Take away what USER holds there."""
    view = session.client.members.take(user, project=project, tenant=tenant)
    if session.as_json:
        session.show_json(view)
    else:
        session.say(f"{view['name']} holds nothing in {project or 'all of the tenant'} any more")
