"""What is kept on the instance's own storage, as an open account: how much now, and up to when it was counted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """Of a volume. Everything up to `accounted_to_ms` is in meter entries."""

    id: str  # the volume's
    tenant: str
    project: str
    sku: str  # the kind of storage
    stored_bytes: int
    opened_ms: int
    accounted_to_ms: int
    version: int = 1
