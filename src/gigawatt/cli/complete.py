"""Names for shell completion. A completion never complains: where the API does not answer there is nothing to offer."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gigawatt.sdk.client import Client

OFFERED_MAX = 50


def job_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the newest jobs."""
    return _offered("jobs", "name", incomplete)


def endpoint_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered("endpoints", "name", incomplete)


def model_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered("models", "name", incomplete)


def node_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered("nodes", "id", incomplete)


def _offered(noun: str, field: str, incomplete: str) -> list[str]:
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.errors import GigawattError

    try:
        with Client() as client:
            page = _page(client, noun)
    except GigawattError:
        return []
    found = dict.fromkeys(str(each[field]) for each in page)
    return [each for each in found if each.startswith(incomplete)]


def _page(client: "Client", noun: str) -> list[dict[str, object]]:
    return getattr(client, noun).page(limit=OFFERED_MAX)["items"]
