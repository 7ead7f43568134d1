"""The shapes of JSON in which the API tells what projects may use, and what they do use."""

from typing import TypedDict


class AmountsView(TypedDict):
    """Null where nothing is said."""

    gpus: float | None
    cpus: float | None
    memory_bytes: int | None


class QuotaView(TypedDict):
    tenant: str
    project: str
    parent: str
    quota: AmountsView
    limit: AmountsView
    borrow: bool
    weight: int
    guaranteed: AmountsView
    used: AmountsView
    borrowed: AmountsView
    average: AmountsView
    share: float
    version: int
