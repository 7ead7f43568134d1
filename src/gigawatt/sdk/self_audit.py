"""What an instance says of itself to who must vouch for it."""

from typing import TypedDict


class FindingView(TypedDict):
    check: str
    result: str
    evidence: str
    hint: str


class SelfAuditView(TypedDict):
    at_ms: int
    passed: int
    failed: int
    findings: list[FindingView]
