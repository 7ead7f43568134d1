"""The smaller forms of the API: registering models, moving aliases, nodes, projects, keys, and a gateway's report."""

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from gigawatt.model.refusal import Fault, RefusalError
from gigawatt.model.rollout import TTFT_BUCKETS
from gigawatt.model.tenant import Role
from gigawatt.spec import limits
from gigawatt.spec.faults import faults_of, refusal
from gigawatt.spec.fields import (
    FORM,
    Alias,
    Card,
    Count,
    Digest,
    MemoryBytes,
    Name,
    Seconds,
    Text,
)
from gigawatt.spec.names import ALIAS_HINT, NAME_HINT
from gigawatt.spec.units import shown

Form = TypeVar("Form", bound=BaseModel)

PRUNE_UNUSED_S = 14 * 86_400
VERSION_MAX = 2**31 - 1
TIME_MS_MAX = 2**53
COUNT_MAX = 2**53
ENDPOINTS_REPORTED_MAX = 4_000
WINDOW_MAX = 10_000  # rows or columns
REPLICAS_REPORTED_MAX = 4_000  # of one endpoint
REVISIONS_REPORTED_MAX = 1_000  # of one endpoint
EXEC_S_MAX = 3_600.0
RANK_MAX = 1_000_000
PACK_FILES_MAX = 1_000  # at once, to the store or from it
PACK_BYTES_MAX = 64 * 1024 * 1024

BucketText = Annotated[str, Field(pattern="^[0-7]?[0-9]$")]  # below TTFT_BUCKETS
RevisionText = Annotated[str, Field(pattern="^[0-9]{1,9}$")]
OVERLAP_S_MAX = 30 * 86_400
SCOPES_MAX = 64
EMAIL_CHARS_MAX = 254
EMAIL_PATTERN = r"^$|^[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+$"

Scope = Annotated[str, Field(max_length=64)]
Amount = Annotated[int, Field(ge=0, le=COUNT_MAX)]
TimeMs = Annotated[int, Field(ge=0, le=TIME_MS_MAX)]


class ModelRequest(BaseModel):
    """A stored artifact to be registered as the next version of `name`; `job` says where it came from."""

    model_config = FORM
    name: Name
    digest: Digest
    metrics: Annotated[
        dict[str, Annotated[float, Field(allow_inf_nan=False)]],
        Field(max_length=limits.METRICS_MAX),
    ] = {}
    aliases: Annotated[list[Alias], Field(max_length=limits.ALIASES_MAX)] = []
    job: Text = ""
    source: Text = ""
    card: Card = ""


class AliasRequest(BaseModel):
    """The version that an alias is to point at, and why."""

    model_config = FORM
    number: Annotated[Count, Field(le=VERSION_MAX)]
    reason: Text = ""


class CardRequest(BaseModel):
    """What is said of a version: Markdown, which may begin with metadata in YAML between lines of `---`."""

    model_config = FORM
    text: Card


class EnvironmentPruneRequest(BaseModel):
    """Which unused environments go: those unused for `unused_for`, or with `keep` only as many, the longest unused
    first, as leave the rest within that size.
    """

    model_config = FORM
    unused_for: Seconds = PRUNE_UNUSED_S
    keep: MemoryBytes | None = None
    dry_run: bool = False


class SecretRequest(BaseModel):
    """For ranks, any text; with a URL, `user:password` or a token, and the address below which alone it is sent."""

    model_config = FORM
    value: Annotated[str, Field(min_length=1, max_length=limits.SECRET_CHARS_MAX)]
    url: Text = ""


class ExchangeRequest(BaseModel):
    """The ID token that the provider gave."""

    model_config = FORM
    id_token: Annotated[str, Field(min_length=1, max_length=limits.ID_TOKEN_CHARS_MAX)]


class EndRequest(BaseModel):
    """Whether all sessions of the account end, wherever they are."""

    model_config = FORM
    everywhere: bool = False


class VolumeRequest(BaseModel):
    """A new managed volume. `quota` 0 is without limit."""

    model_config = FORM
    name: Name
    quota: MemoryBytes = 0


class PathVolumeRequest(BaseModel):
    """The directory of nodes that a new volume is."""

    model_config = FORM
    path: Annotated[str, Field(min_length=1, max_length=limits.PATH_CHARS_MAX)]


class S3VolumeRequest(BaseModel):
    """The bucket and prefix that a new volume is, and the name of the secret that opens it, empty for a public one."""

    model_config = FORM
    url: Annotated[str, Field(min_length=1, max_length=limits.PATH_CHARS_MAX)]
    secret: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""


class QuotaRequest(BaseModel):
    """What a volume's versions may hold together; 0 is without limit."""

    model_config = FORM
    quota: MemoryBytes


class PushCheckRequest(BaseModel):
    """The digest of a manifest that was stored as a file."""

    model_config = FORM
    digest: Digest


class MissingRequest(BaseModel):
    """Files of which it is asked whether they are to be sent."""

    model_config = FORM
    digests: Annotated[list[Digest], Field(min_length=1, max_length=PACK_FILES_MAX)]


class PackedFile(BaseModel):
    """One file of a pack."""

    model_config = FORM
    digest: Digest
    size: Annotated[int, Field(ge=0, le=PACK_BYTES_MAX)]


class PackRequest(BaseModel):
    """The first line of a pack: what the files are whose bytes follow, one after the other."""

    model_config = FORM
    files: Annotated[list[PackedFile], Field(min_length=1, max_length=PACK_FILES_MAX)]


class PushRequest(BaseModel):
    """A stored tree that becomes the next version of a volume."""

    model_config = FORM
    digest: Digest
    message: Text = ""


CommandWords = Annotated[
    list[Annotated[str, Field(max_length=limits.COMMAND_BYTES_MAX)]],
    Field(min_length=1, max_length=limits.COMMAND_ARGS_MAX),
]


class ExecRequest(BaseModel):
    """A command as argv, beside one rank, killed after `timeout_s`."""

    model_config = FORM
    command: CommandWords
    rank: Annotated[int, Field(ge=0, le=RANK_MAX)] = 0
    timeout_s: Annotated[float, Field(gt=0, le=EXEC_S_MAX, allow_inf_nan=False)] = 60.0


class WindowRequest(BaseModel):
    """A terminal's window, and what kind of terminal it is."""

    model_config = FORM
    rows: Annotated[int, Field(ge=1, le=WINDOW_MAX)]
    columns: Annotated[int, Field(ge=1, le=WINDOW_MAX)]
    term: Annotated[str, Field(pattern=r"^[A-Za-z0-9+._-]{1,64}$")] = "xterm"


class TalkStart(BaseModel):
    """A command as argv to talk to, with a terminal if it has a window."""

    model_config = FORM
    command: CommandWords
    window: WindowRequest | None = None


class NodeStateRequest(BaseModel):
    """What a person wants of a node; one that drains is to be empty `within` so long, or at once."""

    model_config = FORM
    state: Literal["ready", "cordoned", "draining", "repair", "retired"]
    reason: Text = ""
    within: Seconds = 0


class NodeCheckRequest(BaseModel):
    """Which checks are to run on a node."""

    model_config = FORM
    level: Literal["watch", "quick", "full"] = "quick"


class ProjectRequest(BaseModel):
    """A new project."""

    model_config = FORM
    name: Name


class TenantRequest(BaseModel):
    """A new tenant."""

    model_config = FORM
    id: Name


class TenantIsolationRequest(BaseModel):
    """The least class of isolation of a tenant. `node` is asked for by single jobs."""

    model_config = FORM
    isolation: Literal["none", "process", "user"]


class KeyRequest(BaseModel):
    """A new API key. Without a project it is for all of the tenant's; `expires_ms` 0 is never. Operators may name a tenant."""

    model_config = FORM
    name: Name
    role: Literal[
        "viewer", "developer", "project-admin", "tenant-admin", "auditor", "operator", "gateway"
    ] = Role.DEVELOPER.value
    tenant: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    project: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    expires_ms: TimeMs = 0
    user: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    scopes: Annotated[list[Scope], Field(max_length=SCOPES_MAX)] = []


class RotateRequest(BaseModel):
    """For how long the old key stays good, and until when the new one is; `expires_ms` 0 is never."""

    model_config = FORM
    overlap_s: Annotated[int, Field(ge=0, le=OVERLAP_S_MAX)] = 86_400
    expires_ms: TimeMs = 0


class UserRequest(BaseModel):
    """A new user with its first role, in a project or in all of the tenant. Operators may name a tenant."""

    model_config = FORM
    name: Name
    kind: Literal["person", "service"] = "person"
    email: Annotated[str, Field(max_length=EMAIL_CHARS_MAX, pattern=EMAIL_PATTERN)] = ""
    role: Literal["viewer", "developer", "project-admin", "tenant-admin", "auditor", "operator"] = (
        Role.DEVELOPER.value
    )
    tenant: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    project: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""


class GrantRequest(BaseModel):
    """What a user is to hold in a project, or without one in all of its tenant."""

    model_config = FORM
    role: Literal["viewer", "developer", "project-admin", "tenant-admin", "auditor", "operator"]
    tenant: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    project: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""


class SteerRequest(BaseModel):
    """What a rollout is to do. `to` is the revision that `rollback` goes to; 0 is the one before."""

    model_config = FORM
    steer: Literal["promote", "rollback", "pause", "resume"]
    to: Annotated[int, Field(ge=0, le=VERSION_MAX)] = 0
    reason: Text = ""


class RevisionDemand(BaseModel):
    """What came of a revision's requests since the last report; `ttft` has requests by bucket, four for each doubling."""

    model_config = FORM
    requests: Amount = 0
    errors: Amount = 0
    ttft: Annotated[dict[BucketText, Amount], Field(max_length=TTFT_BUCKETS)] = {}


class EndpointDemand(BaseModel):
    """What a gateway counts for one endpoint; `*_more` since its last report. `busy_ms_more` is by replica: for how
    long it had a request. `open` names those that have one now; `revisions` is by generation.
    """

    model_config = FORM
    id: Text
    in_flight: Amount = 0
    queued: Amount = 0
    last_request_ms: TimeMs = 0
    requests_more: Amount = 0
    prompt_tokens_more: Amount = 0
    completion_tokens_more: Amount = 0
    backlog_tokens: Amount = 0
    ttft_ms: Amount = 0
    tpot_ms: Amount = 0
    cache_percent: Amount = 0
    busy_ms_more: Annotated[dict[Text, Amount], Field(max_length=REPLICAS_REPORTED_MAX)] = {}
    open: Annotated[list[Text], Field(max_length=REPLICAS_REPORTED_MAX)] = []
    revisions: Annotated[
        dict[RevisionText, RevisionDemand], Field(max_length=REVISIONS_REPORTED_MAX)
    ] = {}


class DemandReport(BaseModel):
    """What one gateway counted."""

    model_config = FORM
    gateway: Text
    endpoints: Annotated[list[EndpointDemand], Field(max_length=ENDPOINTS_REPORTED_MAX)]


def parse_request(form: type[Form], body: bytes | str) -> Form:
    """A form's JSON body. Raises RefusalError with every fault found."""
    try:
        return form.model_validate_json(body)
    except ValidationError as error:
        raise refusal(faults_of(error, form)) from error


def parse_secret(body: bytes | str) -> SecretRequest:
    """A secret's JSON body. What is wrong with it is said without repeating it. Raises RefusalError."""
    try:
        secret = SecretRequest.model_validate_json(body)
    except ValidationError as error:
        raise _secret_refusal() from error
    value = secret.value
    if secret.url and (not value.isprintable() or value != value.strip()):
        raise _secret_refusal("one line for an address, without spaces around it")
    if "\0" in value or (not secret.url and len(value.strip()) < limits.SECRET_CHARS_MIN):
        least = limits.SECRET_CHARS_MIN
        raise _secret_refusal(f"at least {least} characters, so that logs can be kept free of it")
    return secret


def parse_name(name: str) -> str:
    """A name in a path. Raises RefusalError."""
    try:
        return _NAME.validate_python(name)
    except ValidationError as error:
        detail = f"name is not allowed: {shown(name)}"
        raise refusal([Fault(field="name", detail=detail, hint=NAME_HINT)]) from error


def parse_alias(alias: str) -> str:
    """An alias in a path. Raises RefusalError."""
    try:
        return _ALIAS.validate_python(alias)
    except ValidationError as error:
        raise refusal(
            [Fault(field="alias", detail=f"alias is not allowed: {shown(alias)}", hint=ALIAS_HINT)]
        ) from error


_ALIAS: TypeAdapter[str] = TypeAdapter(Alias)
_NAME: TypeAdapter[str] = TypeAdapter(Name)


def _secret_refusal(more: str = "") -> RefusalError:
    detail = f"value must be text of at most {limits.SECRET_CHARS_MAX} characters"
    return refusal([Fault(field="value", detail=f"{detail}, {more}" if more else detail)])
