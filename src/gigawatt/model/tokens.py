"""Tokens that models took and gave: how many by whom, and how many anyone may have."""

from dataclasses import dataclass

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one key, or one project, may have of the gateway. 0 is without a limit."""

    requests_per_s: int = 0
    tokens_per_min: int = 0
    concurrent: int = 0  # requests under way at once
    tokens_per_month: int = 0  # of UTC

    @property
    def limits(self) -> bool:
        return bool(
            self.requests_per_s or self.tokens_per_min or self.concurrent or self.tokens_per_month
        )


NO_ALLOWANCE = Allowance()


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUse:
    """What one key used of one model in one hour, as one spool counted it: counters that only grow.

    A newer report of the same row replaces it as a whole, so telling one twice counts once.
    """

    id: str  # spool and row
    created_ms: int  # the hour's beginning
    tenant: str
    project: str  # the endpoint's, which is whose quota it was
    key: str
    model: str
    endpoint: str
    requests: int
    prompt_tokens: int
    cached_tokens: int  # of the prompt's
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpool:
    """One file of counters of one gateway, and the last report of it that was taken in."""

    id: str
    created_ms: int
    report: int
    closed: bool = False  # its writer has ended, and all of it was told
    version: int = 1
