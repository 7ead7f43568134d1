"""The shapes of JSON in which the API tells what projects may use, and what they do use."""

from typing import TypedDict


class BoundsView(TypedDict):
    """Null where nothing is said."""

    gpus: float | None
    cpus: float | None
    memory_bytes: int | None
    kinds: dict[str, float]


class CapsView(TypedDict):
    """Null where there is no limit."""

    replicas: int | None
    storage_bytes: int | None


class KeptView(TypedDict):
    """Bytes."""

    artifacts: int
    checkpoints: int
    workspaces: int


class LimitView(TypedDict):
    """Amounts are decimals as text, null where they are not known or nothing is limited."""

    what: str
    unit: str
    whose: str
    used: str | None
    limit: str | None
    percent: int | None
    state: str
    then: str


class LimitsView(TypedDict):
    tenant: str
    project: str
    month: str
    kept: KeptView
    items: list[LimitView]


class QuotaView(TypedDict):
    tenant: str
    project: str
    parent: str
    quota: BoundsView
    limit: BoundsView
    caps: CapsView
    borrow: bool
    weight: int
    guaranteed: BoundsView
    used: BoundsView
    borrowed: BoundsView
    average: BoundsView
    share: float
    version: int
