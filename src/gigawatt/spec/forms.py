"""What a person writes for a job, field by field: the form behind the job file, the API's body and their schema."""

import re
from typing import Annotated, Literal, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.spec import limits
from gigawatt.spec.arrays import Array, Sweep
from gigawatt.spec.faults import wrong
from gigawatt.spec.fields import (
    FORM,
    Alias,
    Card,
    GraceSeconds,
    HangSteps,
    Labels,
    Moment,
    Name,
    RelativePath,
    Seconds,
    Text,
    WorkPath,
    env_text,
    matching,
    pattern_schema,
)
from gigawatt.spec.gangs import GangForm
from gigawatt.spec.secrets import Secrets
from gigawatt.spec.volumes import Volumes


def _as_environment(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


def _as_argv(value: object) -> object:
    """A string runs under `sh -c`; a list is argv as it stands."""
    if isinstance(value, str):
        return ["sh", "-c", value] if value.strip() else []
    return value


def _argv(value: list[str]) -> list[str]:
    if not value or not value[0]:
        raise wrong("must not be empty")
    if sum(len(word.encode()) for word in value) > limits.COMMAND_BYTES_MAX:
        raise wrong(f"is over the limit of {limits.COMMAND_BYTES_MAX} bytes")
    if any("\0" in word for word in value):
        raise wrong("must not hold a NUL character")
    return value


def _env_size(value: dict[str, str]) -> dict[str, str]:
    size = sum(len(key.encode()) + len(text.encode()) for key, text in value.items())
    if size > limits.ENV_BYTES_MAX:
        raise wrong(f"is {size} bytes, over the limit of {limits.ENV_BYTES_MAX}")
    if any("\0" in text for text in value.values()):
        raise wrong("must not hold a NUL character")
    return value


def _script(value: str) -> str:
    return _argv(["bash", "-c", value])[2] if value.strip() else _argv([])[0]


Command = Annotated[
    list[str],
    BeforeValidator(_as_argv),
    Field(max_length=limits.COMMAND_ARGS_MAX),
    AfterValidator(_argv),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
            ],
            "description": "A string runs under `sh -c`; a list is argv.",
        }
    ),
]
Env = Annotated[
    dict[str, Annotated[str, BeforeValidator(env_text)]],
    Field(max_length=limits.ENV_VARS_MAX),
    AfterValidator(_env_size),
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number"]}}),
]


def _host() -> "EnvironmentForm":
    return EnvironmentForm(kind="host")


SYSTEM_NAME = r"[A-Za-z0-9][A-Za-z0-9+._-]{0,99}"


def _index_url(value: str) -> str:
    """Not repeated where it is wrong: there may be a password in it."""
    if not re.fullmatch(INDEX_URL, value):
        hint = "keep user and password out of it: `gw secrets set NAME`, and `secret: NAME` here"
        raise wrong("must be an http or https URL of letters, digits and dashes", hint)
    return value


def _package_path(value: object) -> object:
    """`./pkg` and `{path: ./pkg}` are the same."""
    if isinstance(value, dict):
        named = cast("dict[str, object]", value)
        value = named["path"] if named.keys() == {"path"} else named
    return (value.removeprefix("./").rstrip("/") or ".") if isinstance(value, str) else value


INDEX_URL = r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%/+-]*)?"
IndexUrl = Annotated[
    str,
    Field(max_length=limits.PATH_CHARS_MAX),
    AfterValidator(_index_url),
]
SystemName = Annotated[
    str,
    matching(SYSTEM_NAME, "name a system package, a program or a library, such as ffmpeg"),
    pattern_schema(f"^{SYSTEM_NAME}$"),
]
PackagePath = Annotated[
    RelativePath,
    BeforeValidator(_package_path),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": limits.PATH_CHARS_MAX},
                {
                    "type": "object",
                    "properties": {"path": {"type": "string", "maxLength": limits.PATH_CHARS_MAX}},
                    "required": ["path"],
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class IndexForm(BaseModel):
    """An index of packages, and the name of the secret that it is entered with."""

    model_config = FORM
    url: IndexUrl
    secret: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""


IndexEntry = Annotated[
    IndexForm,
    WithJsonSchema(
        {
            "type": "object",
            "properties": {
                "url": {"type": "string", "pattern": f"^{INDEX_URL}$"},
                "secret": {"type": "string", "maxLength": limits.NAME_CHARS_MAX},
            },
            "required": ["url"],
            "additionalProperties": False,
        }
    ),
]


class EnvironmentForm(BaseModel):
    """Where the ranks' packages come from. The API takes contents; files are read by whoever sends it."""

    model_config = FORM
    kind: Text
    python: Text = ""
    requirements: Annotated[
        list[Annotated[str, Field(max_length=limits.REQUIREMENT_CHARS_MAX)]],
        Field(max_length=limits.REQUIREMENTS_MAX),
    ] = []
    lock: Annotated[str, Field(max_length=limits.LOCK_BYTES_MAX)] = ""
    system: Annotated[list[SystemName], Field(max_length=limits.SYSTEM_MAX)] = []
    packages: Annotated[list[PackagePath], Field(max_length=limits.PACKAGES_MAX)] = []
    indexes: Annotated[list[IndexEntry], Field(max_length=limits.INDEXES_MAX)] = []


Environment = Annotated[
    EnvironmentForm,
    BeforeValidator(_as_environment),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "enum": ["host"]}, EnvironmentForm.model_json_schema()]}
    ),
]


Names = Annotated[list[Text], Field(max_length=limits.AFTER_MAX)]


class RetriesForm(BaseModel):
    """How many failures of each kind are answered with another attempt."""

    model_config = FORM
    user: Annotated[int, Field(ge=0, le=limits.RETRIES_MAX)] = 0
    infrastructure: Annotated[int, Field(ge=0, le=limits.RETRIES_MAX)] = 3


class ModelForm(BaseModel):
    """What the job makes: `path` below its checkpoint directory becomes a version of `name` when it succeeds."""

    model_config = FORM
    name: Name
    path: RelativePath
    aliases: Annotated[list[Alias], Field(max_length=limits.ALIASES_MAX)] = []
    card: Card = ""


class KeepBestForm(BaseModel):
    """Keep the `count` best steps by a metric that `gw.checkpoint` or `gw.report` named."""

    model_config = FORM
    metric: Annotated[str, Field(min_length=1, max_length=limits.METRIC_CHARS_MAX)]
    mode: Literal["min", "max"] = "min"
    count: Annotated[int, Field(ge=1, le=limits.CHECKPOINTS_KEPT_MAX)] = 1


class CheckpointsForm(BaseModel):
    """Which checkpoints stay; all others are deleted as newer ones come. Left out, nothing is deleted."""

    model_config = FORM
    keep_last: Annotated[int, Field(ge=1, le=limits.CHECKPOINTS_KEPT_MAX)] | None = None
    keep_best: KeepBestForm | None = None


class JobForm(BaseModel):
    """A job: work that runs to an end. One of `command` and `script` says what runs."""

    model_config = FORM
    kind: Literal["job"] = "job"
    name: Name | None = None
    command: Command | None = None
    script: Annotated[str, AfterValidator(_script)] | None = None
    gang: GangForm = Field(default_factory=GangForm)
    environment: Environment = Field(default_factory=_host)
    bundle: Text = ""
    workdir: WorkPath = ""
    env: Env = {}
    priority: Annotated[int, Field(ge=-limits.PRIORITY_MAX, le=limits.PRIORITY_MAX)] = 0
    timeout: Seconds = 0
    start_after: Moment = 0
    start_before: Moment = 0
    deadline: Moment = 0
    finish_within: Seconds = 0
    at_deadline: Literal["keep", "stop"] = "keep"
    grace: GraceSeconds = 10
    retries: RetriesForm = Field(default_factory=RetriesForm)
    after: Names = []
    after_failed: Names = []
    after_done: Names = []
    after_each: Text = ""
    labels: Labels = {}
    volumes: Volumes = []
    secrets: Secrets = {}
    model: ModelForm | None = None
    checkpoints: CheckpointsForm | None = None
    start_from: Text = Field(default="", alias="from")
    terminal: bool = False
    isolation: Literal["none", "process", "user", "node"] = "none"
    hang: HangSteps = 0
    array: Array | None = None
    sweep: Sweep = {}
