"""Where the API is and with which key: arguments, the environment, the context in use, the instance on this machine."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from gigawatt.model.refusal import RefusalCode, RefusalError
from gigawatt.sdk.contexts import ENV_CONTEXT, LOCAL, contexts_path, read_contexts
from gigawatt.sdk.errors import UnreachableError

ENV_API = "GIGAWATT_API"
ENV_TOKEN = "GIGAWATT_TOKEN"  # noqa: S105 - the name of a variable, not a secret
ENV_TOKEN_FILE = "GIGAWATT_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a secret
ENV_CA_FILE = "GIGAWATT_CA_FILE"
ENV_DATA = "GIGAWATT_DATA"
ENV_PROJECT = "GIGAWATT_PROJECT"
INSTANCE_FILE = "instance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An API to call. `source` says where it was found; `start` is the command that starts an instance there,
    empty where that is not for us.
    """

    api_url: str
    gateway_url: str = ""
    token: str = field(default="", repr=False)
    source: str
    start: str = "gw up --detach"
    local: bool = False  # found in its data directory: its nodes share this machine's files
    ca: str = ""  # PEM of what it is believed by alone; empty for what the system knows

    def trust(self) -> ssl.SSLContext:
        """A context that believes it. Raises UnreachableError."""
        try:
            return ssl.create_default_context(cadata=self.ca or None)
        except ssl.SSLError as error:
            raise UnreachableError(
                f"the certificates that {self.api_url} is believed by cannot be read: {error}",
                f"they are PEM, from {ENV_CA_FILE}, the context, or {INSTANCE_FILE}",
            ) from error


def discover(
    *,
    api_url: str,
    token: str,
    data: Path | None,
    environ: Mapping[str, str],
    context: str = "",
) -> Address:
    """The API that is named by an argument (`api_url`, `data` or `context`), else by GIGAWATT_API, GIGAWATT_CONTEXT or
    GIGAWATT_DATA, else by the context in use, else the instance on this machine.

    A context's key is its own: one in the environment is for another instance.

    Raises:
        UnreachableError: there is no instance in the data directory, or its files cannot be read.
        RefusalError: there is no such context, or more than one instance is named.
    """
    if context and (api_url or data):
        detail = "a context names an instance, and so do an API's URL and a data directory"
        raise RefusalError(RefusalCode.INVALID, detail, field="context", hint="give one of them")
    if context:
        return _of_context(context, token=token, environ=environ)
    url = api_url or ("" if data else environ.get(ENV_API, ""))
    key = token or _token_of(environ)
    if not url and data is None and (chosen := _chosen(environ)):
        return _of_context(chosen, token=token, environ=environ)
    if not url:
        return _local(data or data_directory(environ), token=token or ("" if data else key))
    source = "as asked" if api_url else f"from {ENV_API}"
    url = url.rstrip("/")
    return Address(
        api_url=url,
        token=key or _token_of_local(url, environ),
        source=source,
        ca=_ca_of(environ) or _ca_of_local(url, environ),
    )


def data_directory(environ: Mapping[str, str]) -> Path:
    """`GIGAWATT_DATA`, or the user's data directory for gigawatt."""
    named = environ.get(ENV_DATA, "")
    if named:
        return Path(named).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_path("gigawatt"))


def data_option(data: Path) -> str:
    """` --data DIR` for commands that are shown to a person; empty for the default directory."""
    return "" if data == data_directory({}) else f" --data {data}"


def _chosen(environ: Mapping[str, str]) -> str:
    """The context that the environment names, or that is in use; a named data directory is not overruled."""
    named = environ.get(ENV_CONTEXT, "")
    if named or environ.get(ENV_DATA):
        return named
    return read_contexts(contexts_path(environ)).current


def _of_context(name: str, *, token: str, environ: Mapping[str, str]) -> Address:
    if name == LOCAL:
        return _local(data_directory(environ), token=token)
    path = contexts_path(environ)
    found = read_contexts(path).find(name)
    if found.refresh and not token:
        from gigawatt.sdk.sign_in import fresh

        found = fresh(found, path)
    source = f"context {name}"
    return Address(
        api_url=found.api_url, token=token or found.token, source=source, start="", ca=found.ca
    )


def _token_of(environ: Mapping[str, str]) -> str:
    token = environ.get(ENV_TOKEN, "").strip()
    path = environ.get(ENV_TOKEN_FILE, "")
    if token or not path:
        return token
    return _read(Path(path), what=f"the token file that {ENV_TOKEN_FILE} names").strip()


def _local(data: Path, *, token: str) -> Address:
    """The instance whose state is in `data`; `token` in place of its administrator's, if given."""
    path = data / INSTANCE_FILE
    start = f"gw up --detach{data_option(data)}"
    if not path.exists():
        raise UnreachableError(
            f"no gigawatt instance is running here ({path} does not exist)",
            f"start one with: {start}; or name one with {ENV_API} and {ENV_TOKEN}",
        )
    found = _instance(path)
    token_path = str(found.get("token_path") or data / "token")
    return Address(
        api_url=str(found["api_url"]).rstrip("/"),
        gateway_url=str(found.get("gateway_url") or ""),
        token=token or _read(Path(token_path), what="the instance's token").strip(),
        source=f"from {path}",
        start=start,
        local=True,
        ca=_ca_at(found),
    )


def _token_of_local(url: str, environ: Mapping[str, str]) -> str:
    """The local instance's token where `url` is the local instance; otherwise none."""
    path = data_directory(environ) / INSTANCE_FILE
    if not path.exists():
        return ""
    found = _instance(path)
    if str(found["api_url"]).rstrip("/") != url:
        return ""
    return _read(Path(str(found["token_path"])), what="the instance's token").strip()


def _ca_of(environ: Mapping[str, str]) -> str:
    path = environ.get(ENV_CA_FILE, "")
    return _read(Path(path), what=f"the file that {ENV_CA_FILE} names") if path else ""


def _ca_of_local(url: str, environ: Mapping[str, str]) -> str:
    """The local instance's where `url` is the local instance; otherwise none."""
    path = data_directory(environ) / INSTANCE_FILE
    if not url.startswith("https:") or not path.exists():
        return ""
    found = _instance(path)
    return _ca_at(found) if str(found["api_url"]).rstrip("/") == url else ""


def _ca_at(found: Mapping[str, Any]) -> str:
    path = str(found.get("ca_path") or "")
    return _read(Path(path), what="what the instance is believed by") if path else ""


def _instance(path: Path) -> Mapping[str, Any]:
    text = _read(path, what="the instance's address")
    try:
        found: Any = json.loads(text)
    except ValueError as error:
        raise UnreachableError(f"{path} is not JSON: {error}", "restart the instance") from error
    if not isinstance(found, dict) or "api_url" not in found:
        raise UnreachableError(f"{path} names no api_url", "restart the instance")
    return cast("Mapping[str, Any]", found)


def _read(path: Path, *, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise UnreachableError(
            f"cannot read {what}: {path}: {reason}",
            f"ask as the user who runs the instance, or set {ENV_API} and {ENV_TOKEN}",
        ) from error
