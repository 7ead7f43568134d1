"""Names for shell completion. A completion never complains: where the API does not answer there is nothing to offer."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gigawatt.sdk.client import Client

OFFERED_MAX = 50
NAMING = ("api_url", "data", "context")  # the options that say which instance is asked


def job_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the newest jobs."""
    return _offered(ctx, "jobs", "name", incomplete)


def endpoint_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "endpoints", "name", incomplete)


def workspace_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of workspaces that are not deleted."""
    return _offered(ctx, "workspaces", "name", incomplete)


def model_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "models", "name", incomplete)


def volume_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "volumes", "name", incomplete)


def node_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "nodes", "id", incomplete)


def template_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "templates", "name", incomplete)


def schedule_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "schedules", "name", incomplete)


def notification_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return _offered(ctx, "notifications", "name", incomplete)


def context_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of the contexts that are stored, and of the one that always is."""
    import os

    from gigawatt.model.refusal import RefusalError
    from gigawatt.sdk.contexts import LOCAL, contexts_path, read_contexts

    try:
        known = read_contexts(contexts_path(os.environ)).known
    except RefusalError:
        known = ()
    names = [*(each.name for each in known), LOCAL]
    return [each for each in names if each.startswith(incomplete)]


def _offered(ctx: click.Context, noun: str, field: str, incomplete: str) -> list[str]:
    from gigawatt.model.refusal import RefusalError
    from gigawatt.sdk.client import Client
    from gigawatt.sdk.errors import GigawattError

    named: dict[str, Any] = {option: ctx.params.get(option) or "" for option in NAMING}
    try:
        with Client(**named) as client:
            page = _page(client, noun)
    except (GigawattError, RefusalError):
        return []
    found = dict.fromkeys(str(each[field]) for each in page)
    return [each for each in found if each.startswith(incomplete)]


def _page(client: "Client", noun: str) -> list[dict[str, object]]:
    return getattr(client, noun).page(limit=OFFERED_MAX)["items"]
