"""`gw keys`: API keys. A key's secret is printed once, when it is made."""

from typing import TYPE_CHECKING

import click

from gigawatt.cli import format as form
from gigawatt.cli.allowance import named_amounts, show_allowance, with_allowance
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.account_views import KeyView

_PREFIX_CHARS = 9  # a secret given whole is not sent
ROLES = (
    "viewer",
    "developer",
    "project-admin",
    "tenant-admin",
    "auditor",
    "operator",
    "gateway",
)


@click.group("keys", cls=NounGroup)
def keys() -> None:
    """List, create, limit, rotate and revoke API keys. `gw keys` lists."""


@keys.command("show")
@click.option("--prefix", default="", help="Only keys that begin so: a whole key, or its first 9.")
@with_session
def show(session: Session, *, prefix: str) -> None:
    """List keys, without their secrets."""
    page = session.client.keys.page(**({"prefix": prefix[:_PREFIX_CHARS]} if prefix else {}))
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import DIM, Column, show_table

    columns = [
        Column(name="NAME", style="bold"),
        Column(name="ID", style=DIM),
        Column(name="BEGINS"),
        Column(name="ROLE"),
        Column(name="OF"),
        Column(name="PROJECT"),
        Column(name="SCOPES"),
        Column(name="AGE", right=True),
        Column(name="USED", right=True),
        Column(name="STATE"),
    ]
    show_table(columns, [_row(each, session.now_ms) for each in page["items"]])


@keys.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), default="developer", show_default=True)
@click.option("--project", default="", help="Only for this project; default: all of the tenant.")
@click.option("--tenant", default="", help="Only for operators: the tenant that it is for.")
@click.option("--user", default="", help="Whose it is to be, person or service account.")
@click.option("--scope", "scopes", multiple=True, help="Only for this, e.g. jobs:read.")
@click.option("--expires", metavar="DURATION", help="Refuse it after this long, e.g. 30d.")
@with_session
def create(
    session: Session,
    *,
    name: str,
    role: str,
    scopes: tuple[str, ...],
    expires: str | None,
    **of: str,
) -> None:
    """Create a key called NAME and print its secret: now, and never again."""
    expires_ms = session.now_ms + _span_ms(expires, "--expires") if expires else 0
    view = session.client.keys.create(
        name, role=role, scopes=list(scopes), expires_ms=expires_ms, **of
    )
    _print_secret(session, view)


@keys.command("rotate")
@click.argument("id")
@click.option(
    "--overlap", metavar="DURATION", default="1d", show_default=True, help="Old one good for."
)
@click.option("--expires", metavar="DURATION", help="Refuse the new one after this long.")
@with_session
def rotate(session: Session, *, id: str, overlap: str, expires: str | None) -> None:
    """Make a successor of the key ID and print its secret; the old one stays good for a while."""
    expires_ms = session.now_ms + _span_ms(expires, "--expires") if expires else 0
    overlap_s = _span_ms(overlap, "--overlap") // 1000
    _print_secret(
        session, session.client.keys.rotate(id, overlap_s=overlap_s, expires_ms=expires_ms)
    )


@keys.command("limit")
@click.argument("id")
@with_allowance
@with_session
def limit(session: Session, *, id: str, **amounts: int | None) -> None:
    """Say what the key ID may have of the gateway; what is not named stays as it is."""
    named = named_amounts(amounts)
    show_allowance(session, session.client.usage.allow_key(id, **named))


@keys.command("revoke")
@click.argument("ids", nargs=-1, required=True, metavar="ID…")
@with_session
def revoke(session: Session, *, ids: tuple[str, ...]) -> None:
    """Refuse keys from now on."""
    for each in ids:
        session.client.keys.revoke(each)
        session.say(f"key {each} is revoked")


def _print_secret(session: Session, view: "KeyView") -> None:
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["key"])
    session.say(f"key {view['id']} ({view['role']}): keep what is printed, it is not kept here")


def _span_ms(text: str, option: str) -> int:
    """Raises click.BadParameter."""
    from gigawatt.spec.units import UnitError, duration_ms

    try:
        return duration_ms(text)
    except UnitError as error:
        message = f"{error.detail}: {error.hint}"
        raise click.BadParameter(message, param_hint=option) from error


def _row(key: "KeyView", now_ms: int) -> list[str]:
    if key["revoked_ms"] is not None:
        state = "revoked"
    elif key["expires_ms"]:
        left = key["expires_ms"] - now_ms
        state = f"expires in {form.duration(left)}" if left > 0 else "expired"
    else:
        state = "valid"
    return [
        key["name"],
        key["id"],
        key["prefix"],
        key["role"],
        key["user"],
        f"{key['tenant']}/{key['project'] or '*'}",
        " ".join(key["scopes"]),
        form.age(key["created_ms"], now_ms),
        form.age(key["used_ms"], now_ms) if key["used_ms"] is not None else "-",
        state,
    ]
