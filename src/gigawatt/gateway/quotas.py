"""What a key and a project may have, held to across all workers: requests a second, tokens a minute, requests at
once, tokens a month.

A request takes its tokens when it comes, by a guess that its body allows, and the difference is settled when its
replica has said how many there were.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from gigawatt.gateway import errors
from gigawatt.gateway.config import Config, KeyConfig
from gigawatt.gateway.errors import ErrorReply
from gigawatt.gateway.shared import Share, Shares
from gigawatt.gateway.usage import Usage
from gigawatt.model.tokens import Allowance
from gigawatt.routing.rates import used, wait_s

BYTES_PER_TOKEN = 4  # of a prompt, about; what it was is settled later
MINUTE_S = 60.0
MAX_FIELDS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(slots=True, kw_only=True)
class Holder:
    """A key or a project with limits, and what it has of each now."""

    name: str
    allowance: Allowance
    share: Share


@dataclass(slots=True, kw_only=True)
class Grant:
    """One request's part of what its holders may have."""

    holders: tuple[Holder, ...]
    tokens: int  # that were taken for it
    minute: int
    lines: list[bytes]  # headers that tell what is left

    def settle(self, usage: Usage | None, *, now_s: float) -> None:
        """The request has ended. Without a usage nothing more is known than was guessed."""
        minute = int(now_s // MINUTE_S)
        for holder in self.holders:
            holder.share.leave()
            if holder.allowance.tokens_per_min and usage is not None:
                more = usage.prompt_tokens + usage.completion_tokens - self.tokens
                if more > 0 or minute == self.minute:
                    holder.share.add_tokens(more, minute=minute)


class Quotas:
    """Of one worker."""

    def __init__(self, shares: Shares) -> None:
        self._shares = shares
        self._holders: dict[str, Holder] = {}
        self._spent: frozenset[str] = frozenset()

    def apply(self, config: Config) -> None:
        """Hold to the limits of `config`; counts go on where a holder keeps its row."""
        self._spent = config.spent
        before, self._holders = self._holders, {}
        for name, allowance in allowances(config).items():
            kept = before.pop(name, None)
            share = kept.share if kept else self._shares.of(name)
            self._holders[name] = Holder(name=name, allowance=allowance, share=share)
        for gone in before.values():
            gone.share.detach()

    def spend(self, spent: Mapping[str, int]) -> None:
        """Say what holders of budgets have used this month. Only whoever has the parent's cells may."""
        for holder in self._holders.values():
            holder.share.spent = spent.get(holder.name, 0)

    def admit(
        self, key: KeyConfig, project: str, fields: Mapping[str, object], size: int, now_s: float
    ) -> Grant | ErrorReply | None:
        """Take what a request with `size` bytes of body needs; None where nothing limits it."""
        for name in (project, key.tenant):
            if name in self._spent:
                return errors.money_spent(name)
        holders = self._of(key, project)
        if not holders:
            return None
        tokens = guess(fields, size)
        first: Rates | None = None
        for number, holder in enumerate(holders):
            rates = _take(holder, tokens, now_s)
            if isinstance(rates, ErrorReply):
                for taken in holders[:number]:
                    _give_back(taken, tokens, now_s)
                return rates
            first = first or rates
        assert first is not None
        lines = rate_lines(first, now_s)
        return Grant(holders=holders, tokens=tokens, minute=int(now_s // MINUTE_S), lines=lines)

    def spent_by(self, key: KeyConfig, project: str) -> bool:
        """One of them has used its tokens of this month."""
        return any(
            0 < holder.allowance.tokens_per_month <= holder.share.spent
            for holder in self._of(key, project)
        )

    def _of(self, key: KeyConfig, project: str) -> tuple[Holder, ...]:
        if not self._holders:
            return ()
        found = (self._holders.get(key.id), self._holders.get(project))
        return tuple(holder for holder in found if holder is not None)


def allowances(config: Config) -> dict[str, Allowance]:
    """Everybody who has limits, by the key's id or the project's."""
    keys = {key.id: key.allowance for key in config.keys.values() if key.allowance.limits}
    return {**keys, **config.projects}


def guess(fields: Mapping[str, object], size: int) -> int:
    """How many tokens a request will need: its bytes by so many a token, and what it allows the model to say."""
    stated = (fields.get(name) for name in MAX_FIELDS)
    at_most = next((n for n in stated if isinstance(n, int) and n > 0), 0)
    return ceil(size / BYTES_PER_TOKEN) + at_most


Rate = tuple[bytes, int, int, int, float]  # of what, the limit, now, before, and the window
Rates = tuple[Rate, Rate]


def rate_lines(rates: Rates, now_s: float) -> list[bytes]:
    """Headers as OpenAI writes them: the limits, what is left of them, and when all of it is there again."""
    lines: list[bytes] = []
    for kind, limit, now, before, window_s in rates:
        if not limit:
            continue
        elapsed_s = now_s % window_s
        left = max(int(limit - used(now, before, elapsed_s=elapsed_s, window_s=window_s)), 0)
        reset_s = wait_s(now, before, elapsed_s=elapsed_s, window_s=window_s, room=0) or 0.0
        lines.append(
            b"x-ratelimit-limit-%b: %d\r\nx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %.3fs\r\n"
            % (kind, limit, kind, left, kind, reset_s)
        )
    return lines


def _take(holder: Holder, tokens: int, now_s: float) -> Rates | ErrorReply:
    """What it has of its rates with this request. First take, then look: whoever takes the last place at the same time sees it taken."""
    allowance, share = holder.allowance, holder.share
    if allowance.tokens_per_month and share.spent >= allowance.tokens_per_month:
        return errors.budget_spent(holder.name, limit=allowance.tokens_per_month)
    share.enter()
    share.add_requests(1, second=int(now_s))
    share.add_tokens(tokens, minute=int(now_s // MINUTE_S))
    rates = _rates(holder, now_s)
    refusal = _over(holder, rates, now_s, tokens)
    if refusal is None:
        return rates
    _give_back(holder, tokens, now_s)
    return refusal


def _rates(holder: Holder, now_s: float) -> Rates:
    allowance, share = holder.allowance, holder.share
    requests, tokens = share.requests(int(now_s)), share.tokens(int(now_s // MINUTE_S))
    return (
        (b"requests", allowance.requests_per_s, *requests, 1.0),
        (b"tokens", allowance.tokens_per_min, *tokens, MINUTE_S),
    )


def _give_back(holder: Holder, tokens: int, now_s: float) -> None:
    holder.share.leave()
    holder.share.add_requests(-1, second=int(now_s))
    holder.share.add_tokens(-tokens, minute=int(now_s // MINUTE_S))


def _over(holder: Holder, rates: Rates, now_s: float, tokens: int) -> ErrorReply | None:
    concurrent = holder.allowance.concurrent
    if concurrent and holder.share.in_flight > concurrent:
        return errors.rate_limited("requests at once", holder.name, limit=concurrent, wait_s=1.0)
    names = ("requests a second", "tokens a minute")
    for name, more, rate in zip(names, (1, tokens), rates, strict=True):
        _, limit, now, before, window_s = rate
        elapsed_s = now_s % window_s
        if limit and used(now, before, elapsed_s=elapsed_s, window_s=window_s) > limit:
            others = max(now - more, 0)
            again_s = wait_s(
                others, before, elapsed_s=elapsed_s, window_s=window_s, room=limit - more
            )
            return errors.rate_limited(name, holder.name, limit=limit, wait_s=again_s)
    return None
