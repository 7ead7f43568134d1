"""Where the API is and with which key: arguments, then the environment, then the instance on this machine."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from gigawatt.sdk.errors import UnreachableError

ENV_API = "GIGAWATT_API"
ENV_TOKEN = "GIGAWATT_TOKEN"  # noqa: S105 - the name of a variable, not a secret
ENV_TOKEN_FILE = "GIGAWATT_TOKEN_FILE"  # noqa: S105 - the name of a variable, not a secret
ENV_DATA = "GIGAWATT_DATA"
ENV_PROJECT = "GIGAWATT_PROJECT"
INSTANCE_FILE = "instance.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An API to call. `source` says where it was found; `start` is the command that starts an instance there."""

    api_url: str
    gateway_url: str = ""
    token: str = field(default="", repr=False)
    source: str
    start: str = "gw up --detach"
    local: bool = False  # found in its data directory: its nodes share this machine's files


def discover(*, api_url: str, token: str, data: Path | None, environ: Mapping[str, str]) -> Address:
    """The API that the arguments, the environment or the data directory name, in this order.

    Raises:
        UnreachableError: there is no instance in the data directory, or its files cannot be read.
    """
    url = api_url or ("" if data else environ.get(ENV_API, ""))
    key = token or _token_of(environ)
    if not url:
        return _local(data or data_directory(environ), token=token or ("" if data else key))
    source = "as asked" if api_url else f"from {ENV_API}"
    url = url.rstrip("/")
    return Address(api_url=url, token=key or _token_of_local(url, environ), source=source)


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
