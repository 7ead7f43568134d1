"""What an instance says of its own safety, as callers see it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """`result` is pass, fail or not-applicable; `hint` says what to do about a failure."""

    check: str
    result: str
    evidence: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAuditView:
    at_ms: int
    passed: int
    failed: int
    findings: tuple[FindingView, ...]
