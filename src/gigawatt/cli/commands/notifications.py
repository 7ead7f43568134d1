"""`gw notifications`: webhooks and mailboxes that are told what happens."""

from typing import TYPE_CHECKING, Any

import click

from gigawatt.cli import format as form
from gigawatt.cli.complete import notification_names
from gigawatt.cli.failure import FAILED, say_error
from gigawatt.cli.lazy import NounGroup
from gigawatt.cli.session import Session, with_project, with_session

if TYPE_CHECKING:
    from gigawatt.sdk.standing_views import NotificationView

PHASES = ("pending", "delivered", "dead")
LIMIT = 30
LIMIT_MAX = 500
EXAMPLES = """\b
Examples:
  gw notifications create ops --on job.failed,node.down --webhook https://example.com/hook
  gw notifications create team --on job.succeeded --label team=nlp --format slack --webhook URL
  gw notifications test ops              send a message now, and say how it went
  gw notifications create mail --on node.down --email ops@example.com
  gw notifications deliveries ops --phase dead
  gw notifications redeliver ops         send again what was given up
"""


@click.group("notifications", cls=NounGroup, epilog=EXAMPLES)
def notifications() -> None:
    """Tell webhooks and mailboxes what happens. `gw notifications` lists, `gw notifications NAME` shows one."""


@notifications.command("show")
@click.argument("name", required=False, shell_complete=notification_names)
@with_project
@with_session
def show(session: Session, *, name: str | None) -> None:
    """Show the notification NAME; without NAME, list them."""
    if not name:
        _list(session)
        return
    view = session.client.notifications.find(name)
    if session.as_json:
        session.show_json(view)
    else:
        _show_one(session, view)


@notifications.command("list")
@with_project
@with_session
def list_notifications(session: Session) -> None:
    """List notifications."""
    _list(session)


@notifications.command("kinds")
@with_session
def kinds(session: Session) -> None:
    """List the kinds of events that can be told."""
    from gigawatt.model.event import KINDS
    from gigawatt.spec.standing import EVENT_KINDS

    if session.as_json:
        session.show_json({kind: KINDS[kind] for kind in EVENT_KINDS})
        return
    from gigawatt.cli.style import Column, show_table

    columns = [Column(name="KIND", style="bold"), Column(name="WHAT HAPPENED", wraps=True)]
    show_table(columns, [[kind, KINDS[kind]] for kind in EVENT_KINDS])


@notifications.command("create")
@click.argument("name")
@click.option("--on", "on", multiple=True, required=True, metavar="KIND,…", help="Kinds of events.")
@click.option("--webhook", metavar="URL", help="Where to, by POST.")
@click.option("--email", multiple=True, metavar="ADDRESS,…", help="Where to, by mail.")
@click.option(
    "--format",
    type=click.Choice(["json", "slack"]),
    help="For a webhook: events as JSON, the default, or lines of text for a chat.",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="KEY[=VALUE]|!KEY",
    help="Only jobs with this label, or without it.",
)
@click.option("--jobs", default="", metavar="PATTERN", help="Only jobs of such a name: train-*.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME",
    help="A secret of the project that signs; two while one takes the other's place.",
)
@click.option("--per-minute", type=int, help="At most so many messages a minute; default 60.")
@with_project
@with_session
def create(
    session: Session, *, name: str, on: tuple[str, ...], email: tuple[str, ...], **given: Any
) -> None:
    """Tell a webhook or mailboxes of events of these kinds, from now on. `gw notifications kinds` lists them."""
    more = {field: each for field, each in given.items() if each not in (None, "", ())}
    if email:
        more["email"] = _parted(email)
    view = session.client.notifications.create(name, on=_parted(on), **more)
    if session.as_json:
        session.show_json(view)
        return
    click.echo(view["name"])
    session.say(f"try it out: gw notifications test {name}")


@notifications.command("test")
@click.argument("name", shell_complete=notification_names)
@with_project
@with_session
def test(session: Session, *, name: str) -> None:
    """Send a message to NAME now, once. Exits 1 if it does not arrive."""
    trial = session.client.notifications.test(name)
    if session.as_json:
        session.show_json(trial)
    elif trial["delivered"]:
        session.say(f"it answered {trial['status']} in {form.duration(trial['took_ms'])}")
    else:
        say_error(trial["error"], f"gw notifications show {name}")
    if not trial["delivered"]:
        raise click.exceptions.Exit(FAILED)


@notifications.command("deliveries")
@click.argument("name", shell_complete=notification_names)
@click.option("--phase", type=click.Choice(PHASES), help="Only messages in this phase.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=LIMIT, show_default=True)
@with_project
@with_session
def deliveries(session: Session, *, name: str, phase: str | None, limit: int) -> None:
    """List the newest messages to NAME: on the way, delivered, and dead, which are given up."""
    page = session.client.notifications.deliveries(name, phase=phase or "", limit=limit)
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say("no such messages")
        return
    columns = [
        Column(name="ID", style="dim"),
        Column(name="PHASE", phase=True),
        Column(name="EVENTS", right=True),
        Column(name="AGE", right=True),
        Column(name="TRIES", right=True),
        Column(name="ERROR", cut=True),
    ]
    rows = [
        [
            each["id"],
            each["phase"],
            str(each["events"]),
            form.age(each["at_ms"], session.now_ms),
            str(each["tries"]),
            each["error"],
        ]
        for each in page["items"]
    ]
    show_table(columns, rows)


@notifications.command("redeliver")
@click.argument("name", shell_complete=notification_names)
@click.argument("messages", nargs=-1, metavar="[MESSAGE]...")
@with_project
@with_session
def redeliver(session: Session, *, name: str, messages: tuple[str, ...]) -> None:
    """Send dead messages to NAME again, with the ids that they had: these MESSAGEs, or all."""
    view = session.client.notifications.redeliver(name, messages)
    if session.as_json:
        session.show_json(view)
        return
    for message in view["messages"]:
        click.echo(message)
    count = len(view["messages"])
    session.say(
        f"{count} on the way again: gw notifications deliveries {name}"
        if count
        else f"{name} has no dead messages"
    )


@notifications.command("delete")
@click.argument("name", shell_complete=notification_names)
@with_project
@with_session
def delete(session: Session, *, name: str) -> None:
    """Tell NAME nothing more. What is on the way is given up."""
    session.client.notifications.remove(name)
    session.say(f"notification {name} is deleted")


def _list(session: Session) -> None:
    page = session.client.notifications.page()
    if session.as_json:
        session.show_json(page)
        return
    from gigawatt.cli.style import Column, show_table

    if not page["items"]:
        session.say(
            "no notifications yet: gw notifications create NAME --on … --webhook URL or --email ADDRESS"
        )
        return
    columns = [
        Column(name="NAME", style="bold"),
        Column(name="TO"),
        Column(name="MESSAGES", right=True),
        Column(name="ON", cut=True),
    ]
    rows = [
        [each["name"], _place(each), str(each["deliveries"]), ", ".join(each["on"])]
        for each in page["items"]
    ]
    show_table(columns, rows)


def _show_one(session: Session, view: "NotificationView") -> None:
    from gigawatt.cli.style import show_fields

    show_fields(
        [
            ("name", view["name"]),
            ("project", f"{view['tenant']}/{view['project']}"),
            ("on", ", ".join(view["on"])),
            ("labels", " ".join(view["labels"])),
            ("jobs", view["jobs"]),
            ("to", _place(view)),
            ("format", view["format"]),
            ("signed by", ", ".join(view["secrets"])),
            ("rate", f"{view['per_minute']} a minute"),
            ("messages", str(view["deliveries"])),
            ("made by", view["created_by"]),
            ("age", form.age(view["created_ms"], session.now_ms)),
        ]
    )


def _parted(given: tuple[str, ...]) -> list[str]:
    return [part for each in given for part in each.split(",") if part]


def _place(view: "NotificationView") -> str:
    return view["webhook"] or ", ".join(view["email"])
