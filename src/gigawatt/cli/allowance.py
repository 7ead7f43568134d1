"""Options and output of what keys and projects may have of the gateway."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gigawatt.cli.session import Session

if TYPE_CHECKING:
    from gigawatt.sdk.usage_views import AllowanceView

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    ("--requests-per-s", "At most so many requests a second."),
    ("--tokens-per-min", "At most so many tokens a minute."),
    ("--concurrent", "At most so many requests at once."),
    ("--tokens-per-month", "At most so many tokens in a month of UTC."),
)


def with_allowance(function: F) -> F:
    """Give a command the options; 0 is without a limit, None where not named."""
    for option, text in reversed(OPTIONS):
        function = click.option(option, type=click.IntRange(min=0), help=f"{text} 0: no limit.")(
            function
        )
    return function


def named_amounts(amounts: Mapping[str, int | None]) -> dict[str, int]:
    """Those that were given. Raises click.UsageError for none."""
    named = {name: amount for name, amount in amounts.items() if amount is not None}
    if not named:
        raise click.UsageError("name at least one limit, e.g. --requests-per-s 10")
    return named


def show_allowance(session: Session, view: "AllowanceView") -> None:
    """Print it."""
    if session.as_json:
        session.show_json(view)
        return
    from gigawatt.cli.style import show_fields

    amounts = (
        ("requests a second", view["requests_per_s"]),
        ("tokens a minute", view["tokens_per_min"]),
        ("requests at once", view["concurrent"]),
        ("tokens a month", view["tokens_per_month"]),
    )
    show_fields([(name, str(amount or "no limit")) for name, amount in amounts])
