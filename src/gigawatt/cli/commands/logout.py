"""`gw logout`: a session ends, and its context is forgotten."""

import os

import click

from gigawatt.cli.complete import context_names


@click.command("logout")
@click.argument("name", default="", shell_complete=context_names)
@click.option("--everywhere", is_flag=True, help="End all sessions of this account, browsers' too.")
def logout(*, name: str, everywhere: bool) -> None:
    """End the session of the context NAME, of the one in use without, and forget its key.

    An API key is forgotten here, and stays good elsewhere: `gw keys revoke` ends that.
    """
    from gigawatt.model.refusal import RefusalCode, RefusalError
    from gigawatt.sdk.contexts import contexts_path, read_contexts, write_contexts
    from gigawatt.sdk.errors import ApiError, UnreachableError

    path = contexts_path(os.environ)
    stored = read_contexts(path)
    chosen = name or stored.current
    if not chosen:
        hint = "the key of this machine's instance is in its data directory"
        raise RefusalError(RefusalCode.NOT_FOUND, "no context is in use", field="name", hint=hint)
    context = stored.find(chosen)
    if everywhere and not context.provider:
        detail = f"context {chosen} has an API key, and no session"
        raise RefusalError(RefusalCode.INVALID, detail, field="everywhere")
    if context.provider:
        try:
            _end(context.api_url, context.token, context.ca, everywhere=everywhere)
        except ApiError as error:
            if error.problem.status != 401:
                raise
            click.echo("the session had ended before", err=True)
        except UnreachableError as error:
            click.echo(f"{error}: the session ends by itself", err=True)
    write_contexts(path, stored.without(chosen))
    click.echo(f"context {chosen} is forgotten", err=True)


def _end(url: str, token: str, ca: str, *, everywhere: bool) -> None:
    """Raises ApiError, UnreachableError."""
    from gigawatt.sdk.instance import Address
    from gigawatt.sdk.transport import Transport

    address = Address(api_url=url, token=token, ca=ca, source="the context")
    transport = Transport(address, patience_s=0.0)
    try:
        transport.write("POST", "/v1/session/end", {"everywhere": everywhere})
    finally:
        transport.close()
