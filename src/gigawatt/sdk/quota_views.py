"""The shapes of JSON in which the API tells what projects may use, and what they do use."""

from typing import TypedDict


class BoundsView(TypedDict):
    """Null where nothing is said."""

    gpus: float | None
    cpus: float | None
    memory_bytes: int | None
    kinds: dict[str, float]


class QuotaView(TypedDict):
    tenant: str
    project: str
    parent: str
    quota: BoundsView
    limit: BoundsView
    borrow: bool
    weight: int
    guaranteed: BoundsView
    used: BoundsView
    borrowed: BoundsView
    average: BoundsView
    share: float
    version: int
