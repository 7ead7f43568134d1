"""What the API answers about tokens, as types. See `gigawatt.sdk.views`."""

from typing import TypedDict


class AllowanceView(TypedDict):
    """0 is without a limit."""

    requests_per_s: int
    tokens_per_min: int
    concurrent: int
    tokens_per_month: int


class TokensView(TypedDict):
    """What it was not asked to be told apart by is empty."""

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


class UsageView(TypedDict):
    by: list[str]
    items: list[TokensView]
