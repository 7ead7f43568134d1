"""Tokens as callers see them: what was used, and what may be."""

from dataclasses import dataclass

from gigawatt.model.tokens import Allowance


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowanceView:
    """What a key or a project may have of the gateway; 0 is without a limit."""

    requests_per_s: int
    tokens_per_min: int
    concurrent: int
    tokens_per_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensView:
    """What was used by one subject; what it was not asked to be told apart by is empty. Cached tokens are of the prompts'."""

    tenant: str
    project: str
    key: str
    model: str
    endpoint: str
    hour: str
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageView:
    """Sorted by the subjects that it is `by`."""

    by: tuple[str, ...]
    items: tuple[TokensView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentView:
    """Tokens of one subject that has a budget."""

    subject: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingView:
    """What other spools than the asking gateway's have counted since `since_ms`."""

    since_ms: int
    items: tuple[SpentView, ...]


def allowance_view(allowance: Allowance) -> AllowanceView:
    """An allowance's view."""
    return AllowanceView(
        requests_per_s=allowance.requests_per_s,
        tokens_per_min=allowance.tokens_per_min,
        concurrent=allowance.concurrent,
        tokens_per_month=allowance.tokens_per_month,
    )
