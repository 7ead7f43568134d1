"""A client for S3-compatible storage: what its URL says, its credentials, its time limits."""

import configparser
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, urlsplit

from gigawatt.build.remote import FIELD
from gigawatt.model.refusal import RefusalCode, RefusalError

SIDE_BY_SIDE = 4  # parts at once; as many are in memory
CONNECT_S = 5
SILENCE_S = 60
OPTIONS = ("endpoint", "region")


class Reading(Protocol):
    """What reading uses of botocore's client, which has no types."""

    def close(self) -> None: ...
    def head_object(self, **what: Any) -> dict[str, Any]: ...
    def get_object(self, **what: Any) -> dict[str, Any]: ...
    def list_objects_v2(self, **what: Any) -> dict[str, Any]: ...


class Client(Reading, Protocol):
    """What keeping artifacts uses of it besides."""

    def put_object(self, **what: Any) -> dict[str, Any]: ...
    def delete_object(self, **what: Any) -> dict[str, Any]: ...
    def create_multipart_upload(self, **what: Any) -> dict[str, Any]: ...
    def upload_part(self, **what: Any) -> dict[str, Any]: ...
    def complete_multipart_upload(self, **what: Any) -> dict[str, Any]: ...
    def abort_multipart_upload(self, **what: Any) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """`s3://BUCKET/PREFIX?endpoint=URL&region=NAME`; the endpoint is empty for AWS."""

    bucket: str
    prefix: str
    endpoint: str
    region: str

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/") + (
            f" at {self.endpoint}" if self.endpoint else ""
        )

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


def parse_place(url: str) -> Place:
    """Raises RefusalError (invalid)."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    for name in options:
        if name not in OPTIONS:
            detail = f"artifacts_url has the option {name[:50]!r}, which there is not"
            hint = f"there are: {', '.join(OPTIONS)}"
            raise RefusalError(RefusalCode.INVALID, detail, field=FIELD, hint=hint)
    endpoint = options.get("endpoint", "")
    if endpoint and (
        urlsplit(endpoint).scheme not in {"http", "https"} or "@" in urlsplit(endpoint).netloc
    ):
        detail = "artifacts_url has an endpoint that is no http or https URL without a user name"
        raise RefusalError(RefusalCode.INVALID, detail, field=FIELD)
    return Place(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        endpoint=endpoint.rstrip("/"),
        region=options.get("region", "us-east-1"),
    )


def connect(place: Place, credentials: str, *, tries: int) -> Client:
    """A client; nothing is sent yet. Raises RefusalError: `unsupported` without botocore, `invalid` credentials."""
    given = read_credentials(Path(credentials)) if credentials else {}
    return _made(place, given, tries=tries, ambient=True)


def connect_as(place: Place, key: Mapping[str, str], *, tries: int) -> Reading:
    """A client with these credentials alone, unsigned without any: never with what this machine has of its own.

    Raises RefusalError (unsupported).
    """
    return _made(place, key, tries=tries, ambient=False)


def read_credentials(path: Path) -> dict[str, str]:
    """The `[default]` of a file in the form of AWS's, which only its owner can read. Raises RefusalError (invalid)."""
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise _bad_credentials(path, "others than its owner can read it", "chmod 600 it")
        parser = configparser.RawConfigParser()
        parser.read_string(path.read_text(encoding="utf-8"))
        section = parser["default"]
    except OSError as error:
        raise _bad_credentials(path, f"it cannot be read: {error.strerror}") from error
    except (configparser.Error, KeyError, UnicodeDecodeError):
        raise _bad_credentials(path, "it has no section [default]") from None
    found = {name: section[name] for name in names if name in section}
    if not set(names[:2]) <= set(found):
        raise _bad_credentials(path, f"its [default] needs {names[0]} and {names[1]}")
    return found


def _made(place: Place, key: Mapping[str, str], *, tries: int, ambient: bool) -> Client:
    """`ambient`: what is not given is what this process finds, of credentials and of endpoints."""
    try:
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config
    except ImportError:
        raise RefusalError(
            RefusalCode.UNSUPPORTED,
            "S3 needs the package botocore, which is not installed",
            field=FIELD,
            hint="pip install 'gigawatt[s3]'",
        ) from None
    unsigned = {} if key or ambient else {"signature_version": UNSIGNED}
    config = Config(
        **unsigned,
        ignore_configured_endpoint_urls=not ambient,
        connect_timeout=CONNECT_S,
        read_timeout=SILENCE_S,
        retries={"mode": "standard", "total_max_attempts": tries},
        max_pool_connections=2 * SIDE_BY_SIDE,
        s3={"addressing_style": "path" if place.endpoint else "auto"},
        request_checksum_calculation="when_required",  # servers that are not AWS know no others
        response_checksum_validation="when_required",
    )
    made = (
        cast("Any", botocore.session)
        .get_session()
        .create_client(
            "s3",
            region_name=place.region,
            endpoint_url=place.endpoint or None,
            config=config,
            **key,
        )
    )
    return cast("Client", made)


def _bad_credentials(path: Path, problem: str, hint: str = "") -> RefusalError:
    return RefusalError(
        RefusalCode.INVALID,
        f"the credentials in {path} cannot be used: {problem}",
        field="artifacts_credentials",
        hint=hint or "it is a file like AWS's: [default], aws_access_key_id, aws_secret_access_key",
    )
