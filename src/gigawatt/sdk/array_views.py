"""The shapes of JSON in which the API tells of job arrays."""

from typing import Any, TypedDict

from gigawatt.sdk.standing_views import CauseView
from gigawatt.sdk.views import ReasonView


class CountsView(TypedDict):
    """Tasks by where they stand: pending ones are only numbers, running ones are jobs that have not ended."""

    pending: int
    running: int
    succeeded: int
    failed: int
    cancelled: int


class IndicesView(TypedDict):
    """Which tasks those are, as `0-9,12`."""

    pending: str
    running: str
    succeeded: str
    failed: str
    cancelled: str


class ArrayView(TypedDict):
    id: str
    name: str
    tenant: str
    project: str
    phase: str
    created_ms: int
    ended_ms: int | None
    submitted_by: str
    message: str
    tasks: int
    counts: CountsView
    indices: IndicesView
    parallel: int
    max_failures: int | None
    sweep: dict[str, list[str]]
    reason: ReasonView | None
    priority: int
    environment: str
    bundle: str
    labels: dict[str, str]
    command: list[str]
    gang: dict[str, Any]
    after: list[str]
    after_each: str
    cause: CauseView | None
    version: int
