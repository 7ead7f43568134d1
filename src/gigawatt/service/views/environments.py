"""What is said of environments beyond themselves: how two differ, whether one is whole, which can go."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PinView:
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PinChangeView:
    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentDiffView:
    """From `before` to `after`, which are ids; `python` and `system` only where they differ."""

    before: str
    after: str
    python: PinChangeView | None
    added: tuple[PinView, ...]
    removed: tuple[PinView, ...]
    changed: tuple[PinChangeView, ...]
    same: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentCheckView:
    """Every installed file against its record; `faults` says what is not as it was built."""

    id: str
    digest: str
    files: int
    size_bytes: int
    whole: bool
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedEnvironmentView:
    """`freed_bytes` is less than `size_bytes` where files are also in the package cache or in other environments."""

    id: str
    size_bytes: int
    freed_bytes: int
    used_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentPruneView:
    """What was removed, or with `dry_run` would be. `left` environments stay: they are used, or in use."""

    items: tuple[PrunedEnvironmentView, ...]
    size_bytes: int
    freed_bytes: int
    left: int
    dry_run: bool
