"""Which S3 buckets volumes may be: what their URL says, which endpoints the operator allows, which secret opens them."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from gigawatt.build.s3_client import OPTIONS, Place
from gigawatt.build.secrets import Secret, SecretFiles, check_use
from gigawatt.model.refusal import RefusalCode, RefusalError

SETTING = "volume_s3_endpoints"
FIELD = "url"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
REGION = re.compile(r"[a-z0-9-]{1,32}")
PREFIX_BYTES_MAX = 1_024  # of a key, by S3's own rule
EXAMPLE = "like s3://bucket/prefix?endpoint=https://s3.example.org&region=eu-west-1; both options may be left out for AWS"


def parse_endpoints(text: str) -> tuple[str, ...]:
    """The endpoints in the setting: URLs separated by spaces, sorted. Raises RefusalError (invalid)."""
    found = sorted({each.rstrip("/") for each in text.split()})
    for each in found:
        parts = urlsplit(each)
        plain = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
        if parts.scheme not in {"http", "https"} or not parts.hostname or not plain:
            detail = (
                f"{SETTING} has {each[:200]!r}, which is no http or https URL of a server alone"
            )
            raise RefusalError(RefusalCode.INVALID, detail, field=SETTING)
    return tuple(found)


def parse_bucket(url: str, endpoints: Sequence[str]) -> Place:
    """The place that a volume's URL names. Raises RefusalError (invalid, forbidden for an endpoint not allowed)."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
    except ValueError as error:
        raise _invalid("it is no URL") from error
    if parts.scheme != "s3" or parts.fragment:
        raise _invalid(f"its scheme is {parts.scheme[:20]!r}")
    if "@" in parts.netloc:
        raise _invalid("it has a user name or a password in it", "keep them out: gw secrets set")
    if not BUCKET.fullmatch(parts.netloc):
        raise _invalid(f"{parts.netloc[:80]!r} is no name of a bucket")
    unknown = sorted(options.keys() - set(OPTIONS))
    if unknown:
        raise _invalid(f"it has the option {unknown[0][:50]!r}, which there is not")
    region = options.get("region", "us-east-1")
    if not REGION.fullmatch(region):
        raise _invalid(f"{region[:50]!r} is no region")
    prefix = parts.path.strip("/")
    if len(prefix.encode()) > PREFIX_BYTES_MAX or "\0" in prefix:
        raise _invalid(f"its prefix is no key of at most {PREFIX_BYTES_MAX} bytes")
    endpoint = options.get("endpoint", "").rstrip("/")
    if endpoint and endpoint not in endpoints:
        raise _not_allowed(endpoint, endpoints)
    return Place(bucket=parts.netloc, prefix=prefix, endpoint=endpoint, region=region)


def bucket_url(place: Place) -> str:
    """The same place, always written the same way."""
    options = {"endpoint": place.endpoint, "region": place.region}
    query = urlencode({name: value for name, value in options.items() if value}, safe=":/")
    return f"s3://{place.bucket}/{place.prefix}".rstrip("/") + f"?{query}"


def address_of(place: Place) -> str:
    """The address that a secret for it must be for, or for a part of."""
    server = place.endpoint or f"https://s3.{place.region}.amazonaws.com"
    return f"{server}/{place.bucket}/{place.prefix}".rstrip("/")


def key_for(secrets: SecretFiles, owner: str, name: str, place: Place) -> dict[str, str]:
    """What S3 is signed with, `ACCESS_KEY:SECRET_KEY[:SESSION_TOKEN]` in the secret; none without a name.

    Raises RefusalError: not-found; forbidden where the secret is for another address; invalid.
    """
    if not name:
        return {}
    try:
        secret = secrets.read(owner, name)
        check_use(secret, address_of(place))
    except RefusalError as error:
        hint = f"gw secrets set {name} --for {address_of(place)}, with ACCESS_KEY:SECRET_KEY"
        raise RefusalError(error.code, error.detail, field="secret", hint=hint) from error
    return _parts(secret)


def _parts(secret: Secret) -> dict[str, str]:
    parts = secret.value.split(":", 2)
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    if len(parts) < 2 or not all(parts):
        detail = (
            f"the secret {secret.name} is not ACCESS_KEY:SECRET_KEY or with :SESSION_TOKEN after it"
        )
        raise RefusalError(RefusalCode.INVALID, detail, field="secret", hint="set it anew")
    return dict(zip(names, parts, strict=False))


def _not_allowed(endpoint: str, endpoints: Sequence[str]) -> RefusalError:
    if endpoints:
        hint = f"allowed are {', '.join(endpoints)}, and AWS without an endpoint"
    else:
        hint = f"an operator allows endpoints with the setting {SETTING}; AWS needs none"
    detail = f"no volume may be in buckets at {endpoint[:200]}"
    return RefusalError(RefusalCode.FORBIDDEN, detail, field=FIELD, hint=hint)


def _invalid(problem: str, hint: str = EXAMPLE) -> RefusalError:
    detail = f"the URL of an S3 volume cannot be used: {problem}"
    return RefusalError(RefusalCode.INVALID, detail, field=FIELD, hint=hint)
