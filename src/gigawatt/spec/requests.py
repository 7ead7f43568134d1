"""The smaller forms of the API: registering models, moving aliases, nodes, projects, keys, retention, and a gateway's
report.
"""

from dataclasses import replace
from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from gigawatt.model.refusal import Fault
from gigawatt.model.retention import FOR_EVER, Kind, Retention
from gigawatt.model.tenant import Role
from gigawatt.spec import limits
from gigawatt.spec.faults import faults_of, refusal, wrong
from gigawatt.spec.fields import (
    DURATION_SCHEMA,
    FORM,
    Alias,
    Count,
    Digest,
    Name,
    Text,
    in_units,
)
from gigawatt.spec.names import ALIAS_HINT
from gigawatt.spec.units import UnitError, duration_ms, shown

Form = TypeVar("Form", bound=BaseModel)

VERSION_MAX = 2**31 - 1
TIME_MS_MAX = 2**53
COUNT_MAX = 2**53
ENDPOINTS_REPORTED_MAX = 4_000

KEEP_MS_MAX = 100 * 366 * 86_400_000
KEEP_HINT = 'write a duration like "30d", "forever", or "default" for what the instance says'


def _keep_ms(value: object) -> int | None:
    if value == "default":
        return None
    if value == "forever":
        return FOR_EVER
    try:
        span_ms = duration_ms(value)
    except UnitError as error:
        raise wrong(error.detail, KEEP_HINT) from error
    if not 1_000 <= span_ms <= KEEP_MS_MAX:
        raise wrong(f"must be from 1s to 100 years, got {shown(value)}", KEEP_HINT)
    return span_ms


Keep = Annotated[
    int | None,
    BeforeValidator(_keep_ms),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": KEEP_MS_MAX // 1_000},
                {"type": "string", "pattern": "^(forever|default|[1-9][0-9]{0,3}[smhdw])$"},
            ]
        }
    ),
]
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


class AliasRequest(BaseModel):
    """The version that an alias is to point at."""

    model_config = FORM
    number: Annotated[Count, Field(le=VERSION_MAX)]


class NodeStateRequest(BaseModel):
    """What a person wants of a node."""

    model_config = FORM
    state: Literal["ready", "cordoned", "draining"]
    reason: Text = ""


class ProjectRequest(BaseModel):
    """A new project."""

    model_config = FORM
    name: Name


class TenantRequest(BaseModel):
    """A new tenant."""

    model_config = FORM
    id: Name


class RetentionRequest(BaseModel):
    """How long a project's things are kept after their last use; what is not named stays as it is."""

    model_config = FORM
    jobs: Keep = None
    logs: Keep = None
    checkpoints: Keep = None
    environments: Keep = None
    artifacts: Keep = None

    def changed(self, before: Retention) -> Retention:
        """The policy with what this names in place of what was there."""
        named = {f"{field}_ms": getattr(self, field) for field in self.model_fields_set}
        return replace(before, **named)


class PruneRequest(BaseModel):
    """What to remove: kinds (none named is all but caches), by the projects' policies or by age."""

    model_config = FORM
    kinds: Annotated[
        list[
            Literal[
                "jobs",
                "logs",
                "checkpoints",
                "environments",
                "artifacts",
                "contents",
                "caches",
            ]
        ],
        Field(max_length=len(Kind)),
    ] = []
    older_than: Annotated[
        int | None,
        in_units(duration_ms, at_least=0, at_most=KEEP_MS_MAX),
        WithJsonSchema({**DURATION_SCHEMA, "default": None}),
    ] = None


class KeyRequest(BaseModel):
    """A new API key. Without a project it is for all of the tenant's; `expires_ms` 0 is never."""

    model_config = FORM
    name: Name
    role: Literal[
        "viewer", "developer", "project-admin", "tenant-admin", "auditor", "operator", "gateway"
    ] = Role.DEVELOPER.value
    project: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    expires_ms: TimeMs = 0


class EndpointDemand(BaseModel):
    """What a gateway counts for one endpoint; `*_more` since its last report."""

    model_config = FORM
    id: Text
    in_flight: Amount = 0
    queued: Amount = 0
    last_request_ms: TimeMs = 0
    requests_more: Amount = 0
    prompt_tokens_more: Amount = 0
    completion_tokens_more: Amount = 0


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


def parse_alias(alias: str) -> str:
    """An alias in a path. Raises RefusalError."""
    try:
        return _ALIAS.validate_python(alias)
    except ValidationError as error:
        raise refusal(
            [Fault(field="alias", detail=f"alias is not allowed: {shown(alias)}", hint=ALIAS_HINT)]
        ) from error


_ALIAS: TypeAdapter[str] = TypeAdapter(Alias)
