"""The user's kind of error: what is wrong, where, and what to do. Every edge prints the same one (RFC 9457)."""

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """The last part of a problem's `type`, and the HTTP status that goes with it in `STATUS`."""

    INVALID = "invalid"
    UNKNOWN_FIELD = "unknown-field"
    NOT_FOUND = "not-found"
    GONE = "gone"
    CONFLICT = "conflict"
    IMPOSSIBLE = "impossible"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    TOO_LARGE = "too-large"
    DIGEST_MISMATCH = "digest-mismatch"
    UNSUPPORTED = "unsupported"
    KEY_REUSED = "idempotency-key-reused"
    STALE_VERSION = "stale-version"
    LIMIT = "limit"
    BUDGET_SPENT = "budget-spent"
    DISK_FULL = "disk-full"
    UNAVAILABLE = "unavailable"


STATUS: dict[RefusalCode, int] = {
    RefusalCode.INVALID: 422,
    RefusalCode.UNKNOWN_FIELD: 422,
    RefusalCode.NOT_FOUND: 404,
    RefusalCode.GONE: 410,
    RefusalCode.CONFLICT: 409,
    RefusalCode.IMPOSSIBLE: 422,
    RefusalCode.UNAUTHENTICATED: 401,
    RefusalCode.FORBIDDEN: 403,
    RefusalCode.TOO_LARGE: 413,
    RefusalCode.DIGEST_MISMATCH: 422,
    RefusalCode.UNSUPPORTED: 422,
    RefusalCode.KEY_REUSED: 422,
    RefusalCode.STALE_VERSION: 412,
    RefusalCode.LIMIT: 429,
    RefusalCode.BUDGET_SPENT: 402,
    RefusalCode.DISK_FULL: 507,
    RefusalCode.UNAVAILABLE: 503,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with an input. `field` is a dotted path, e.g. `gang.nodes`."""

    field: str
    detail: str
    hint: str = ""


class RefusalError(Exception):
    """What was asked for is refused, and nothing has changed."""

    def __init__(
        self,
        code: RefusalCode,
        detail: str,
        *,
        field: str = "",
        hint: str = "",
        faults: tuple[Fault, ...] = (),
        retry_after_s: int = 1,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field
        self.hint = hint
        self.retry_after_s = retry_after_s  # told where trying again may help
        self.faults = faults  # every fault found, where there are several; the first is also above

    @property
    def status(self) -> int:
        return STATUS[self.code]
