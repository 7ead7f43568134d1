"""Views of templates, schedules and notifications, as the API's JSON has them."""

from typing import Any, TypedDict


class CauseView(TypedDict):
    schedule: str
    due_ms: int
    template: str
    template_number: int
    parameters: dict[str, str]


class ParameterView(TypedDict):
    name: str
    type: str
    default: str | float | bool | None
    choices: list[str | float | bool]
    min: float | None
    max: float | None
    description: str


class TemplateView(TypedDict):
    tenant: str
    project: str
    name: str
    newest: int
    updated_ms: int
    version: int
    number: int
    by: str
    parameters: list[ParameterView]
    file: dict[str, Any] | None


class ScheduleView(TypedDict):
    id: str
    tenant: str
    project: str
    name: str
    phase: str
    message: str
    cron: str
    timezone: str
    overlap: str
    catch_up: str
    deadline_s: int
    job: str
    tasks: int
    template: str
    template_number: int
    parameters: dict[str, str]
    owner: str
    created_ms: int
    next_ms: int | None
    upcoming: list[int]
    last_job: str
    jobs: list[str]
    version: int


class FireView(TypedDict):
    due_ms: int
    at_ms: int
    outcome: str
    job: str
    count: int
    detail: str


class NotificationView(TypedDict):
    id: str
    tenant: str
    project: str
    name: str
    on: list[str]
    webhook: str
    email: list[str]
    format: str
    labels: list[str]
    jobs: str
    secrets: list[str]
    per_minute: int
    created_ms: int
    created_by: str
    after_seq: int
    deliveries: int
    version: int


class DeliveryView(TypedDict):
    id: str
    phase: str
    events: int
    at_ms: int
    tries: int
    next_ms: int
    again_ms: int
    status: int
    error: str
    body: str


class RedeliveryView(TypedDict):
    messages: list[str]


class TrialView(TypedDict):
    delivered: bool
    status: int
    error: str
    took_ms: int
