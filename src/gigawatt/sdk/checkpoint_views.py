"""The shapes of JSON in which the API tells of checkpoints."""

from typing import TypedDict


class CheckpointRecordView(TypedDict):
    """One checkpoint on record. `state` is valid, invalid or removing."""

    step: int
    path: str
    at_ms: int
    attempt: int
    rank: int
    size_bytes: int
    files: int
    state: str
    why: str
    newest: bool
    manifest: str
    digest: str
    metrics: dict[str, float]


class VerifiedView(TypedDict):
    """What reading a checkpoint again came to: `fault` is empty where it is valid."""

    step: int
    path: str
    size_bytes: int
    valid: bool
    fault: str
    digest: str
