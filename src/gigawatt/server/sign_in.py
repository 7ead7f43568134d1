"""The file of OpenID providers that the settings name, read once at the start."""

from pathlib import Path

import yaml

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.service.oidc import Provider
from gigawatt.service.ports import Leader
from gigawatt.service.sign_in import SignIn
from gigawatt.spec.sign_in import ProviderForm, parse_sign_in
from gigawatt.store.base import Store

CALLBACK = "/v1/sign-in-callback"


def sign_in_of(
    file: str, *, store: Store, leader: Leader, secret: bytes, api_url: str
) -> SignIn | None:
    """None where no file is named. Raises RefusalError for one that is wrong."""
    if not file:
        return None
    try:
        form = parse_sign_in(yaml.safe_load(Path(file).read_text()))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RefusalError(
            RefusalCode.INVALID, f"{file} cannot be read: {error}", field="sign_in"
        ) from error
    return SignIn(
        tuple(Provider(each, secret=_secret(each)) for each in form.providers),
        store=store,
        leader=leader,
        secret=secret,
        redirect=(form.url.rstrip("/") or api_url) + CALLBACK,
    )


def _secret(form: ProviderForm) -> str:
    if not form.client_secret_file:
        return ""
    try:
        return Path(form.client_secret_file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        detail = f"{form.client_secret_file} cannot be read: {error}"
        raise RefusalError(RefusalCode.INVALID, detail, field="client_secret_file") from error
