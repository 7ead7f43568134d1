"""The forms of what stands until further notice: templates, schedules, notifications; and of labels that are changed."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from gigawatt.model.event import KINDS
from gigawatt.model.notification import DELIVERIES_KEPT
from gigawatt.spec import limits
from gigawatt.spec.cron import parse_cron, parse_zone
from gigawatt.spec.faults import nearest, wrong
from gigawatt.spec.fields import FORM, Labels, Name, Seconds, Text
from gigawatt.spec.forms import JobForm
from gigawatt.spec.label_terms import parse_term
from gigawatt.spec.parameters import PARAMETERS_MAX, VALUE_CHARS_MAX
from gigawatt.spec.requests import VERSION_MAX
from gigawatt.spec.units import UnitError, shown

OWN_KINDS = "notification."  # what is said of messages is not told by messages
PATTERN = r"[a-z0-9*?-]{1,63}"
WEBHOOK = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?([/?][!\"$-~]*)?"
)
ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
)
ADDRESSES_MAX = 20
SECRETS_MAX = 2
PER_MINUTE_MAX = 600


def _cron(value: object) -> str:
    try:
        return parse_cron(value) if isinstance(value, str) else parse_cron(repr(value))
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


def _zone(value: str) -> str:
    try:
        return parse_zone(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error


def _kind(value: str) -> str:
    if value not in KINDS or value.startswith(OWN_KINDS):
        near = nearest(value, EVENT_KINDS)
        hint = near if near.startswith("did you mean") else "gw notifications kinds lists them"
        raise wrong(f"is no kind of event: {shown(value)}", hint)
    return value


def _webhook(value: str) -> str:
    """Not repeated where it is wrong: there may be a password in it."""
    found = WEBHOOK.fullmatch(value)
    if not found or int(found["port"] or 1) not in range(1, 65_536):
        hint = "write it like https://example.com/hook, without user, password or fragment"
        raise wrong("must be an http or https URL", hint)
    return value


def _address(value: str) -> str:
    if not ADDRESS.fullmatch(value) or ".." in value:
        raise wrong(f"is no address for mail: {shown(value)}", "write it like ops@example.com")
    return value


def _term(value: str) -> str:
    try:
        parse_term(value)
    except UnitError as error:
        raise wrong(error.detail, error.hint) from error
    return value


EVENT_KINDS = tuple(sorted(kind for kind in KINDS if not kind.startswith(OWN_KINDS)))

Given = Annotated[
    dict[
        Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)],
        Annotated[str, Field(max_length=VALUE_CHARS_MAX)] | bool | int | float,
    ],
    Field(max_length=PARAMETERS_MAX),
]
Number = Annotated[int, Field(ge=0, le=VERSION_MAX)]
Cron = Annotated[
    str,
    BeforeValidator(_cron),
    WithJsonSchema({"type": "string", "examples": ["0 3 * * *", "@daily"]}),
]
Zone = Annotated[
    str,
    Field(max_length=limits.NAME_CHARS_MAX),
    AfterValidator(_zone),
    WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin"]}),
]
EventKind = Annotated[
    str,
    AfterValidator(_kind),
    WithJsonSchema({"type": "string", "enum": list(EVENT_KINDS)}),
]
Webhook = Annotated[
    str,
    Field(max_length=limits.PATH_CHARS_MAX),
    AfterValidator(_webhook),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://"}),
]
Address = Annotated[
    str,
    Field(max_length=320),
    AfterValidator(_address),
    WithJsonSchema({"type": "string", "format": "email"}),
]
Term = Annotated[
    str,
    Field(max_length=2 * limits.LABEL_CHARS_MAX),
    AfterValidator(_term),
    WithJsonSchema({"type": "string", "examples": ["team=nlp", "team", "!test"]}),
]
SecretName = Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]


class TemplateForm(BaseModel):
    """A job file, with the parameters that it declares."""

    model_config = FORM
    file: dict[str, Any]


class FillingForm(BaseModel):
    """A template, values for its parameters, and fields of the job that are to be others. `number` 0 is the newest version."""

    model_config = FORM
    number: Number = 0
    parameters: Given = {}
    changes: dict[str, Any] = {}


class NamedFillingForm(FillingForm):
    """The same, with the template's name."""

    name: Name


class ScheduleForm(BaseModel):
    """What is submitted, one of `job` and `template`, and when."""

    model_config = FORM
    name: Name
    cron: Cron
    timezone: Zone = "UTC"
    overlap: Literal["allow", "skip", "replace"] = "skip"
    catch_up: Literal["none", "last", "all"] = "last"
    deadline: Seconds = 0
    job: JobForm | None = None
    template: NamedFillingForm | None = None


class NotificationForm(BaseModel):
    """Which events go to which webhook, or to which addresses by mail."""

    model_config = FORM
    name: Name
    on: Annotated[list[EventKind], Field(min_length=1, max_length=len(KINDS))]
    webhook: Webhook = ""
    email: Annotated[list[Address], Field(max_length=ADDRESSES_MAX)] = []
    format: Literal["json", "slack"] = "json"
    labels: Annotated[list[Term], Field(max_length=limits.LABELS_MAX)] = []
    jobs: Annotated[str, Field(pattern=f"^({PATTERN})?$")] = ""
    secrets: Annotated[list[SecretName], Field(max_length=SECRETS_MAX)] = []
    per_minute: Annotated[int, Field(ge=1, le=PER_MINUTE_MAX)] = 60


class RedeliveryForm(BaseModel):
    """Which dead messages are sent again, by their ids; none for all."""

    model_config = FORM
    messages: Annotated[
        list[Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)]],
        Field(max_length=DELIVERIES_KEPT),
    ] = []


class LabelsForm(BaseModel):
    """Labels that come, or are given another value, and names of those that go."""

    model_config = FORM
    put: Labels = {}
    remove: Annotated[list[Text], Field(max_length=limits.LABELS_MAX)] = []
