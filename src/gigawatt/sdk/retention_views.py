"""The shapes of JSON in which the API tells of retention, and of what is removed."""

from typing import TypedDict


class PolicyView(TypedDict):
    """`own_s` is null where the project has no policy of its own; 0 is for ever."""

    kind: str
    keep_s: int
    own_s: int | None


class RetentionView(TypedDict):
    tenant: str
    project: str
    policies: list[PolicyView]
    version: int


class PruneKindView(TypedDict):
    kind: str
    go: int
    go_bytes: int
    stay: int
    stay_bytes: int


class PruneItemView(TypedDict):
    kind: str
    id: str
    project: str
    size_bytes: int
    unused_s: int


class StayView(TypedDict):
    """Things of a kind that stay for one reason; `example` is one of them."""

    kind: str
    why: str
    items: int
    size_bytes: int
    example: str


class PruneView(TypedDict):
    """What went, or with `dry_run` would go, and why the rest stays. `more` is left for the next time."""

    dry_run: bool
    kinds: list[PruneKindView]
    go: list[PruneItemView]
    stay: list[StayView]
    more: int
    errors: list[str]
